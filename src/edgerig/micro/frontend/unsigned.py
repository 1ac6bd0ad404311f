"""Networks of uint8, as converters made them before there was int8, become networks of int8.

Every integer is 128 less, and so is every zero point; what the integers mean stays, and so do the kernels' sums.
Inputs and outputs stay uint8, behind a QUANTIZE each that takes 128 off or adds it. Weights of uint8 have a zero point
of their own, which is taken off: where they are then still within int8 they are int8, elsewhere they take 16 bits.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Quantization
from edgerig.errors import CompileError
from edgerig.micro.ir import AveragePool2D, Node, Program, Quantize, Value
from edgerig.micro.ir.operators.reader import OperatorReader
from edgerig.models.graph.types import Graph, Operator

_SHIFT = 128
#: Operators with weights at input 1.
_WEIGHTED = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})
#: Those that LiteRT computes in uint8 as in int8; of the means of pooling, see `AveragePool2D.unsigned`.
ALIKE = _WEIGHTED | {
    "ADD", "ARG_MAX", "ARG_MIN", "AVERAGE_POOL_2D", "GELU", "HARD_SWISH", "LEAKY_RELU", "LOGISTIC", "LOG_SOFTMAX",
    "MAX_POOL_2D", "MAXIMUM", "MEAN", "MINIMUM", "MUL", "PRELU", "REDUCE_MAX", "REDUCE_MIN", "RELU", "RELU6",
    "RESIZE_NEAREST_NEIGHBOR", "SOFTMAX", "SUB", "TANH", "TRANSPOSE_CONV",
}  # fmt: skip
#: Those that only move integers, or change their scale: they take uint8 as it is, where nothing else computes in it.
_ANY_TYPE = frozenset({
    "BATCH_TO_SPACE_ND", "BROADCAST_TO", "CONCATENATION", "DEPTH_TO_SPACE", "DEQUANTIZE", "EXPAND_DIMS",
    "GATHER", "PACK", "PAD", "PADV2", "QUANTIZE", "RESHAPE", "SHAPE", "SLICE", "SPACE_TO_BATCH_ND",
    "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "SQUEEZE", "STRIDED_SLICE", "TILE", "TRANSPOSE", "UNPACK",
})  # fmt: skip


def is_unsigned(graph: Graph, name: str) -> bool:
    """Whether the network computes with quantized uint8, and not only takes or gives it.

    Raises:
        CompileError: It does, with an operator that is not known to compute in uint8 as in int8.
    """
    readers = [operator for operator in graph.operators if _reads_unsigned(graph, operator)]
    if all(operator.op in _ANY_TYPE | {"CAST"} for operator in readers):
        return False
    for operator in readers:
        if operator.op not in ALIKE | _ANY_TYPE:
            raise CompileError(
                f"Operator {operator.index} ({operator.op}, {operator.name}) of {name} computes in uint8.",
                f"Supported in uint8: {', '.join(sorted(ALIKE | _ANY_TYPE))}. Quantize the network again, to int8.",
            )
    return True


def _reads_unsigned(graph: Graph, operator: Operator) -> bool:
    tensors = [graph.tensors[index] for index in operator.inputs if index >= 0]
    return any(tensor.dtype == "uint8" and tensor.quantization is not None for tensor in tensors)


def as_signed(value: Value) -> Value:
    """A quantized value of uint8 as the same numbers in int8; any other as it is."""
    if value.dtype != "uint8" or value.quantization is None:
        return value
    data = None if value.data is None else (value.data.astype(np.int16) - _SHIFT).astype(np.int8)
    return dataclasses.replace(value, dtype="int8", quantization=_moved(value.quantization, -_SHIFT), data=data)


def _moved(quantization: Quantization, by: int) -> Quantization:
    return Quantization(quantization.scales, tuple(zero + by for zero in quantization.zero_points), quantization.axis)


def take_off_zero_points(reader: OperatorReader) -> None:
    """Give the weights of an operator the zero point 0, in int16 where int8 does not hold them."""
    value = reader.optional(1)
    if reader.op not in _WEIGHTED or value is None or not value.constant or value.dtype != "int8":
        return
    if value.quantization is None or value.per_channel:
        return
    numbers: NDArray[Any] = value.array.astype(np.int16) - value.zero_point
    small = numbers.min() >= -_SHIFT and numbers.max() < _SHIFT
    reader.widened = not small
    reader.inputs[1] = dataclasses.replace(
        value,
        dtype="int8" if small else "int16",
        data=numbers.astype(np.int8) if small else numbers,
        quantization=_moved(value.quantization, -value.zero_point),
    )


def mark(node: Node) -> None:
    """Have a mean round as that of uint8 does."""
    if isinstance(node, AveragePool2D):
        node.unsigned = node.input.dtype == "int8"


def doors(program: Program, unsigned: list[Value]) -> None:
    """Put a QUANTIZE behind each input and in front of each output whose tensor is among ``unsigned`` of the file."""
    for index, value in enumerate(program.inputs):
        if value in unsigned:
            program.inputs[index] = outside = _outside(value)
            program.nodes.insert(0, Quantize(value.name, 0, [outside], [value]))
    for index, value in enumerate(program.outputs):
        if value in unsigned:
            program.outputs[index] = outside = _outside(value)
            program.nodes.append(Quantize(value.name, len(program.nodes), [value], [outside]))


def _outside(value: Value) -> Value:
    assert value.quantization is not None
    return Value(value.name, value.shape, "uint8", _moved(value.quantization, _SHIFT))
