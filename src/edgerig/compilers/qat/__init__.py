"""Quantization-aware training: an int8 network is trained as the integers that it computes with."""
