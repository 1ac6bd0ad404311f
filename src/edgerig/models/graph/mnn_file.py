"""What an MNN file says of its ends: their names, in the order of the network that it was made of.

MNN's own interface tells them in alphabetical order. A file is a FlatBuffer (encoding:
https://flatbuffers.dev/internals), of which these fields are read (source: ``schema/default/MNN.fbs`` and ``MNN.fbs``'s
``Op``)::

    Net 0: a mark of who made it  3: operators  4: names of outputs  7: names of tensors  11: an identity that is drawn
    Op 4: indices of its tensors  5: its type, 34 for an input
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterator, Sequence

from edgerig.errors import ModelError
from edgerig.files import sha256

_MARK, _OPERATORS, _OUTPUTS, _TENSORS, _IDENTITY = 0, 3, 4, 7, 11
_OP_TENSORS, _OP_TYPE, _INPUT = 4, 5, 34
_NAMESPACE = uuid.UUID(int=0)
#: The mark of files that edgerig has made.
_EDGERIG = "edgerig"


def ends_of(data: bytes, file: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the inputs and of the outputs, in order.

    Raises:
        ModelError: ``data`` is no such file.
    """
    try:
        net = _Table(data, _word(data, 0))
        tensors = [text.decode() for text in net.texts(_TENSORS)]
        inputs = [tensors[index] for op in net.tables(_OPERATORS) if op.is_input for index in op.words(_OP_TENSORS)]
        outputs = [text.decode() for text in net.texts(_OUTPUTS)]
    except (struct.error, IndexError, ValueError) as error:
        raise ModelError(f"{file} is no network of MNN: {error}.", "Is it complete?") from error
    if not inputs or not outputs:
        raise ModelError(f"{file} is no network of MNN: it names no {'output' if inputs else 'input'}.")
    return tuple(inputs), tuple(outputs)


def mark_for(inputs: Sequence[str], outputs: Sequence[str]) -> str:
    """The mark of a network with ends of these types: MNN makes int32 of int64, and a file does not tell which were.

    >>> mark_for(["float32", "int64"], ["int64"])
    'edgerig-in1-out0'
    """
    wide = [f"-in{index}" for index, dtype in enumerate(inputs) if dtype == "int64"]
    wide += [f"-out{index}" for index, dtype in enumerate(outputs) if dtype == "int64"]
    return _EDGERIG + "".join(wide)


def wide_ends(data: bytes) -> tuple[frozenset[int], frozenset[int]]:
    """Positions of the inputs and of the outputs that were int64, as `mark_for` has noted them."""
    try:
        begin, length = _Table(data, _word(data, 0)).text_position(_MARK)
        mark, *words = data[begin : begin + length].decode().split("-")
    except (struct.error, IndexError, ValueError):
        return frozenset(), frozenset()
    if mark != _EDGERIG:
        return frozenset(), frozenset()
    inputs, outputs = (
        frozenset(int(word[len(kind) :]) for word in words if word.startswith(kind) and word[len(kind) :].isdecimal())
        for kind in ("in", "out")
    )
    return inputs, outputs


def with_identity_of_content(data: bytes) -> bytes:
    """The file with an identity that follows from its content, where MNN's converter draws one: equal networks are
    equal files. A file of another layout stays as it is."""
    try:
        begin, length = _Table(data, _word(data, 0)).text_position(_IDENTITY)
        former = data[begin : begin + length].decode()
        uuid.UUID(former)
    except (struct.error, IndexError, ValueError):
        return data
    blank = data[:begin] + bytes(length) + data[begin + length :]
    return data[:begin] + str(uuid.uuid5(_NAMESPACE, sha256(blank))).encode() + data[begin + length :]


class _Table:
    """A table of a FlatBuffer, at ``begin``; fields that it lacks are empty."""

    def __init__(self, data: bytes, begin: int) -> None:
        self.data, self.begin = data, begin

    @property
    def is_input(self) -> bool:
        position = self._position(_OP_TYPE)
        return position is not None and _word(self.data, position) == _INPUT

    def words(self, field: int) -> list[int]:
        return [_word(self.data, position) for position in self._elements(field)]

    def tables(self, field: int) -> Iterator[_Table]:
        for position in self._elements(field):
            yield _Table(self.data, position + _word(self.data, position))

    def texts(self, field: int) -> Iterator[bytes]:
        for position in self._elements(field):
            begin, length = _text(self.data, position)
            yield self.data[begin : begin + length]

    def text_position(self, field: int) -> tuple[int, int]:
        """Where a text begins, and its length.

        Raises:
            ValueError: There is none.
        """
        position = self._position(field)
        if position is None:
            raise ValueError(f"it has no field {field}")
        return _text(self.data, position)

    def _position(self, field: int) -> int | None:
        (back,) = struct.unpack_from("<i", self.data, self.begin)
        layout = self.begin - back
        (size,) = struct.unpack_from("<H", self.data, layout)
        slot = 4 + 2 * field
        if slot >= size:
            return None
        (offset,) = struct.unpack_from("<H", self.data, layout + slot)
        return self.begin + int(offset) if offset else None

    def _elements(self, field: int) -> Iterator[int]:
        """The places of a vector's elements, four bytes each."""
        position = self._position(field)
        if position is None:
            return
        begin = position + _word(self.data, position)
        count = _word(self.data, begin)
        if count * 4 > len(self.data):
            raise IndexError(f"a list at byte {begin:,} is longer than the file")
        yield from range(begin + 4, begin + 4 + 4 * count, 4)


def _text(data: bytes, position: int) -> tuple[int, int]:
    begin = position + _word(data, position)
    length = _word(data, begin)
    if begin + 4 + length > len(data):
        raise IndexError(f"a text at byte {begin:,} reaches beyond the file")
    return begin + 4, length


def _word(data: bytes, position: int) -> int:
    (value,) = struct.unpack_from("<I", data, position)
    return int(value)
