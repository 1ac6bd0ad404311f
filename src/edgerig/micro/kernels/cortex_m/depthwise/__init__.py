"""Depthwise and pointwise convolutions for Cortex-M4 and M7."""
