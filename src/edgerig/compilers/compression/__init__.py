"""Compilers that make a trained network smaller: fewer channels, fewer connections, fewer distinct weights."""
