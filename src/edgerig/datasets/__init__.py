"""Datasets, their sources and the metrics that judge predictions."""
