"""Label Studio's coordinates, in percent of an image's sides, as pixels and back."""

from __future__ import annotations

from collections.abc import Sequence

from edgerig.datasets.labels.shapes import Ring

#: Pixels are rounded to so many decimals, which percents do not hold exactly.
DECIMALS = 6


def in_pixels(percents: Sequence[float], height: int, width: int) -> Ring:
    """Pixels of percents, x and y in turn.

    >>> in_pixels((100 / 3, 50), 10, 3)
    (1.0, 5.0)
    """
    sides = (width, height)
    return tuple(round(percent / 100 * sides[index % 2], DECIMALS) for index, percent in enumerate(percents))


def in_percents(pixels: Sequence[float], height: int, width: int) -> Ring:
    """Percents of pixels, x and y in turn."""
    sides = (width, height)
    return tuple(100 * value / sides[index % 2] for index, value in enumerate(pixels))
