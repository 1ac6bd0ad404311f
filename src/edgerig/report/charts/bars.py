"""Horizontal bars with their names and numbers."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from markupsafe import Markup

from edgerig.report.charts.svg import Drawing, element, text

_ROW, _CHARACTER, _MOST_CHARACTERS = 24.0, 6.7, 34
#: Operator names are upper case, which is wider.
_CAPITAL = 8.3


class Bar(msgspec.Struct, frozen=True):
    """One bar: ``value`` is its length, ``shown`` the text at its end, ``series`` the number of its colour."""

    name: str
    value: float
    shown: str
    tip: str
    series: int = 0


def bars(rows: Sequence[Bar], label: str, width: float = 420.0) -> Markup:
    """The bars from top to bottom; a long name is shortened, with the full name in the tooltip."""
    names = [row.name if len(row.name) <= _MOST_CHARACTERS else row.name[: _MOST_CHARACTERS - 1] + "…" for row in rows]
    left = min(0.45 * width, 16 + max(map(_width, names)))
    right = 14 + _CHARACTER * max(len(row.shown) for row in rows)
    names = [_shortened(name, left - 16) for name in names]
    largest = max(row.value for row in rows) or 1.0
    drawing = Drawing(width, _ROW * len(rows) + 8, label)
    drawn, titles, numbers = [], [], []
    for index, (row, name) in enumerate(zip(rows, names, strict=True)):
        top = 4 + index * _ROW
        length = max(1.5, (width - left - right) * row.value / largest)
        drawn.append(
            element(
                "rect",
                x=left,
                y=top + 3,
                width=length,
                height=_ROW - 6,
                rx=2,
                class_=f"s{row.series}",
                data_tip=row.tip,
            )
        )
        titles.append(text(name, left - 8, top + 16, text_anchor="end"))
        numbers.append(text(row.shown, left + length + 8, top + 16))
    drawing.add("g", *drawn, class_="bars")
    drawing.add("g", *titles, class_="names")
    drawing.add("g", *numbers, class_="ticks")
    return drawing.render()


def _width(name: str) -> float:
    return sum(_CAPITAL if character.isupper() else _CHARACTER for character in name)


def _shortened(name: str, room: float) -> str:
    """``name`` shortened to ``room`` pixels, at least one character of it."""
    if _width(name) <= room + _CHARACTER / 2:
        return name
    while len(name) > 1 and _width(name) + _CHARACTER > room:
        name = name[:-1]
    return name + "…"
