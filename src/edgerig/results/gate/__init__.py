"""A gate: limits on regressions, checked on a comparison with a baseline."""
