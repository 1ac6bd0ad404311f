"""What bundles of many runs say over time: an index of them, which can be made anew at any time."""
