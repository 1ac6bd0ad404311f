"""A gate: limits on what may get worse, judged on a comparison with a baseline."""
