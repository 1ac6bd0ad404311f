"""GATHER by indices of run time, and the masks of STRIDED_SLICE."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgerig.errors import CompileError, ModelError
from edgerig.micro import Options, compile_model
from edgerig.micro.frontend.read import read_program
from edgerig.micro.reference import Machine
from edgerig.testing.networks.generated import run_sanitized
from edgerig.testing.networks.reference_runs import Oracle
from edgerig.testing.networks.tflite_builder import TfliteBuilder


def gather(dtype: str, axis: int = 1, batch: int = 0, indices: tuple[int, ...] = (2, 3), kind: str = "int32") -> bytes:
    """GATHER of (2, 4, 3) by an input of that shape and type."""
    net = TfliteBuilder()
    scale = 0.1 if dtype == "int8" else None
    x, i = net.tensor("x", (2, 4, 3), dtype, scale=scale), net.tensor("i", indices, kind)
    shape = (2, 4, 3)[:axis] + indices[batch:] + (2, 4, 3)[axis + 1 :]
    y = net.tensor("y", shape, dtype, scale=scale)
    net.operator("GATHER", [x, i], [y], "GatherOptions", axis=axis, batchDims=batch)
    return net.build([x, i], [y])


@pytest.mark.parametrize("dtype", ["int8", "float32", "int32"])
@pytest.mark.parametrize("batch", [0, 1])
def test_indices_of_run_time_gather_what_litert_gathers(dtype: str, batch: int, tmp_path: Path) -> None:
    data = gather(dtype, batch=batch)
    x = np.arange(24).reshape(2, 4, 3).astype(dtype)
    samples = [[x, np.array(i, np.int32)] for i in ([[0, 3, 1], [2, 2, 0]], [[3, 3, 3], [0, 1, 2]])]
    machine = Machine(read_program(data, "net"))
    (outputs,) = run_sanitized([compile_model(data, "net", Options())], [samples], tmp_path)
    for sample, (found,) in zip(samples, outputs, strict=True):
        (expected,) = Oracle(data).run(sample)
        assert np.array_equal(expected, found)
        assert np.array_equal(expected, machine.run(sample)[0])


def test_an_index_out_of_bounds_is_the_nearest_one_and_nothing_beside_the_tensor_is_read(tmp_path: Path) -> None:
    data = gather("int8", indices=(5,))
    x = np.arange(24, dtype=np.int8).reshape(2, 4, 3)
    indices = np.array([-1, 4, -(2**31), 2**31 - 1, 2], np.int32)
    (((found,),),) = run_sanitized([compile_model(data, "net", Options())], [[[x, indices]]], tmp_path)
    assert np.array_equal(found, x[:, [0, 3, 0, 3, 2]])
    assert np.array_equal(found, Machine(read_program(data, "net")).run([x, indices])[0])


def test_indices_and_axes_that_do_not_fit_are_told() -> None:
    with pytest.raises(CompileError, match=r"its indices are int64; where they are not known .* must be int32"):
        compile_model(gather("int8", kind="int64"), "net", Options())
    with pytest.raises(ModelError, match=r"gathers along axis 1 of \[2, 4, 3\] by \[3, 3\] in 1 batch axes"):
        compile_model(gather("int8", batch=1, indices=(3, 3)), "net", Options())
    with pytest.raises(ModelError, match="in 2 batch axes"):
        compile_model(gather("int8", batch=2), "net", Options())


ROWS = np.arange(20, dtype=np.int32).reshape(4, 5)


def sliced(shape: tuple[int, ...], bounds: list[list[int]], **options: int) -> bytes:
    """STRIDED_SLICE of `ROWS`; bounds are begin, end, step."""
    net = TfliteBuilder()
    x, y = net.tensor("x", ROWS.shape, "int32"), net.tensor("y", shape, "int32")
    ends = [
        net.tensor(name, (len(values),), "int32", np.array(values)) for name, values in zip("bes", bounds, strict=True)
    ]
    net.operator("STRIDED_SLICE", [x, *ends], [y], "StridedSliceOptions", **options)
    return net.build([x], [y])


@pytest.mark.parametrize(
    ("expected", "bounds", "options"),
    [
        (ROWS[0:, 1:3], [[2, 1], [4, 3], [1, 1]], {"beginMask": 1}),
        (ROWS[2:, 1:], [[2, 1], [1, 2], [1, 1]], {"endMask": 3}),
        (ROWS[3::-2, 1:3], [[1, 1], [-5, 3], [-2, 1]], {"beginMask": 1}),
        (ROWS[2, 1:3], [[2, 1], [0, 3], [1, 1]], {"shrinkAxisMask": 1}),
        (ROWS[:, -2], [[0, -2], [4, 0], [1, 1]], {"shrinkAxisMask": 2}),
        (ROWS[0, 1:3], [[2, 1], [0, 3], [1, 1]], {"shrinkAxisMask": 1, "beginMask": 1}),
        (ROWS[2, 1:3], [[2, 1], [0, 3], [1, 1]], {"shrinkAxisMask": 1, "endMask": 1}),
        (ROWS[None, 1:2], [[0, 1], [0, 2], [1, 1]], {"newAxisMask": 1}),
        (ROWS[:, 1:3], [[0, 1], [0, 3], [1, 1]], {"ellipsisMask": 1}),
        (ROWS[1:3, 3:4], [[1, -2], [2, 1], [1, 1]], {"offset": 1}),
        (ROWS[0:2, 4:1:-1], [[3, 4], [2, -3], [1, -1]], {"offset": 1, "beginMask": 1}),
        (ROWS[1:, 2:3], [[1, 2], [3, 1], [1, 1]], {"offset": 1, "endMask": 1}),
    ],
)
def test_a_mask_means_what_it_means_to_litert(
    expected: NDArray[np.int32], bounds: list[list[int]], options: dict[str, int]
) -> None:
    data = sliced(expected.shape, bounds, **options)
    assert np.array_equal(Oracle(data).run([ROWS])[0], expected)
    assert np.array_equal(Machine(read_program(data, "net")).run([ROWS])[0], expected)


def test_slices_that_engines_understand_differently_are_refused() -> None:
    one_for_each = "ends are offsets from its beginnings, which engines have with one entry for each axis alone"
    with pytest.raises(CompileError, match=one_for_each):
        compile_model(sliced((2, 5), [[1], [2], [1]], offset=1), "net", Options())
    with pytest.raises(CompileError, match=one_for_each):
        compile_model(sliced((1, 1, 2), [[0, 1, 2], [1, 1, 2], [1, 1, 1]], offset=1, newAxisMask=1), "net", Options())
    with pytest.raises(CompileError, match="masks name entries that it does not have"):
        compile_model(sliced((2, 5), [[0], [3], [2]], newAxisMask=2), "net", Options())
    with pytest.raises(ModelError, match="one element of an axis with a step of -1"):
        compile_model(sliced((2,), [[1, 2], [2, 4], [-1, 1]], shrinkAxisMask=1), "net", Options())


def test_a_log_softmax_of_another_output_scale_is_refused() -> None:
    net = TfliteBuilder()
    x, y = (net.tensor(name, (1, 4), "int8", scale=0.1, zero_point=127) for name in "xy")
    net.operator("LOG_SOFTMAX", [x], [y], "LogSoftmaxOptions")
    with pytest.raises(CompileError, match="another scale than 1/16, or another zero point than 127"):
        compile_model(net.build([x], [y]), "net", Options())


def softmax_of(op: str, depth: int, scale: float, zero_point: int) -> bytes:
    net = TfliteBuilder()
    x = net.tensor("x", (1, depth), "int8", scale=0.1)
    y = net.tensor("y", (1, depth), "int8", scale=scale, zero_point=zero_point)
    net.operator(
        op, [x], [y], *(["SoftmaxOptions"] if op == "SOFTMAX" else []), **({"beta": 1.0} if op == "SOFTMAX" else {})
    )
    return net.build([x], [y])


def test_a_softmax_of_more_exponentials_than_their_sum_holds_is_right(tmp_path: Path) -> None:
    data = softmax_of("SOFTMAX", 6000, 1 / 256, -128)
    level, mixed, sharp = (np.zeros((1, 6000), np.int8) for _ in range(3))
    mixed[0, ::2], sharp[:], sharp[0, 7] = 5, -128, 127
    samples = [[level], [mixed], [sharp]]
    (outputs,) = run_sanitized([compile_model(data, "net", Options())], [samples], tmp_path)
    # The sum of 6000 equal ones is 6000: each is less than half of a 256th.
    for (sample,), (found,) in zip(samples, outputs, strict=True):
        assert np.array_equal(found, Machine(read_program(data, "net")).run([sample])[0])
    assert (outputs[0][0] == -128).all()
    assert (outputs[1][0] == -128).all()
    assert outputs[2][0][0, 7] == 127
    assert (np.delete(outputs[2][0], 7) == -128).all()


def test_a_log_softmax_of_more_exponentials_than_their_sum_holds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="over 4096 int8 values; exponentials of more than 4095 overflow"):
        compile_model(softmax_of("LOG_SOFTMAX", 4096, 1 / 16, 127), "net", Options())
    data, level = softmax_of("LOG_SOFTMAX", 4095, 1 / 16, 127), np.zeros((1, 4095), np.int8)
    (((found,),),) = run_sanitized([compile_model(data, "net", Options())], [[[level]]], tmp_path)
    assert np.array_equal(found, Oracle(data).run([level])[0])
