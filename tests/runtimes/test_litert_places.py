"""Inferences of LiteRT on its own memory: the same numbers, and only where that memory stays where it is."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgerig.errors import InferenceError
from edgerig.runtimes.litert import LiteRt, LiteRtSettings
from edgerig.testing.contracts.runtime import check_placed, samples_for
from edgerig.testing.networks import bright_pixels_tflite, dense_tflite, dense_tflite_int8, two_output_tflite
from edgerig.testing.networks.tflite_builder import TfliteBuilder, counting_network


def positives(*, read: bool) -> bytes:
    """How many of x are above 0, by an operator whose output has as many rows; or |x|, where nothing reads that."""
    net = TfliteBuilder()
    x = net.tensor("x", (1, 8), "float32")
    zero, positive = net.tensor("zero", (1,), "float32", np.zeros(1)), net.tensor("positive", (1, 8), "bool")
    rows, sizes = net.tensor("rows", (8, 2), "int64"), net.tensor("sizes", (2,), "int32")
    y = net.tensor("y", (2,) if read else (1, 8), "float32")
    if not read:
        net.operator("ABS", [x], [y], "AbsOptions")
    net.operator("GREATER", [x, zero], [positive], "GreaterOptions")
    net.operator("WHERE", [positive], [rows], "WhereOptions")
    if read:
        net.operator("SHAPE", [rows], [sizes], "ShapeOptions", outType=2)
        net.operator("CAST", [sizes], [y], "CastOptions", inDataType=2, outDataType=0)
    return net.build([x], [y])


def _written(name: str, content: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize("kernels", ["xnnpack", "reference"])
@pytest.mark.parametrize(
    ("write", "stays"),
    [
        (lambda folder: dense_tflite(folder / "net.tflite"), True),
        (lambda folder: dense_tflite_int8(folder / "net.tflite"), True),
        (lambda folder: bright_pixels_tflite(folder / "net.tflite", 256, 64), True),
        (lambda folder: two_output_tflite(folder / "net.tflite"), True),
        (_written("rows.tflite", positives(read=True)), False),
        (_written("unread.tflite", positives(read=False)), False),
    ],
    ids=["float32", "int8", "large", "two-outputs", "rows", "unread"],
)
def test_samples_run_where_they_lie(write: Callable[[Path], Path], stays: bool, kernels: str, tmp_path: Path) -> None:
    runtime = LiteRt(LiteRtSettings(kernels=kernels))  # type: ignore[arg-type]
    runtime.load(write(tmp_path))
    check_placed(runtime)
    assert runtime._stays is stays


def test_a_network_of_several_subgraphs_is_asked_by_its_calls(tmp_path: Path) -> None:
    runtime = LiteRt()
    runtime.load(_written("count.tflite", counting_network())(tmp_path))
    x, y, times = np.ones((2, 1, 4), np.float32), np.zeros((2, 1, 4), np.float32), np.zeros(2, np.int64)
    runtime.placed([([a], [b]) for a, b in zip(x, y, strict=True)], times)(2)
    assert runtime._stays is False
    assert y[:, 0, 0].tolist() == [1, 2]
    runtime.begin_sequence()
    runtime.run_each([([x[0]], [y[0]])], times)
    assert y[0, 0, 0] == 1


@pytest.mark.parametrize("other", [np.zeros((1, 2), np.float32), np.zeros((1, 4), np.int32)])
def test_an_output_of_another_kind_is_refused(other: np.ndarray, tmp_path: Path) -> None:
    runtime = LiteRt()
    runtime.load(dense_tflite(tmp_path / "net.tflite"))
    x = samples_for(runtime.inputs, 1)[0]
    with pytest.raises(InferenceError, match="for an output that it told to be"):
        runtime.placed([([x], [other])], np.zeros(1, np.int64))(1)
    assert not other.any()


def test_what_an_engine_refuses_is_told(tmp_path: Path) -> None:
    # A quotient of integers whose divisor is 0.
    net = TfliteBuilder()
    x, y = net.tensor("x", (1, 4), "int32"), net.tensor("y", (1, 4), "int32")
    hundred = net.tensor("hundred", (1, 4), "int32", np.full((1, 4), 100))
    net.operator("DIV", [hundred, x], [y], "DivOptions")
    runtime = LiteRt(LiteRtSettings(kernels="reference"))
    runtime.load(_written("quotient.tflite", net.build([x], [y]))(tmp_path))
    x_, y_ = np.array([[[1, 2, 5, 10]], [[1, 0, 1, 1]]], np.int32), np.zeros((2, 1, 4), np.int32)
    run = runtime.placed([([a], [b]) for a, b in zip(x_, y_, strict=True)], np.zeros(2, np.int64))
    assert runtime._stays
    run(1)
    assert y_[0].tolist() == [[100, 50, 20, 10]]
    with pytest.raises(InferenceError, match=r"litert failed while running: .*DIV"):
        run(2)
    # The next one is as good as before.
    y_[0] = 0
    run(1)
    assert y_[0].tolist() == [[100, 50, 20, 10]]
