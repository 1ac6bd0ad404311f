"""What ExecuTorch has handed to XNNPACK: the operators of a delegate's data, with the type that they compute in.

A FlatBuffer, behind a header or alone (source: ExecuTorch's ``backends/xnnpack/serialization/runtime_schema.fbs``), of
which these fields are read::

    XNNGraph 1: operators  2: values
    XNode    0: which operator it is  1: the operator itself, whose fields differ
    XValue   0: whether it is quantized  1: the value, or of a quantized one a table with it as field 0
    XNNTensorValue 0: its type
"""

from __future__ import annotations

import struct

from edgerig.models.graph.flat_table import FlatTable

_HEADER, _PLACE = b"XH00", struct.Struct("<II")
_NODES, _VALUES = 1, 2
#: Operators in the order of the schema's union, which counts from 1; behind a colon the field with the first input,
#: where it is not the first one.
_OPERATORS = (
    "Add", "FullyConnected", "Softmax", "Sigmoid", "StaticTranspose:2", "Clamp", "Conv2d:15", "Div",
    "StaticResizeBilinear2D:2", "StaticConstantPad:3", "AvgPooling2d:10", "Minimum", "DepthwiseConv2d:15",
    "MaxPooling2d:10", "Multiply", "Subtract", "Floor", "Convert", "GlobalAvgPooling2d", "StaticReshape:2",
    "ArgMaxPooling2d:6", "SquareRoot", "Ceiling", "Hardswish", "LeakyReLU:1", "Maximum", "Negate", "Square", "ELU:1",
    "Abs", "PReLU", "Concatenate:1", "Concatenate:1", "Concatenate:1", "StaticSlice:3", "ScaledDotProductAttention",
    "BatchMatMul", "Concatenate:1", "ConvTranspose2d:15", "ReciprocalSquareRoot", "Log", "Gelu", "Tanh", "Exp", "Sin",
    "Copy", "Cos",
)  # fmt: skip
#: Types of values; of those that are quantized while the network runs, the type that they are quantized to.
_TYPES = {
    1: "float32", 2: "float16", 3: "int8", 4: "uint8", 5: "int32", 9: "int8", 11: "int8", 12: "int32", 14: "bfloat16",
}  # fmt: skip


def operators_of(data: bytes) -> list[tuple[str, str]]:
    """Each operator as XNNPACK calls it, and the type of its first input; "" where it turns one type into another, or
    the type is none that is known.

    Raises:
        struct.error, IndexError, ValueError: The data are damaged.
    """
    if data[4:8] == _HEADER:
        begin, size = _PLACE.unpack_from(data, 10)
        data = data[begin : begin + size]
    graph = FlatTable.root(data)
    types = [_type(value) for value in graph.tables(_VALUES)]
    return [_operator(node, types) for node in graph.tables(_NODES)]


def _type(value: FlatTable) -> str:
    content = value.table(1)
    if content is not None and value.number(0, "<B") == 2:
        content = content.table(0)
    return "" if content is None else _TYPES.get(content.number(0, "<h"), "")


def _operator(node: FlatTable, types: list[str]) -> tuple[str, str]:
    kind, operator = node.number(0, "<B"), node.table(1)
    if not 1 <= kind <= len(_OPERATORS) or operator is None:
        return f"XNNPACK's operator {kind}", ""
    name, _, field = _OPERATORS[kind - 1].partition(":")
    if name == "Convert":
        return name, ""
    return name, types[operator.number(int(field or 0), "<I")]
