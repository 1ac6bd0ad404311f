"""From a plan through cached stages to results."""
