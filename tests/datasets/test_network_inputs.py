"""What an inference of a network takes, and how a dataset's arrays become that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgerig.artifact import Quantization, TensorSpec
from edgerig.datasets.network_inputs import LARGEST_INPUT, inputs_of, matched
from edgerig.errors import DatasetError, IncompatibleError
from edgerig.testing.faults import any_artifact


def test_an_input_beyond_what_is_fed_is_refused_at_once(tmp_path: Path) -> None:
    size = LARGEST_INPUT // 4 + 1
    spec = TensorSpec("x", (1, size), "int8")
    artifact = any_artifact(tmp_path, inputs=(spec,))
    with pytest.raises(IncompatibleError, match=f"takes {LARGEST_INPUT + 4:,} B of float32"):
        inputs_of(artifact)
    halves = tuple(TensorSpec(name, (1, size // 2 + 1), "int8") for name in "xy")
    with pytest.raises(IncompatibleError, match="B of float32"):
        inputs_of(any_artifact(tmp_path, inputs=halves))
    fits = any_artifact(tmp_path, inputs=(TensorSpec("x", (1, size - 1), "int8"),))
    assert inputs_of(fits).elements == size - 1


@pytest.mark.parametrize(
    ("shapes", "batch", "samples"),
    [
        ([(1, 8, 3)], 1, [(8, 3)]),
        ([(1, 8), (1,)], 1, [(8,), ()]),
        ([(4, 8), (4, 2, 3)], 4, [(8,), (2, 3)]),
        ([(1, 8), (5, 2)], 1, [(8,), (5, 2)]),
        ([(4, 8), (5, 2)], 1, [(4, 8), (5, 2)]),
    ],
)
def test_an_axis_that_all_inputs_share_counts_samples(
    shapes: list[tuple[int, ...]], batch: int, samples: list[tuple[int, ...]], tmp_path: Path
) -> None:
    specs = tuple(TensorSpec(f"x{number}", shape, "float32") for number, shape in enumerate(shapes))
    network = inputs_of(any_artifact(tmp_path, inputs=specs))
    assert network.batch == batch
    assert [spec.shape[1:] for spec in network.specs] == samples
    values = {spec.name: np.zeros((2 * batch, *spec.shape[1:]), np.float32) for spec in network.specs}
    calls = network.calls(network.quantized(network.fitted(values, "d")))
    for spec, array in zip(specs, calls, strict=True):
        assert array.shape == (2, *spec.call_shape)


def test_no_input_and_no_axis_for_a_batch_are_refused(tmp_path: Path) -> None:
    with pytest.raises(IncompatibleError, match="no input"):
        inputs_of(any_artifact(tmp_path, inputs=()))
    with pytest.raises(IncompatibleError, match="no axis for the samples"):
        inputs_of(any_artifact(tmp_path, inputs=(TensorSpec("x", (4,), "float32"),)))


def test_arrays_are_matched_by_name_or_the_only_one_of_either() -> None:
    assert matched(["x"], [""], "d") == [""]
    assert matched(["x"], ["other"], "d") == ["other"]
    assert matched(["b", "a"], ["a", "b", "unused"], "d") == ["b", "a"]
    assert matched(["serving_default_a:0", "b"], ["b", "a"], "d") == ["a", "b"]
    assert matched(["a:0", "a"], ["a", "a:0"], "d") == ["a:0", "a"]


@pytest.mark.parametrize(
    ("inputs", "given", "message"),
    [
        (["a", "b"], [""], r"has 2 inputs \(a, b\), and dataset 'd' gives one"),
        (["a", "b"], ["a", "c"], "gives 'a', 'c': nothing is there for 'b'"),
        (["a"], ["b", "c"], "nothing is there for 'a'"),
        (["a:0", "a"], ["a", "b"], "would take the same array"),
    ],
)
def test_what_is_missing_is_named(inputs: list[str], given: list[str], message: str) -> None:
    with pytest.raises(IncompatibleError, match=message):
        matched(inputs, given, "d")


def test_each_input_is_quantized_by_its_own_scale_and_integers_exactly(tmp_path: Path) -> None:
    specs = (
        TensorSpec("x", (1, 2), "int8", Quantization((0.5,), (-10,))),
        TensorSpec("y", (1, 2), "uint8", Quantization((0.25,), (3,))),
        TensorSpec("ids", (1, 2), "int64"),
        TensorSpec("flags", (1, 2), "bool"),
    )
    network = inputs_of(any_artifact(tmp_path, inputs=specs))
    large = 2**53 + 1  # no float64 holds it
    values = [np.array([[1, 0]]), np.array([[1, 0]], np.float32), np.array([[large, 0]]), np.array([[2, 0]])]
    x, y, ids, flags = network.quantized(values)
    assert (x.tolist(), y.tolist()) == ([[-8, -10]], [[7, 3]])
    assert (ids.tolist(), ids.dtype, flags.tolist()) == ([[large, 0]], np.int64, [[True, False]])
    assert network.fit_counts(values, [x, y, ids, flags]).shape == (1, 27)
    small = inputs_of(any_artifact(tmp_path, inputs=(TensorSpec("ids", (1, 2), "int16"),)))
    with pytest.raises(DatasetError, match="takes int16, -32768 to 32767; the samples hold 0 to 40000"):
        small.quantized([np.array([[0, 40_000]])])
