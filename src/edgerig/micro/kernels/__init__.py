"""Kernels: what lowers nodes to C, and the C that they call."""
