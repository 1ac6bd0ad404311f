"""The results of many runs over time: an index of their bundles, which can be rebuilt at any time."""
