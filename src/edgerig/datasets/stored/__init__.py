"""Versions of datasets in a store, as datasets to train on and to measure with."""
