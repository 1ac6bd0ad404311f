"""Run lengths are those of the COCO API, and what does not fit its image is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco_masks

from edgerig.datasets.labels import runs
from edgerig.errors import DatasetError

Mask = np.ndarray[Any, np.dtype[np.bool_]]
MASKS = arrays.arrays(bool, arrays.array_shapes(min_dims=2, max_dims=2, max_side=12))
PAIRS = arrays.array_shapes(min_dims=2, max_dims=2, max_side=9).flatmap(
    lambda shape: st.tuples(arrays.arrays(bool, shape), arrays.arrays(bool, shape))
)


def coco_text(mask: Mask) -> str:
    text: bytes = coco_masks.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"]
    return text.decode()


@settings(deadline=None)
@given(MASKS)
def test_masks_come_back_as_they_were_and_are_written_as_the_coco_api_does(mask: Mask) -> None:
    lengths = runs.encode(mask)
    np.testing.assert_array_equal(runs.decode(lengths, *mask.shape), mask)
    assert runs.compress(lengths) == coco_text(mask)
    assert runs.decompress(coco_text(mask), "mask").tolist() == lengths.tolist()
    assert runs.area(lengths) == mask.sum()
    height, width = mask.shape
    np.testing.assert_array_equal(runs.check(lengths, height, width, "mask"), lengths)


@settings(deadline=None)
@given(MASKS)
def test_the_bounds_of_a_mask_are_those_of_the_coco_api(mask: Mask) -> None:
    bounds = runs.bounds(runs.encode(mask), mask.shape[0])
    box = coco_masks.toBbox(coco_masks.encode(np.asfortranarray(mask.astype(np.uint8))))
    assert (bounds or (0, 0, 0, 0)) == tuple(box.astype(int).tolist())
    assert (bounds is None) == (not mask.any())


@settings(deadline=None)
@given(PAIRS)
def test_masks_are_joined_and_cut_as_their_pixels_are(pair: tuple[Mask, Mask]) -> None:
    first, second = pair
    a, b = runs.encode(first), runs.encode(second)
    assert runs.union([a, b]).tolist() == runs.encode(first | second).tolist()
    assert runs.difference(a, b).tolist() == runs.encode(first & ~second).tolist()
    assert runs.complement(a).tolist() == runs.encode(~first).tolist()


@settings(deadline=None)
@given(st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=30))
def test_lengths_of_any_size_come_back_from_their_text(lengths: list[int]) -> None:
    assert runs.decompress(runs.compress(lengths), "mask").tolist() == lengths


def test_runs_of_no_pixels_are_joined() -> None:
    assert runs.check([2, 0, 3, 4, 0, 1, 2], 3, 4, "mask").tolist() == [5, 5, 2]
    assert runs.check([0, 0, 4], 2, 2, "mask").tolist() == [4]
    assert runs.check([4, 0], 2, 2, "mask").tolist() == [4]


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([3, 4], "mask overruns its image: its runs add up to 7 pixels, 3 x 2 are 6"),
        ([3, 1, 1], "mask falls short of its image: its runs add up to 5 pixels"),
        ([2**62, 2**62, 2**62], "mask overruns its image"),
        ([8, -2], "mask has a run of -2 pixels"),
        ([], "mask has no run lengths"),
    ],
)
def test_runs_that_do_not_fit_their_image_are_refused(lengths: list[int], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        runs.check(lengths, 2, 3, "mask")


@pytest.mark.parametrize("text", ["", "6\n1", "61X13mN!", "Q", "0PPPPPPPP0", "é"])
def test_a_text_that_is_no_runs_is_refused(text: str) -> None:
    with pytest.raises(DatasetError, match=r"mask (is no text of compressed run lengths|has a run that is longer)"):
        runs.decompress(text, "mask")
