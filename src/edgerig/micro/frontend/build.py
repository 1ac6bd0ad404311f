"""From operators of a TFLite file to nodes: options and shapes checked, sizes and borders worked out."""

from __future__ import annotations

from edgerig.micro import ir
from edgerig.micro.arithmetic.overflow import check_overflow
from edgerig.micro.ir import Node
from edgerig.micro.ir.operators import data_movement as moving
from edgerig.micro.ir.operators import elementwise as arithmetic
from edgerig.micro.ir.operators import weighted
from edgerig.micro.ir.operators.reader import Builder, OperatorReader
from edgerig.models.graph.types import Operator

__all__ = ["FREE", "SUPPORTED", "OperatorReader", "build", "unsupported"]


def build(reader: OperatorReader) -> Node:
    """The node of an operator.

    Raises:
        ModelError: Its shapes or options contradict each other.
        CompileError: It uses an option that is not supported.
    """
    _check_channels(reader)
    node = _BUILDERS[reader.op](reader)
    check_overflow(node)
    return node


#: Inputs that may have a scale for each channel: weights and biases, and constants that are made real numbers.
_PER_CHANNEL = {
    "CONV_2D": (1, 2), "DEPTHWISE_CONV_2D": (1, 2), "FULLY_CONNECTED": (1, 2), "TRANSPOSE_CONV": (1, 3),
    "DEQUANTIZE": (0,),
}  # fmt: skip


def _check_channels(reader: OperatorReader) -> None:
    """Refuse scales of channels wherever an operator knows one scale of the whole tensor."""
    allowed = _PER_CHANNEL.get(reader.op, ())
    for position, value in enumerate((*reader.inputs, *reader.outputs)):
        if value is not None and value.per_channel and not (position in allowed and value.constant):
            reader.refuse(f"{value.name} has a scale for each of its channels, and one of all is needed here")


def unsupported(operator: Operator) -> str | None:
    """What is missing for an operator, with its position, or None."""
    if operator.op in _BUILDERS or operator.op in FREE:
        return None
    name = operator.options.get("custom_code") or operator.op
    return f"operator {operator.index} ({name}, {operator.name}) is not supported"


_BUILDERS: dict[str, Builder] = {
    "CONV_2D": weighted.conv,
    "DEPTHWISE_CONV_2D": weighted.depthwise,
    "TRANSPOSE_CONV": weighted.transpose_conv,
    "FULLY_CONNECTED": weighted.dense,
    "BATCH_MATMUL": arithmetic.batch_matmul,
    "MAX_POOL_2D": arithmetic.pool(ir.MaxPool2D),
    "AVERAGE_POOL_2D": arithmetic.pool(ir.AveragePool2D),
    "MEAN": arithmetic.mean,
    "ADD": arithmetic.binary(ir.Add),
    "SUB": arithmetic.binary(ir.Sub),
    "MUL": arithmetic.binary(ir.Mul),
    "RELU": arithmetic.unary(ir.Relu, activation="RELU"),
    "RELU6": arithmetic.unary(ir.Relu, activation="RELU6"),
    "RELU_N1_TO_1": arithmetic.unary(ir.Relu, activation="RELU_N1_TO_1"),
    "LOGISTIC": arithmetic.unary(ir.Logistic),
    "TANH": arithmetic.unary(ir.Tanh),
    "HARD_SWISH": arithmetic.unary(ir.HardSwish),
    "SOFTMAX": arithmetic.softmax,
    "RESHAPE": moving.reshape,
    "SQUEEZE": moving.reshape,
    "EXPAND_DIMS": moving.reshape,
    "PAD": moving.pad,
    "PADV2": moving.pad,
    "CONCATENATION": moving.concatenation,
    "SPLIT": moving.split,
    "SPLIT_V": moving.split,
    "SLICE": moving.slice_,
    "STRIDED_SLICE": moving.strided_slice,
    "TRANSPOSE": moving.transpose,
    "BROADCAST_TO": moving.broadcast_to,
    "RESIZE_NEAREST_NEIGHBOR": moving.resize(ir.ResizeNearest),
    "RESIZE_BILINEAR": moving.resize(ir.ResizeBilinear),
    "QUANTIZE": arithmetic.unary(ir.Quantize),
    "DEQUANTIZE": arithmetic.unary(ir.Dequantize),
    "READ_VARIABLE": moving.read_variable,
    "ASSIGN_VARIABLE": moving.assign_variable,
    "SHAPE": moving.shape,
    "PACK": moving.pack,
}

#: Operators that leave no node.
FREE = frozenset({"VAR_HANDLE", "CALL_ONCE"})

SUPPORTED = tuple(sorted({*_BUILDERS, *FREE}))
