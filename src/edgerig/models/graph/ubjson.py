"""Universal Binary JSON (ubjson.org, draft 12), in which XGBoost saves its models; read with bounds."""

from __future__ import annotations

from typing import Any

import numpy as np

#: Marker of a number to its type, big-endian.
_NUMBERS = {"i": ">i1", "U": ">u1", "I": ">i2", "l": ">i4", "L": ">i8", "d": ">f4", "D": ">f8"}
_CONSTANTS = {"Z": None, "T": True, "F": False}
#: Deepest nesting; XGBoost's models have eight levels.
MOST_LEVELS = 64


def read_ubjson(data: bytes) -> Any:
    """The value in ``data``: dicts, lists, texts and numbers; arrays of numbers of one type as numpy arrays.

    Raises:
        ValueError: It is no UBJSON, or ends early.
    """
    return _Reader(data).value(0)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def value(self, level: int, kind: str = "") -> Any:
        kind = kind or self.marker()
        if level > MOST_LEVELS:
            raise ValueError("it is nested too deeply")
        if kind in _CONSTANTS:
            return _CONSTANTS[kind]
        if kind in _NUMBERS:
            return self.numbers(kind, 1)[0].item()
        if kind in "SH":
            return self.text()
        if kind == "C":
            return self.take(1).decode("latin-1")
        if kind == "[":
            return self.array(level)
        if kind == "{":
            return self.mapping(level)
        raise ValueError(f"there is no marker {kind!r}")

    def array(self, level: int) -> Any:
        kind, count = self.head()
        if kind in _CONSTANTS:
            # They take no byte each, so that nothing but memory would bound them.
            raise ValueError("an array is of constants")
        if kind and count is not None and kind in _NUMBERS:
            return self.numbers(kind, count)
        if count is not None:
            return [self.value(level + 1, kind) for _ in range(count)]
        values = []
        while self.peek() != "]":
            values.append(self.value(level + 1))
        self.at += 1
        return values

    def mapping(self, level: int) -> dict[str, Any]:
        kind, count = self.head()
        entries: dict[str, Any] = {}
        while count is None or len(entries) < count:
            if count is None and self.peek() == "}":
                self.at += 1
                break
            key = self.text()
            if key in entries:
                raise ValueError(f"the key {key!r} stands twice")
            entries[key] = self.value(level + 1, kind)
        return entries

    def head(self) -> tuple[str, int | None]:
        """Type and count that an array or object begins with, as far as it does."""
        kind, count = "", None
        if self.peek() == "$":
            self.at += 1
            kind = self.marker()
        if self.peek() == "#":
            self.at += 1
            count = self.count()
        elif kind:
            raise ValueError("a type stands without a count")
        return kind, count

    def count(self) -> int:
        kind = self.marker()
        if kind not in "iUIlL":
            raise ValueError(f"a count is no {kind!r}")
        count = int(self.numbers(kind, 1)[0])
        # Each entry takes a byte.
        if not 0 <= count <= len(self.data) - self.at:
            raise ValueError("it ends early")
        return count

    def text(self) -> str:
        return self.take(self.count()).decode()

    def numbers(self, kind: str, count: int) -> Any:
        dtype = np.dtype(_NUMBERS[kind])
        return np.frombuffer(self.take(count * dtype.itemsize), dtype).astype(dtype.newbyteorder("="))

    def marker(self) -> str:
        return self.take(1).decode("latin-1")

    def peek(self) -> str:
        return self.data[self.at : self.at + 1].decode("latin-1")

    def take(self, size: int) -> bytes:
        if size < 0 or self.at + size > len(self.data):
            raise ValueError("it ends early")
        self.at += size
        return self.data[self.at - size : self.at]
