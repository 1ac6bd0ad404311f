"""Tables of FlatBuffers, read without a schema's generated code (encoding: https://flatbuffers.dev/internals).

Whatever a damaged file says, what is read lies within it: else `struct.error`, `IndexError` or `ValueError` is raised,
which the readers of formats turn into a `ModelError`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

#: Errors of a file that is damaged.
DAMAGED = (struct.error, IndexError, ValueError)


class FlatTable:
    """A table at ``begin`` of ``data``; fields are named by their number, and those that it lacks are empty."""

    def __init__(self, data: bytes, begin: int) -> None:
        self.data, self.begin = data, begin

    @classmethod
    def root(cls, data: bytes) -> FlatTable:
        """The table that a file begins with."""
        return cls(data, _word(data, 0))

    def number(self, field: int, format: str, default: int = 0) -> int:
        """An integer of the type that `struct` calls ``format``, such as ``<I``."""
        position = self._position(field)
        return default if position is None else int(struct.unpack_from(format, self.data, position)[0])

    def numbers(self, field: int, format: str) -> tuple[int, ...]:
        """A vector of integers."""
        size = struct.calcsize(format)
        return tuple(struct.unpack_from(format, self.data, at)[0] for at in self._elements(field, size))

    def table(self, field: int) -> FlatTable | None:
        """The table that a field refers to; None without the field."""
        position = self._position(field)
        return None if position is None else FlatTable(self.data, position + _word(self.data, position))

    def tables(self, field: int) -> Iterator[FlatTable]:
        """A vector of tables."""
        for position in self._elements(field, 4):
            yield FlatTable(self.data, position + _word(self.data, position))

    def text(self, field: int) -> str:
        """A text; empty without the field."""
        position = self._position(field)
        if position is None:
            return ""
        begin, length = _text(self.data, position)
        return self.data[begin : begin + length].decode()

    def texts(self, field: int) -> Iterator[str]:
        """A vector of texts."""
        for position in self._elements(field, 4):
            begin, length = _text(self.data, position)
            yield self.data[begin : begin + length].decode()

    def text_position(self, field: int) -> tuple[int, int]:
        """Where a text, or a vector of bytes, begins, and its length.

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
        if layout < 0:
            raise IndexError(f"a table at byte {self.begin:,} has no layout")
        (size,) = struct.unpack_from("<H", self.data, layout)
        slot = 4 + 2 * field
        if slot >= size:
            return None
        (offset,) = struct.unpack_from("<H", self.data, layout + slot)
        return self.begin + int(offset) if offset else None

    def _elements(self, field: int, size: int) -> Iterator[int]:
        """The places of a vector's elements, ``size`` bytes each."""
        position = self._position(field)
        if position is None:
            return
        begin = position + _word(self.data, position)
        count = _word(self.data, begin)
        if begin + 4 + count * size > len(self.data):
            raise IndexError(f"a list at byte {begin:,} is longer than the file")
        yield from range(begin + 4, begin + 4 + size * count, size)


def _text(data: bytes, position: int) -> tuple[int, int]:
    begin = position + _word(data, position)
    length = _word(data, begin)
    if begin + 4 + length > len(data):
        raise IndexError(f"a text at byte {begin:,} reaches beyond the file")
    return begin + 4, length


def _word(data: bytes, position: int) -> int:
    (value,) = struct.unpack_from("<I", data, position)
    return int(value)
