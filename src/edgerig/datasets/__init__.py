"""Datasets, their sources and the metrics of predictions."""
