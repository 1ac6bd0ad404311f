"""Image files for tests that are about other things than pixels."""

from __future__ import annotations


def row_of(values: bytes) -> bytes:
    """An image file (PGM) of one row of pixels, which are these values."""
    return b"P5 %d 1 255\n" % len(values) + values
