"""What an ONNX file says of its outputs and operators, read without the onnx package, which engines' environments lack.

A file is a protocol buffer (encoding: https://protobuf.dev/programming-guides/encoding), of which these fields are
read (source: ``onnx/onnx.proto``)::

    ModelProto 7: GraphProto    GraphProto 1: NodeProto  12: outputs, ValueInfoProto    ValueInfoProto 1: name
    NodeProto 4: type of the operator
    GraphProto 5: constants, TensorProto  11: inputs, ValueInfoProto    TensorProto 8: name
    ValueInfoProto 2: TypeProto 1: tensor 1: type of its elements  2: shape 1: axes, each 1: its size
"""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_GRAPH, _NODE, _OUTPUT, _NAME, _OPERATOR = 7, 1, 12, 1, 4
_CONSTANT, _INPUT, _CONSTANT_NAME, _TYPE, _TENSOR, _ELEMENTS, _SHAPE, _AXIS, _SIZE = 5, 11, 8, 2, 1, 1, 2, 1, 1
#: Types of tensors (`TensorProto.DataType`), as numpy calls them.
_DTYPES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 9: "bool", 10: "float16",
    11: "float64", 12: "uint32", 13: "uint64",
}  # fmt: skip


def output_names(data: bytes) -> tuple[str, ...]:
    """The names of the outputs, in order; empty where ``data`` is no such file."""
    return _texts(data, _OUTPUT, _NAME)


def input_types(data: bytes) -> dict[str, tuple[tuple[int, ...], str]]:
    """The inputs in order, without constants: name to shape and type; -1 for a free axis, an empty type for one that
    numpy lacks. Empty where ``data`` is no such file."""
    constants = frozenset(_texts(data, _CONSTANT, _CONSTANT_NAME))
    try:
        return {
            name: _tensor_type(info)
            for graph in _fields(memoryview(data), _GRAPH)
            for info in _fields(graph, _INPUT)
            for name in (bytes(next(_fields(info, _NAME), memoryview(b""))).decode(),)
            if name not in constants
        }
    except (IndexError, ValueError):
        return {}


def _tensor_type(info: memoryview) -> tuple[tuple[int, ...], str]:
    for kind in _fields(info, _TYPE):
        for tensor in _fields(kind, _TENSOR):
            elements = next(_numbers(tensor, _ELEMENTS), 0)
            axes = (axis for shape in _fields(tensor, _SHAPE) for axis in _fields(shape, _AXIS))
            sizes = (next(_numbers(axis, _SIZE), 0) for axis in axes)
            # A free axis has no size, or one below 0, which is 64 bits of two's complement.
            return tuple(size if 0 < size < 1 << 63 else -1 for size in sizes), _DTYPES.get(elements, "")
    return (), ""


def operator_types(data: bytes) -> frozenset[str]:
    """The types of the operators, without those of graphs within operators; empty where ``data`` is no such file."""
    return frozenset(_texts(data, _NODE, _OPERATOR))


def _texts(data: bytes, part: int, field: int) -> tuple[str, ...]:
    """The text ``field`` of each ``part`` of the graph, in order."""
    try:
        return tuple(
            bytes(text).decode()
            for graph in _fields(memoryview(data), _GRAPH)
            for message in _fields(graph, part)
            for text in _fields(message, field)
        )
    except (IndexError, ValueError):
        return ()


def _fields(message: memoryview, wanted: int) -> Iterator[memoryview]:
    """The content of each field of bytes with the number ``wanted``; what it holds else is stepped over.

    Raises:
        IndexError: The message ends within a field. ValueError: It is no message.
    """
    return (content for number, content in _all_fields(message) if number == wanted and not isinstance(content, int))


def _numbers(message: memoryview, wanted: int) -> Iterator[int]:
    """The value of each field of a whole number with the number ``wanted``; raises as `_fields`."""
    return (content for number, content in _all_fields(message) if number == wanted and isinstance(content, int))


def _all_fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Number and content of each field of bytes or of a whole number."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, position = _varint(message, position)
            yield number, value
        elif kind == _BYTES:
            length, position = _varint(message, position)
            if length > len(message) - position:
                raise IndexError(f"a field at byte {position:,} reaches beyond its message")
            yield number, message[position : position + length]
            position += length
        elif kind in (_FIXED64, _FIXED32):
            position += 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"a field of the kind {kind} at byte {position:,}")


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """A number in base 128, low digits first, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError(f"a number at byte {position:,} does not end")
