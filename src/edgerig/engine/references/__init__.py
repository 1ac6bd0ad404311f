"""The float networks that a run's models are compared with, sample by sample.

`choice` says which network is a model's reference; `predictions` runs it over the test samples; `stages` makes a cached
stage of that for all models of a run; `types` has what the cells are given of it.
"""
