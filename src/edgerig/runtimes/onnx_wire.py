"""What an ONNX file says of its outputs and operators, read without the onnx package, which engines' environments lack.

A file is a protocol buffer (encoding: https://protobuf.dev/programming-guides/encoding), of which these fields are
read (source: ``onnx/onnx.proto``)::

    ModelProto 7: GraphProto    GraphProto 1: NodeProto  12: outputs, ValueInfoProto    ValueInfoProto 1: name
    NodeProto 4: type of the operator
"""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_GRAPH, _NODE, _OUTPUT, _NAME, _OPERATOR = 7, 1, 12, 1, 4


def output_names(data: bytes) -> tuple[str, ...]:
    """The names of the outputs, in order; empty where ``data`` is no such file."""
    return _texts(data, _OUTPUT, _NAME)


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
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            _, position = _varint(message, position)
        elif kind == _BYTES:
            length, position = _varint(message, position)
            if length > len(message) - position:
                raise IndexError(f"a field at byte {position:,} reaches beyond its message")
            if number == wanted:
                yield message[position : position + length]
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
