"""Comparison of two results: a verdict for each metric, or why there is none."""
