"""Artifact in, artifact out: convert, quantize, lower."""
