"""Hypothesis strategies of labelled images."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgerig.datasets.labels import runs
from edgerig.datasets.labels.shapes import Box, ImageLabels, Polygon, Shape

CLASSES = ("cat", "dog", "a car")


def coordinates(longest: int, decimals: int) -> st.SearchStrategy[float]:
    """Coordinates from 0 to ``longest`` with so many decimals."""
    return st.integers(0, longest * 10**decimals).map(lambda number: number / 10**decimals)


@st.composite
def rings(draw: Any, width: int, height: int, decimals: int = 2, most: int = 8) -> tuple[float, ...]:
    """Corners of an outline within an image, not all on one of its borders."""
    corners = draw(
        st.lists(st.tuples(coordinates(width, decimals), coordinates(height, decimals)), min_size=2, max_size=most)
    )
    inner = (width / 2, height / 2)
    return tuple(float(value) for corner in [inner, *corners] for value in corner)


@st.composite
def masks(draw: Any, width: int, height: int) -> np.ndarray[Any, Any]:
    return draw(arrays.arrays(bool, (height, width)))


@st.composite
def boxes(draw: Any, width: int, height: int, decimals: int = 2) -> Box:
    """Boxes with an area, within an image."""
    unit = 10**decimals
    left, top = draw(st.integers(0, width * unit - 1)), draw(st.integers(0, height * unit - 1))
    across, down = draw(st.integers(1, width * unit - left)), draw(st.integers(1, height * unit - top))
    return Box(left / unit, top / unit, across / unit, down / unit)


@st.composite
def images(
    draw: Any,
    kinds: tuple[str, ...] = ("box", "polygons", "runs"),
    holes: bool = True,
    parts: int = 3,
    crowd: bool = True,
) -> ImageLabels:
    """Labels of an image of up to 12 x 12 pixels, with shapes of these kinds."""
    width, height = draw(st.integers(2, 12)), draw(st.integers(2, 12))
    shapes = []
    for _ in range(draw(st.integers(0, 4))):
        common = {"category": draw(st.sampled_from(CLASSES)), "crowd": crowd and draw(st.booleans())}
        kind = draw(st.sampled_from(kinds))
        if kind == "box":
            shapes.append(Shape(**common, box=draw(boxes(width, height))))
        elif kind == "runs":
            lengths = runs.encode(draw(masks(width, height)))
            shapes.append(Shape(**common, runs=tuple(lengths.tolist())))
        else:
            polygons = []
            for _ in range(draw(st.integers(1, parts))):
                inner = draw(st.lists(rings(width, height), max_size=2)) if holes else []
                polygons.append(Polygon(draw(rings(width, height)), tuple(inner)))
            shapes.append(Shape(**common, polygons=tuple(polygons)))
    return ImageLabels(width=width, height=height, shapes=tuple(shapes))
