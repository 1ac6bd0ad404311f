"""Inferences one after another, and what they put out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import TensorSpec
from edgerig.errors import InferenceError
from edgerig.runtimes.carried import Calls

Array = NDArray[Any]
#: For each input of an inference an array, and for each output an array that gets it.
Sample = tuple[Sequence[Array], Sequence[Array]]


class RunResult(msgspec.Struct, frozen=True):
    """Outputs, one array (n, ...) for each output tensor, and the n inference times in ns, shape (n,), int64."""

    outputs: tuple[Array, ...]
    times_ns: NDArray[np.int64]


def each(
    calls: Calls, copy: Callable[[Sequence[Array]], bool] | None, samples: Sequence[Sample], times: NDArray[np.int64]
) -> None:
    """Run samples as `edgerig.runtimes.base.Runtime.run_each` does.

    Args:
        calls: Of the hot loop. copy: Copies all outputs, where it can, which it tells.

    Raises:
        InferenceError: An output is of another dtype or size.
    """
    set_inputs, invoke, get_outputs = calls
    if len(samples) == 1:
        # What is usual for a server that little is asked of, in fewer steps.
        ((inputs, into),) = samples
        set_inputs(inputs)
        start = time.perf_counter_ns()
        invoke()
        times[0] = time.perf_counter_ns() - start
        if copy is None or not copy(into):
            _copy_each(get_outputs(), into)
        return
    clock, spent = time.perf_counter_ns, list[int]()
    keep = spent.append
    for inputs, into in samples:
        set_inputs(inputs)
        start = clock()
        invoke()
        keep(clock() - start)
        if copy is not None:
            if copy(into):
                continue
            # What cannot be done with the first cannot be done with the others.
            copy = None
        _copy_each(get_outputs(), into)
    times[: len(spent)] = spent


def _copy_each(arrays: Sequence[Array], into: Sequence[Array]) -> None:
    for array, target in zip(arrays, into, strict=True):
        if array.shape == target.shape and array.dtype is target.dtype:
            target[...] = array
        else:
            copy_output(array, target)


def copy_output(array: Array, target: Array) -> None:
    """Copy what an engine gave to ``target``, which is of the dtype and size that the engine told.

    Raises:
        InferenceError: It gave something else.
    """
    if array.dtype != target.dtype or array.size != target.size:
        raise InferenceError(
            f"The engine gave {array.dtype.name} {list(array.shape)} for an output that it told to be "
            f"{target.dtype.name} {list(target.shape)}."
        )
    np.copyto(target, array.reshape(target.shape))


def joined(results: Sequence[Sequence[Array]], specs: Sequence[TensorSpec]) -> tuple[Array, ...]:
    """One array (n, ...) for each output from n lists of outputs.

    Raises:
        InferenceError: An output changes its shape.
    """
    if len(results) == 1:
        return tuple(array if array.shape[:1] == (1,) else array[None] for array in results[0])
    arrays = []
    for spec, column in zip(specs, zip(*results, strict=True), strict=True):
        shapes = {array.shape for array in column}
        if len(shapes) > 1:
            raise InferenceError(
                f"Output {spec.name!r} changes its shape from sample to sample: {_some(shapes)}.",
                "Networks with outputs of varying shape cannot be judged; cut the network before that operator.",
            )
        # An output without a batch axis of one, such as a scalar, gets an axis of samples.
        arrays.append(np.concatenate(column) if next(iter(shapes))[:1] == (1,) else np.stack(column))
    return tuple(arrays)


def _some(shapes: set[tuple[int, ...]]) -> str:
    return ", ".join(str(list(shape)) for shape in sorted(shapes)[:3])
