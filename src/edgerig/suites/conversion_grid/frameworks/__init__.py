"""Frameworks of the conversion grid, one file each."""
