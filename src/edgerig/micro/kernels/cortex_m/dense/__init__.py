"""Fully connected layers for Cortex-M4 and M7."""
