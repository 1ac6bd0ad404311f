"""Compilers that make a Keras network smaller: fewer channels, fewer connections, fewer distinct weights."""
