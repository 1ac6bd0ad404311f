"""Pieces of C: numbers, arrays, comments, names."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.errors import CompileError

WIDTH = 116
#: Elements of an array that are made text at a time.
CHUNK = 1 << 16
_COMMA = ", "

#: Smallest values that C has no literal for, as an expression.
_LEAST = {"int32": "(-2147483647 - 1)", "int64": "(-9223372036854775807LL - 1)"}


def c_float(value: float) -> str:
    """A float literal that reads back as the same single-precision number.

    Raises:
        CompileError: It is not a finite number.
    """
    if not np.isfinite(value):
        raise CompileError("A constant of the network is not a finite number.", "Train or convert the network again.")
    text = f"{np.float32(value):.9g}"
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"


def initializer(fields: Iterable[object]) -> str:
    """The initializer of a struct whose fields are given in order."""
    return "{ " + ", ".join(map(str, fields)) + " }"


def c_array(data: NDArray[Any]) -> Iterator[str]:
    """The elements of an array between braces, in rows with their line ends, some thousands of elements at a time."""
    flat = data.reshape(-1)
    if flat.dtype == np.float32 and not np.isfinite(flat).all():
        raise CompileError("A weight of the network is not a finite number.", "Train or convert it again.")
    rest = ""
    for start in range(0, max(flat.size, 1), CHUNK):
        text = rest + _joined(flat[start : start + CHUNK])
        last = start + CHUNK >= flat.size
        begins = _row_begins(text)
        # The last row may go on in the next chunk.
        begins = [*begins, len(text)] if last else begins
        rows = ["    " + text[begin : end - len(_COMMA)] for begin, end in itertools.pairwise(begins)]
        rest = text[begins[-1] :]
        if rows:
            yield ",\n".join(rows) + ("\n" if last else ",\n")


def _joined(flat: NDArray[Any]) -> str:
    """The elements, a comma and a space behind each."""
    if flat.dtype == np.float32:
        texts = [f"{value:.9g}" for value in flat.tolist()]
        return _COMMA.join([f"{text}f" if "." in text or "e" in text else f"{text}.0f" for text in texts]) + _COMMA
    # A list of numbers reads in Python as in C, and all of it is made at once.
    text = str(flat.tolist())[1:-1] + _COMMA
    least = _LEAST.get(flat.dtype.name)
    return text if least is None else text.replace(str(np.iinfo(flat.dtype).min), least)


def _row_begins(text: str) -> list[int]:
    """Where each row begins that takes as many elements as it has room for, and one at least."""
    begins = [0]
    while True:
        comma = text.rfind(_COMMA, begins[-1], begins[-1] + WIDTH)
        if comma < 0:
            comma = text.index(_COMMA, begins[-1])
        if comma + len(_COMMA) == len(text):
            return begins
        begins.append(comma + len(_COMMA))


def wrapped(line: str) -> list[str]:
    """A long line of C in several, broken behind commas outside of strings."""
    lines = []
    while len(line) > WIDTH and '"' not in line:
        end = line.rfind(", ", 0, WIDTH)
        if end < 0:
            break
        lines.append(line[: end + 1])
        line = "    " + line[end + 2 :]
    return [*lines, line]


def c_string(text: str) -> str:
    """A string literal; what is not printable ASCII becomes a question mark."""
    plain = "".join(char if " " <= char <= "~" else "?" for char in text)
    return '"' + _no_trigraphs(plain).replace("\\", "\\\\").replace('"', '\\"') + '"'


def comment(text: str) -> str:
    """``text`` with nothing in it that could end a comment or a line."""
    plain = "".join(char if " " <= char <= "~" and char != "\\" else "?" for char in text)
    return _no_trigraphs(plain.replace("*/", "*?").replace("/*", "?*"))


def _no_trigraphs(text: str) -> str:
    return re.sub(r"\?+", "?", text)


def shape_text(shape: tuple[int, ...]) -> str:
    """``1x28x28x1``."""
    return "x".join(map(str, shape)) or "scalar"


def prefixed(text: str, name: str) -> str:
    """``text`` with the network's prefix where it is asked for."""
    return text.replace("@P@", name).replace("@PU@", name.upper())


def includes(text: str) -> list[str]:
    """The files that a C or assembly file includes by quotes."""
    return re.findall(r'^\s*#\s*include\s+"([^"]+)"', text, re.MULTILINE)
