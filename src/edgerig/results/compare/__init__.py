"""Two results set against each other: a verdict for each metric, or why there is none."""
