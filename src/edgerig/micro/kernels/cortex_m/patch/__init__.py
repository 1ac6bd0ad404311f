"""Channels that fast kernels leave out, computed after them."""
