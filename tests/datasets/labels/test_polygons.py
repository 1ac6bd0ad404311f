"""Polygons become the pixels that the COCO API makes of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_masks

from edgerig.datasets.labels import polygons, runs
from edgerig.datasets.labels.shapes import Polygon
from edgerig.errors import DatasetError

#: On the grid, between its cells, and beyond the borders of an image of up to 24 pixels.
COORDINATES = st.one_of(
    st.integers(-60, 160).map(lambda fifth: fifth / 5),
    st.integers(-3, 30).map(float),
    st.floats(-40, 60),
    st.sampled_from([0.5, -0.1, 0.3, 999.9, -999.9]),
)


def reference(ring: list[float], height: int, width: int) -> str:
    text: bytes = coco_masks.frPyObjects([ring], height, width)[0]["counts"]
    return text.decode()


@settings(deadline=None)
@given(st.lists(st.tuples(COORDINATES, COORDINATES), min_size=3, max_size=9), st.integers(1, 24), st.integers(1, 24))
def test_a_polygon_has_the_pixels_that_the_coco_api_gives_it(
    corners: list[tuple[float, float]], height: int, width: int
) -> None:
    ring = [value for corner in corners for value in corner]
    assert runs.compress(polygons.ring_to_runs(ring, height, width)) == reference(ring, height, width)


def test_a_large_outline_has_the_pixels_that_the_coco_api_gives_it() -> None:
    rng = np.random.default_rng(3)
    far = [-1e5, 7.3, 300, -9e4, 9.7e4, 480, 33.3, 1e5]
    assert runs.compress(polygons.ring_to_runs(far, 480, 640)) == reference(far, 480, 640)
    for corners in (5, 60, 900):
        angles = np.linspace(0, 2 * math.pi, corners, endpoint=False)
        radius = rng.uniform(80, 260, corners)
        points = np.stack([320 + radius * np.cos(angles), 240 + radius * np.sin(angles)], 1)
        ring = np.round(points, 2).ravel().tolist()
        assert runs.compress(polygons.ring_to_runs(ring, 480, 640)) == reference(ring, 480, 640)


def test_several_polygons_are_the_union_of_their_pixels() -> None:
    rings = [[1.0, 1, 9, 1, 9, 9, 1, 9], [5.0, 5, 15, 5, 15, 12, 5, 12]]
    expected = coco_masks.decode(coco_masks.merge(coco_masks.frPyObjects(rings, 16, 20)))
    lengths = polygons.polygons_to_runs([Polygon(tuple(ring)) for ring in rings], 16, 20)
    np.testing.assert_array_equal(runs.decode(lengths, 16, 20), expected)


def test_a_hole_is_cut_out_of_its_own_polygon_alone() -> None:
    outer, hole = (0.0, 0, 8, 0, 8, 8, 0, 8), (2.0, 2, 6, 2, 6, 6, 2, 6)
    ring = runs.decode(polygons.polygons_to_runs([Polygon(outer, (hole,))], 8, 8), 8, 8)
    assert ring.sum() == 64 - 16
    assert not ring[2:6, 2:6].any()
    filled = polygons.polygons_to_runs([Polygon(outer, (hole,)), Polygon(hole)], 8, 8)
    assert filled.tolist() == [0, 64]


def test_where_an_outline_crosses_itself_its_parts_count_by_the_even_odd_rule() -> None:
    twice = (1.0, 1, 7, 1, 7, 7, 1, 7) * 2
    assert polygons.ring_to_runs(twice, 8, 8).tolist() == [64]


def test_an_edge_beyond_all_bounds_costs_no_more_than_the_columns_that_it_passes() -> None:
    assert runs.area(polygons.ring_to_runs((-1e8, -1e8, 1e8, -1e8, 1e8, 1e8, -1e8, 1e8), 4, 4)) == 16


def test_outlines_of_too_many_and_too_long_edges_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polygons, "MOST_CROSSINGS", 100)
    zigzag = [value for index in range(20) for value in ((0.0, 0.0), (9.0, 9.0))[index % 2]]
    with pytest.raises(DatasetError, match="A polygon of 20 corners passes 180 columns of its image"):
        polygons.ring_to_runs(zigzag, 9, 9)
