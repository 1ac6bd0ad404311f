"""Convolutions for Cortex-M4 and M7."""
