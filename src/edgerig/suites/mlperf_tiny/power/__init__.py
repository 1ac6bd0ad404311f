"""Power monitors: what a device draws between two of its timestamps."""
