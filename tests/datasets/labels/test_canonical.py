"""Labels as JSON: the same bytes for the same labels, and nothing that does not fit its image comes back from it."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from edgerig.datasets.labels.canonical import from_json, to_json
from edgerig.datasets.labels.shapes import Box, ImageLabels, Polygon, Shape
from edgerig.errors import DatasetError

from .conftest import images

SQUARE = (0.0, 0.0, 2.0, 0.0, 2.0, 2.0)


def image(**shape: Any) -> ImageLabels:
    return ImageLabels(width=4, height=3, shapes=(Shape(**{"category": "cat", **shape}),))


@pytest.mark.slow
@settings(deadline=None)
@given(images())
def test_labels_come_back_as_they_were(labels: ImageLabels) -> None:
    data = to_json(labels)
    assert from_json(data) == labels
    assert to_json(from_json(data)) == data


def test_the_bytes_are_these() -> None:
    labels = ImageLabels(
        width=4,
        height=3,
        shapes=(
            Shape(category="cat", box=Box(1, 0, 2, 2.5), crowd=True),
            Shape(category="dog", polygons=(Polygon(SQUARE, ((1, 0.5, 1.5, 0.5, 1.5, 1),)),), score=0.5),
            Shape(category="road", runs=(0, 12), area=12, attributes={"b": "yes", "a": 1}),
        ),
    )
    assert to_json(labels) == (
        b'{"height":3,"shapes":[{"box":[1.0,0.0,2.0,2.5],"class":"cat","crowd":true},'
        b'{"class":"dog","polygons":[{"holes":[[1.0,0.5,1.5,0.5,1.5,1.0]],"outer":[0.0,0.0,2.0,0.0,2.0,2.0]}],'
        b'"score":0.5},{"area":12.0,"attributes":{"a":1,"b":"yes"},"class":"road","runs":[0,12]}],'
        b'"version":1,"width":4}'
    )


def test_equal_numbers_are_equal_bytes() -> None:
    assert to_json(image(box=Box(0, -0.0, 1, 1))) == to_json(image(box=Box(0.0, 0.0, 1.0, 1.0)))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({}, r"object 0 \('cat'\) has no box, no polygons and no runs"),
        ({"polygons": (Polygon(SQUARE),), "runs": (12,)}, "has polygons and runs, which may contradict"),
        ({"box": Box(math.nan, 0, 1, 1)}, "not finite"),
        ({"box": Box(0, 0, -1, 1)}, "width is negative"),
        ({"box": Box(4, 0, 1, 1)}, "lies outside of its image of 4 x 3 pixels"),
        ({"polygons": (Polygon((0, 0, 2, 2)),)}, "a polygon of 2 points, which encloses nothing"),
        ({"polygons": (Polygon((*SQUARE, 1.0)),)}, "a polygon of 7 coordinates"),
        ({"polygons": (Polygon((0, 0, 2, math.inf, 2, 2)),)}, "coordinates that are not finite"),
        ({"polygons": (Polygon((0, 0, 2, 2e8, 2, 2)),)}, "a coordinate beyond 100,000,000 pixels"),
        ({"polygons": (Polygon((9, 9, 10, 9, 10, 10)),)}, r"lies outside of its image of 4 x 3 pixels.*\(9, 9\)"),
        ({"polygons": (Polygon(SQUARE, ((1, 1),)),)}, "a hole, has a polygon of 1 point,"),
        ({"runs": (0, 13)}, "overruns its image"),
        ({"runs": (0, 11)}, "falls short of its image"),
        ({"runs": (4, 0, 8)}, "has runs of 0 pixels"),
        ({"runs": (12,), "score": 1.5}, "has the score 1.5"),
        ({"runs": (12,), "area": -1.0}, "has the area -1.0"),
        ({"runs": (12,), "attributes": {"a": math.nan}}, "the attribute 'a' of nan"),
        ({"runs": (12,), "category": " "}, "a class without a usable name"),
        ({"runs": (12,), "category": "a\nb"}, "a class without a usable name"),
    ],
)
def test_labels_that_do_not_fit_are_neither_written_nor_read(shape: dict[str, Any], message: str) -> None:
    labels = image(**shape)
    with pytest.raises(DatasetError, match=message):
        to_json(labels, "a.png")
    document = msgspec.json.encode({"version": 1, **msgspec.to_builtins(labels)})
    with pytest.raises(DatasetError, match=r"a\.png"):
        from_json(document, "a.png")


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b'{"version":1,"width":4,"height":3,"shapes":[',
        b'{"version":2,"width":4,"height":3,"shapes":[]}',
        b'{"version":1,"width":4,"height":3,"shapes":[],"more":1}',
        b'{"version":1,"width":4,"height":3,"shapes":[{"class":"a","box":[1,2,3]}]}',
        b'{"version":1,"width":4,"height":3,"shapes":[{"class":"a","runs":[1.5,10.5]}]}',
        b"\xff\xfe",
    ],
)
def test_what_is_no_labels_is_refused(document: bytes) -> None:
    with pytest.raises(DatasetError, match=r"a\.png are no labels of version 1"):
        from_json(document, "a.png")


@pytest.mark.parametrize(("width", "height"), [(0, 3), (4, -1), (70_000, 3), (65_000, 65_000)])
def test_sides_that_no_image_has_are_refused(width: int, height: int) -> None:
    with pytest.raises(DatasetError, match="sides are 1 to 65,535"):
        to_json(ImageLabels(width=width, height=height))
