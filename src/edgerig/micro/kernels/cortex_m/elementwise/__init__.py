"""Elementwise operators and pooling for Cortex-M4 and M7."""
