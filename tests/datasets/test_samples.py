from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgerig.artifact import Preprocessing, TensorSpec
from edgerig.datasets.named_samples import NamedArraySamples
from edgerig.datasets.network_inputs import network_inputs
from edgerig.datasets.preprocess import quantize_input
from edgerig.datasets.samples import ArraySamples, FileSamples
from edgerig.errors import DatasetError


def read_npy(path: Path) -> np.ndarray:
    return np.load(path)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = []
    for i in range(4):
        paths.append(tmp_path / f"{i}.npy")
        np.save(paths[-1], np.full((4 + i, 5, 3), i, np.uint8))
    return paths


def test_array_samples_without_labels_are_unlabelled() -> None:
    samples = ArraySamples(np.zeros((3, 2)))
    assert samples.labels.tolist() == [-1, -1, -1]


def test_array_and_labels_must_be_equally_long() -> None:
    with pytest.raises(DatasetError, match="3 samples have labels of shape \\[2\\]"):
        ArraySamples(np.zeros((3, 2)), [0, 1])


@pytest.mark.parametrize(
    "other",
    [
        ArraySamples(np.array([[1], [2], [4]], np.uint8), [0, 1, 1]),
        ArraySamples(np.array([[1], [2], [3]], np.int8), [0, 1, 1]),
        ArraySamples(np.array([[1], [2], [3]], np.uint8), [0, 1, 0]),
        ArraySamples(np.array([[2], [1], [3]], np.uint8), [1, 0, 1]),
        ArraySamples(np.array([1, 2, 3], np.uint8), [0, 1, 1]),
    ],
    ids=["value", "dtype", "label", "order", "shape"],
)
def test_the_fingerprint_depends_on_everything(other: ArraySamples) -> None:
    one = ArraySamples(np.array([[1], [2], [3]], np.uint8), [0, 1, 1])
    same = ArraySamples(np.array([[9, 1], [9, 2], [9, 3]], np.uint8)[:, 1:], [0, 1, 1])
    assert one.fingerprint == same.fingerprint
    assert one.fingerprint != other.fingerprint


def test_file_samples_are_resized_one_by_one(files: list[Path]) -> None:
    samples = FileSamples(files, [0, 1, 0, 1], read_npy, "npy")
    x = samples.inputs(np.array([3, 0]), Preprocessing(scale=0.5, resize=(2, 2)))
    assert x.shape == (2, 2, 2, 3)
    np.testing.assert_allclose(x.mean(axis=(1, 2, 3)), [1.5, 0.0])


def test_files_of_different_shape_are_named_if_nothing_resizes_them(files: list[Path]) -> None:
    samples = FileSamples(files, [0, 1, 0, 1], read_npy, "npy")
    with pytest.raises(DatasetError, match=r"1\.npy has the shape \[5, 5, 3\]") as caught:
        samples.inputs(slice(None), Preprocessing())
    assert "resize" in str(caught.value.hint)


def test_no_indices_are_refused(files: list[Path]) -> None:
    with pytest.raises(DatasetError, match="No samples"):
        FileSamples(files, [0, 1, 0, 1], read_npy, "npy").inputs(slice(0, 0), Preprocessing())


def test_the_fingerprint_of_files_follows_their_content(files: list[Path]) -> None:
    def fingerprint(reading: str = "npy") -> str:
        return FileSamples(files, [0, 1, 0, 1], read_npy, reading).fingerprint

    before = fingerprint()
    assert before == fingerprint()
    assert before != fingerprint("npy, but otherwise")
    np.save(files[2], np.full((6, 5, 3), 77, np.uint8))
    assert before != fingerprint()


def test_a_file_that_went_away_is_named(files: list[Path]) -> None:
    files[1].unlink()
    with pytest.raises(DatasetError, match=r"1\.npy"):
        _ = FileSamples(files, [0, 1, 0, 1], read_npy, "npy").fingerprint


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint32, np.uint64, np.float64])
def test_large_whole_numbers_reach_an_input_of_integers_exactly(dtype: Any) -> None:
    """Above 2^24 neighbours would be one number in float32, such as two words of a large vocabulary."""
    numbers = np.arange(2**24, 2**24 + 6)
    samples = ArraySamples(numbers.astype(dtype)[:, None], np.zeros(6, int))
    (fed,) = samples.named_inputs(slice(1, 5), Preprocessing()).values()
    assert fed.tolist() == [[n] for n in numbers[1:5]]
    for to in ("int32", "int64", "float64"):
        assert quantize_input(fed, TensorSpec("x", (1, 1), to)).ravel().tolist() == numbers[1:5].tolist()
    (scaled,) = samples.named_inputs(slice(1, 5), Preprocessing(scale=0.5)).values()
    assert scaled.dtype == np.float32


@pytest.mark.parametrize("array", [np.arange(8), np.array([0.5, 2.0**30], np.float32), np.arange(8) > 3])
def test_all_other_numbers_are_float32(array: Any) -> None:
    (fed,) = ArraySamples(array[:, None]).named_inputs(slice(0, 2), Preprocessing()).values()
    assert fed.dtype == np.float32


@pytest.mark.parametrize("kind", [ArraySamples, lambda array: NamedArraySamples({"x": array})])
def test_an_input_of_float64_gets_its_numbers_as_they_are_stored_and_all_others_float32(kind: Any) -> None:
    stored = np.array([[1 / 3], [1 + 2.0**-40], [np.nan]])
    values = kind(stored).named_inputs(slice(0, 3), Preprocessing())
    (wide,), (single,) = (
        network_inputs("net", [TensorSpec("x", (1, 1), dtype)]).fitted(values, "d") for dtype in ("float64", "float32")
    )
    np.testing.assert_array_equal(wide, stored)
    assert single.dtype == np.float32
    np.testing.assert_array_equal(single, stored.astype(np.float32))
