"""Inferences of LiteRT on its own memory: a sample is copied there and the output from there, and nothing else is done.

The interpreter's calls for that make an array of each output and look whether anybody refers to its memory, which
takes as long as a tenth of a network of 30 us.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.runtimes.inferences import Sample

#: Operators that run other subgraphs, and what those keep.
_CONTROL = frozenset({"IF", "WHILE", "CALL", "CALL_ONCE", "VAR_HANDLE", "STABLEHLO_WHILE", "STABLEHLO_COMPOSITE"})


def planned(interpreter: Any) -> bool:
    """Whether all outputs have memory before the first inference.

    An operator whose output has a size that only an inference tells leaves all that comes behind it without memory
    until then, when other tensors are moved too.
    """
    return all(_memory(interpreter, detail["index"]) is not None for detail in interpreter.get_output_details())


def stays(interpreter: Any) -> bool:
    """Whether the tensors of a network that was `planned` stay where they are: it runs no other subgraph, and what
    comes last in the order of execution has an output of the network."""
    own = interpreter._interpreter
    nodes = range(own.NumNodes())
    read = {detail["index"] for detail in interpreter.get_output_details()}
    for node in nodes:
        read.update(own.NodeInputs(node))
    return all(own.NodeName(node) not in _CONTROL and not read.isdisjoint(own.NodeOutputs(node)) for node in nodes)


def in_place(interpreter: Any, samples: Sequence[Sample], times: NDArray[np.int64]) -> Callable[[int], None] | None:
    """What runs the first n of samples that lie where they lie, of a network that `stays`.

    Args:
        samples: Of each its inputs, and arrays that get the outputs. times: Gets the inference times, in ns.

    Returns:
        None where it has several inputs or outputs, or they are not as the samples have them.
    """
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    if len(inputs) != 1 or len(outputs) != 1:
        return None
    into, out = (_memory(interpreter, details[0]["index"]) for details in (inputs, outputs))
    pairs = [(_bytes_of(sample[0]), _bytes_of(result[0])) for sample, result in samples]
    alike = all(
        (sample[0].dtype, result[0].dtype) == (inputs[0]["dtype"], outputs[0]["dtype"]) for sample, result in samples
    )
    if into is None or out is None or not alike:
        return None
    if any((len(sample), len(result)) != (len(into), len(out)) for sample, result in pairs):
        return None
    clock, spent = time.perf_counter_ns, memoryview(times.data)

    def run(count: int) -> None:
        # The interpreter's own would first look whether anybody refers to its memory, as this does until the end.
        invoke = interpreter._interpreter.Invoke
        for index, (sample, result) in enumerate(pairs[:count]):
            into[:] = sample
            start = clock()
            invoke()
            spent[index] = clock() - start
            result[:] = out

    return run


def _memory(interpreter: Any, index: int) -> memoryview | None:
    """The memory of a tensor, which nothing keeps but the interpreter; None where it has none yet."""
    own = interpreter._interpreter
    try:
        array = own.tensor(own, index)
    except (RuntimeError, ValueError):
        return None
    address, _ = array.__array_interface__["data"]
    if not array.nbytes or not array.flags.c_contiguous:
        return None
    return memoryview((ctypes.c_ubyte * array.nbytes).from_address(address)).cast("B")


def _bytes_of(array: Any) -> memoryview:
    return memoryview(array).cast("B")
