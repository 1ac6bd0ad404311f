"""Layers whose inputs are taken as 16 bits: int16, and int8 with packed weights of 4 bits."""
