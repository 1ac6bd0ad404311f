"""Intervals of changes against the margins that they are judged by, a row for each."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
from markupsafe import Markup

from edgerig.report.charts.svg import Drawing, element, text

#: Margins on either side of no change; what lies farther out ends at the edge with an arrow head.
REACH = 5.0
WIDTH = 720.0
_ROW, _TOP, _LEFT, _RIGHT = 26.0, 22.0, 130.0, 500.0


class Interval(msgspec.Struct, frozen=True):
    """A change in margins, with its interval; positive is worse.

    Attributes:
        name: Of the metric. value, low, high: in margins, ``low <= value <= high``.
        shown: The change and its interval as text, beside the row.
        series: Number of its colour.
    """

    name: str
    value: float
    low: float
    high: float
    shown: str
    series: int


def intervals(rows: Sequence[Interval], label: str) -> Markup | None:
    """A line from the low to the high bound of each row, a dot at its value, and the margin as a band.

    Whoever looks sees the verdict: a line inside the band is the same, one beside it is not, one across its edge tells
    neither. None without rows.
    """
    if not rows:
        return None
    bottom = _TOP + _ROW * len(rows)
    drawing = Drawing(WIDTH, bottom + 40, label)
    drawing.add(
        "rect", x=_at(-1), y=_TOP, width=_at(1) - _at(-1), height=bottom - _TOP, class_="band", data_tip="the margin"
    )
    ticks = range(-int(REACH), int(REACH) + 1)
    drawing.add("g", *(element("line", x1=_at(t), x2=_at(t), y1=_TOP, y2=bottom) for t in ticks), class_="grid")
    drawing.add("line", x1=_at(0), x2=_at(0), y1=_TOP, y2=bottom, class_="axis")
    labels = [text(f"{tick:+d}" if tick else "0", _at(tick), bottom + 16, text_anchor="middle") for tick in ticks]
    drawing.add("g", *labels, class_="ticks")
    drawing.text("change in margins", (_LEFT + _RIGHT) / 2, bottom + 34, text_anchor="middle", class_="title")
    drawing.text("better", _at(-REACH), _TOP - 8, class_="title")
    drawing.text("worse", _at(REACH), _TOP - 8, text_anchor="end", class_="title")
    for index, row in enumerate(rows):
        _draw(drawing, row, _TOP + _ROW * (index + 0.5))
    return drawing.render()


def _draw(drawing: Drawing, row: Interval, y: float) -> None:
    parts = [element("line", x1=_at(row.low), x2=_at(row.high), y1=y, y2=y)]
    parts += [_arrow(bound, y) for bound in (row.low, row.high) if abs(bound) > REACH]
    if abs(row.value) <= REACH:
        parts.append(element("circle", cx=_at(row.value), cy=y, r=4.5))
    drawing.add("g", *parts, class_=f"interval s{row.series}", data_tip=f"{row.name}\n{row.shown}")
    drawing.add("g", text(row.name, _LEFT - 12, y + 4, text_anchor="end"), class_="names")
    drawing.add("g", text(row.shown, _RIGHT + 12, y + 4), class_="ticks")


def _arrow(bound: float, y: float) -> str:
    """The head of an arrow at the edge that ``bound`` lies beyond."""
    edge, back = (_at(REACH), -7.0) if bound > 0 else (_at(-REACH), 7.0)
    return element("path", d=f"M{edge:.1f} {y:.1f}l{back:g} -4v8z")


def _at(value: float) -> float:
    share = (min(max(value, -REACH), REACH) + REACH) / (2 * REACH) if math.isfinite(value) else 0.5
    return _LEFT + share * (_RIGHT - _LEFT)
