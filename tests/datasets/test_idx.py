from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgerig.datasets.idx import read_idx
from edgerig.errors import DatasetError


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


@given(hnp.arrays(np.uint8, hnp.array_shapes(max_dims=4)))
def test_arrays_come_back(array: np.ndarray) -> None:
    np.testing.assert_array_equal(read_idx(idx(array), "digits"), array)


@pytest.mark.slow
@given(st.binary(max_size=40))
def test_any_bytes_give_an_array_or_a_clear_error(data: bytes) -> None:
    with contextlib.suppress(DatasetError):
        read_idx(data, "digits")


def test_a_truncated_file_says_how_much_is_missing() -> None:
    with pytest.raises(DatasetError, match=r"\[2, 3\] bytes should follow its header, there are 5"):
        read_idx(idx(np.zeros((2, 3), np.uint8))[:-1], "digits")
