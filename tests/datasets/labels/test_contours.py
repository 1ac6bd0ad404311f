"""Outlines of masks enclose exactly the mask's pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from edgerig.datasets.labels import polygons, runs
from edgerig.datasets.labels.contours import mask_to_polygons
from edgerig.datasets.labels.shapes import Polygon

Mask = np.ndarray[Any, np.dtype[np.bool_]]
MASKS = arrays.arrays(bool, arrays.array_shapes(min_dims=2, max_dims=2, max_side=9))


def parts_of(outlines: tuple[Polygon, ...], shape: tuple[int, ...]) -> list[Mask]:
    return [runs.decode(polygons.polygons_to_runs([outline], *shape), *shape) for outline in outlines]


@pytest.mark.slow
@settings(deadline=None, max_examples=300)
@given(MASKS)
def test_outlines_enclose_the_pixels_of_the_mask_part_by_part(mask: Mask) -> None:
    outlines = mask_to_polygons(mask)
    parts = parts_of(outlines, mask.shape)
    np.testing.assert_array_equal(np.sum(parts, axis=0) if parts else np.zeros(mask.shape), mask)
    # scipy joins pixels that share a side, as is said here.
    assert len(parts) == ndimage.label(mask)[1]
    assert all(ndimage.label(part)[1] == 1 for part in parts)


@settings(deadline=None)
@given(MASKS)
def test_holes_are_those_that_the_background_does_not_reach(mask: Mask) -> None:
    around = np.pad(~mask, 1, constant_values=True)
    holes = ndimage.label(around, structure=np.ones((3, 3)))[1] - 1
    assert sum(len(outline.holes) for outline in mask_to_polygons(mask)) == holes


@given(st.integers(1, 40))
def test_a_rectangle_has_four_corners_however_large_it_is(side: int) -> None:
    (outline,) = mask_to_polygons(np.ones((side, 2 * side)))
    width, height = 2.0 * side, float(side)
    assert outline == Polygon((0.0, 0.0, width, 0.0, width, height, 0.0, height))


def test_a_hole_belongs_to_the_part_around_it_though_another_lies_between() -> None:
    mask = np.ones((9, 12), bool)
    mask[1:8, 1:11] = False  # a frame
    mask[2:7, 2:10] = True
    mask[3:6, 3] = mask[3, 5] = False  # two holes in the part within the frame
    frame, inner = mask_to_polygons(mask)
    assert (len(frame.holes), len(inner.holes)) == (1, 2)
    np.testing.assert_array_equal(sum(parts_of((frame, inner), mask.shape)), mask)


def test_an_empty_mask_has_no_outlines() -> None:
    assert mask_to_polygons(np.zeros((3, 4))) == ()
