"""The signatures of a TensorFlow SavedModel, read without TensorFlow.

``saved_model.pb`` is a protocol buffer (encoding: https://protobuf.dev/programming-guides/encoding). Of its messages
these fields are read; everything else, such as the graph and its functions, is stepped over, whatever it holds::

    SavedModel     2: MetaGraphDef
    MetaGraphDef   1: MetaInfoDef   5: map of string to SignatureDef
    MetaInfoDef    4: tags          5: version of TensorFlow
    SignatureDef   1: map of inputs  2: map of outputs (string to TensorInfo)  3: method
    TensorInfo     1: name  2: type  3: TensorShapeProto
    TensorShapeProto  2: Dim (1: size)  3: whether not even the rank is known

Source: ``tensorflow/core/protobuf/saved_model.proto`` and ``meta_graph.proto``.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

import msgspec

from edgerig.errors import ModelError
from edgerig.models.graph.types import MOST_AXES

FILE = "saved_model.pb"
#: Bytes of the largest protocol buffer, and the most fields, names and letters that are taken for one's.
LARGEST, MOST_FIELDS, MOST_NAMES, LONGEST_NAME = 2**31, 1_000_000, 10_000, 4096
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
#: ``tensorflow/core/framework/types.proto``; a reference to a type has a number higher by 100.
_TYPES = {
    1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 7: "string", 8: "complex64",
    9: "int64", 10: "bool", 11: "qint8", 12: "quint8", 13: "qint32", 14: "bfloat16", 15: "qint16", 16: "quint16",
    17: "uint16", 18: "complex128", 19: "float16", 20: "resource", 21: "variant", 22: "uint32", 23: "uint64",
    24: "float8_e5m2", 25: "float8_e4m3fn", 29: "int4", 30: "uint4",
}  # fmt: skip
_REFERENCE = 100


class SignatureTensor(msgspec.Struct, frozen=True, kw_only=True):
    """A tensor of a signature.

    Attributes:
        key: By which a caller names it. name: That of the tensor in the graph.
        dtype: As numpy has it, else TensorFlow's name without ``DT_``.
        shape: -1 for an open axis; None where not even the rank is known.
    """

    key: str
    name: str
    dtype: str
    shape: tuple[int, ...] | None


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """A function that a SavedModel offers."""

    name: str
    method: str
    inputs: tuple[SignatureTensor, ...]
    outputs: tuple[SignatureTensor, ...]


class MetaGraph(msgspec.Struct, frozen=True, kw_only=True):
    """One graph of a SavedModel, with its tags (``serve``) and the version of TensorFlow that wrote it."""

    tags: tuple[str, ...]
    version: str
    signatures: tuple[Signature, ...]


class _DamageError(Exception):
    """The bytes are no such message."""


def is_saved_model(path: Path) -> bool:
    """Whether ``path`` is a folder with a SavedModel."""
    return (path / FILE).is_file()


def read_saved_model(path: Path) -> tuple[MetaGraph, ...]:
    """The graphs of the SavedModel in the folder ``path``, with their signatures sorted by name.

    Raises:
        ModelError: It cannot be read, or is no such file.
    """
    file = path / FILE
    hint = "Export the model again: model.export(folder), or tf.saved_model.save."
    try:
        size = file.stat().st_size
        if size > LARGEST:
            raise _DamageError(f"it has {size:,} bytes, more than a protocol buffer can")
        if not size:
            raise _DamageError("it is empty")
        with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            graphs = _Reader().graphs(mapped)
    except OSError as error:
        raise ModelError(f"Cannot read {file}: {error.strerror or error}.") from error
    except _DamageError as error:
        raise ModelError(f"{file} is no sound SavedModel: {error}.", hint) from error
    if not graphs:
        raise ModelError(f"{file} is no sound SavedModel: it holds no graph.", hint)
    return graphs


class _Reader:
    """Takes messages apart; counts fields, so that no file keeps it busy for long."""

    def __init__(self) -> None:
        self._count = self._names = 0

    def graphs(self, data: mmap.mmap) -> tuple[MetaGraph, ...]:
        return tuple(self._graph(data, *span) for span in self._messages(data, 0, len(data), 2))

    def _graph(self, data: mmap.mmap, start: int, end: int) -> MetaGraph:
        tags: list[str] = []
        version, signatures = "", []
        for number, kind, value, stop in self._fields(data, start, end):
            if number == 1 and kind == _BYTES:
                for inner, form, first, last in self._fields(data, value, stop):
                    if inner == 4 and form == _BYTES:
                        tags.append(self._text(data, first, last))
                    elif inner == 5 and form == _BYTES:
                        version = self._text(data, first, last)
            elif number == 5 and kind == _BYTES:
                name, first, last = self._entry(data, value, stop)
                signatures.append(self._signature(data, name, first, last))
        signatures.sort(key=lambda signature: signature.name)
        return MetaGraph(tags=tuple(tags), version=version, signatures=tuple(signatures))

    def _signature(self, data: mmap.mmap, name: str, start: int, end: int) -> Signature:
        method = ""
        tensors: dict[int, list[SignatureTensor]] = {1: [], 2: []}
        for number, kind, value, stop in self._fields(data, start, end):
            if number in tensors and kind == _BYTES:
                key, first, last = self._entry(data, value, stop)
                tensors[number].append(self._tensor(data, key, first, last))
            elif number == 3 and kind == _BYTES:
                method = self._text(data, value, stop)
        inputs, outputs = (tuple(sorted(part, key=lambda tensor: tensor.key)) for part in tensors.values())
        return Signature(name=name, method=method, inputs=inputs, outputs=outputs)

    def _tensor(self, data: mmap.mmap, key: str, start: int, end: int) -> SignatureTensor:
        name, dtype = "", 0
        shape: tuple[int, ...] | None = None
        for number, kind, value, stop in self._fields(data, start, end):
            if number == 1 and kind == _BYTES:
                name = self._text(data, value, stop)
            elif number == 2 and kind == _VARINT:
                dtype = value
            elif number == 3 and kind == _BYTES:
                shape = self._shape(data, value, stop)
        return SignatureTensor(key=key, name=name, dtype=_type_name(dtype), shape=shape)

    def _shape(self, data: mmap.mmap, start: int, end: int) -> tuple[int, ...] | None:
        sizes: list[int] = []
        for number, kind, value, stop in self._fields(data, start, end):
            if number == 3 and kind == _VARINT and value:
                return None
            if number == 2 and kind == _BYTES:
                # A size of 0 is the default, which is not written.
                size = 0
                for inner, form, content, _ in self._fields(data, value, stop):
                    if inner == 1 and form == _VARINT:
                        size = content - 2**64 if content >= 2**63 else content
                sizes.append(size)
        if len(sizes) > MOST_AXES or any(size < -1 for size in sizes):
            raise _DamageError(f"a tensor has the shape {sizes[: MOST_AXES + 1]}")
        return tuple(sizes)

    def _entry(self, data: mmap.mmap, start: int, end: int) -> tuple[str, int, int]:
        """An entry of a map of messages: its key, and where its value begins and ends."""
        key, first, last = "", start, start
        for number, kind, value, stop in self._fields(data, start, end):
            if number == 1 and kind == _BYTES:
                key = self._text(data, value, stop)
            elif number == 2 and kind == _BYTES:
                first, last = value, stop
        return key, first, last

    def _messages(self, data: mmap.mmap, start: int, end: int, wanted: int) -> Iterator[tuple[int, int]]:
        for number, kind, value, stop in self._fields(data, start, end):
            if number == wanted and kind == _BYTES:
                yield value, stop

    def _fields(self, data: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
        """Fields of a message: number, kind, and the value, or where its bytes begin; and where it ends."""
        position = start
        while position < end:
            self._count += 1
            if self._count > MOST_FIELDS:
                raise _DamageError(f"more than {MOST_FIELDS:,} fields")
            tag, position = _varint(data, position, end)
            number, kind = tag >> 3, tag & 7
            value = position
            if kind == _VARINT:
                value, position = _varint(data, position, end)
            elif kind == _BYTES:
                length, value = _varint(data, position, end)
                position = value + length
            elif kind in (_FIXED64, _FIXED32):
                position += 8 if kind == _FIXED64 else 4
            else:
                raise _DamageError(f"a field of the kind {kind} at byte {position:,}")
            if position > end or not number:
                raise _DamageError(f"a field at byte {value:,} reaches beyond its message")
            yield number, kind, value, position

    def _text(self, data: mmap.mmap, start: int, end: int) -> str:
        self._names += 1
        if end - start > LONGEST_NAME or self._names > MOST_NAMES:
            raise _DamageError(f"a name of {end - start:,} bytes, the {self._names:,}th")
        try:
            return data[start:end].decode()
        except UnicodeDecodeError as error:
            raise _DamageError(f"a name at byte {start:,} is not UTF-8") from error


def _varint(data: mmap.mmap, position: int, end: int) -> tuple[int, int]:
    """A number in base 128, low digits first, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= end:
            break
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise _DamageError(f"a number at byte {position:,} does not end")


def _type_name(number: int) -> str:
    name = _TYPES.get(number % _REFERENCE, f"type {number}")
    return f"reference to {name}" if number > _REFERENCE else name
