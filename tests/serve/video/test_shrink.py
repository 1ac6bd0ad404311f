"""Frames made smaller by whole factors are those that the datasets' resizing makes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerig.datasets.preprocess import resize
from edgerig.serve.video.shrink import LARGEST, factor, shrink

FACTORS = st.integers(1, LARGEST)


@given(FACTORS, FACTORS, st.integers(1, 5), st.integers(1, 5), st.integers(1, 3), st.integers(0, 2**32))
def test_every_whole_factor(rows: int, columns: int, height: int, width: int, channels: int, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height * rows, width * columns, channels), np.uint8)
    result = shrink(image, rows, columns)
    assert result.dtype == np.float32
    assert result.shape == (height, width, channels)
    np.testing.assert_allclose(result, resize(image, (height, width)), atol=1e-4)


@pytest.mark.parametrize("rows", range(1, LARGEST + 1))
def test_white_stays_white_exactly(rows: int) -> None:
    """The largest sums there are."""
    white = np.full((3 * rows, 3 * LARGEST, 1), 255, np.uint8)
    assert (shrink(white, rows, LARGEST) == 255).all()


@pytest.mark.parametrize(
    ("pixels", "wanted", "whole"),
    [(480, 240, 2), (480, 480, 1), (640, 128, 5), (11, 1, 11), (12, 1, None), (480, 224, None), (100, 200, None)],
)
def test_factors(pixels: int, wanted: int, whole: int | None) -> None:
    assert factor(pixels, wanted) == whole
