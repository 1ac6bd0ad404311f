"""Pieces of C: numbers, arrays, comments, names."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.errors import CompileError

WIDTH = 116

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


def c_array(data: NDArray[Any]) -> str:
    """The elements of an array between braces, in rows."""
    flat = data.reshape(-1)
    if flat.dtype == np.float32:
        if not np.isfinite(flat).all():
            raise CompileError("A weight of the network is not a finite number.", "Train or convert it again.")
        words = [c_float(value) for value in flat.tolist()]
    else:
        words = [str(value) for value in flat.tolist()]
        least = _LEAST.get(flat.dtype.name)
        if least is not None:
            lowest = str(np.iinfo(flat.dtype).min)
            words = [least if word == lowest else word for word in words]
    return "\n".join(_rows(words))


def _rows(words: list[str]) -> list[str]:
    rows: list[str] = []
    row: list[str] = []
    used = 0
    for word in words:
        if used + len(word) + 2 > WIDTH and row:
            rows.append("    " + ", ".join(row) + ",")
            row, used = [], 0
        row.append(word)
        used += len(word) + 2
    rows.append("    " + ", ".join(row))
    return rows


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
