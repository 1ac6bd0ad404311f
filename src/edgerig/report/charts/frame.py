"""The frame of a chart: grid, ticks, axis titles."""

from __future__ import annotations

import msgspec

from edgerig.report.charts.scales import Linear, Log, tick_text
from edgerig.report.charts.svg import Drawing, element, text


class Box(msgspec.Struct, frozen=True):
    """The area that data is drawn in."""

    left: float
    top: float
    right: float
    bottom: float


def axes(
    drawing: Drawing,
    box: Box,
    x: Linear | Log,
    y: Linear | Log,
    *,
    x_unit: str,
    y_unit: str,
    x_title: str = "",
    y_title: str = "",
) -> None:
    """Draw the grid, the ticks' labels and the titles."""
    grid, labels = [], []
    for tick in y.ticks():
        at = y(tick)
        grid.append(element("line", x1=box.left, x2=box.right, y1=at, y2=at))
        labels.append(text(tick_text(tick, y, y_unit), box.left - 6, at + 4, text_anchor="end"))
    taken = -1e9
    for tick in x.ticks():
        at, label = x(tick), tick_text(tick, x, x_unit)
        half = 3.4 * len(label)
        grid.append(element("line", x1=at, x2=at, y1=box.top, y2=box.bottom))
        if at - half > taken + 4:
            labels.append(text(label, at, box.bottom + 17, text_anchor="middle"))
            taken = at + half
    drawing.add("g", *grid, class_="grid")
    drawing.add("line", x1=box.left, x2=box.right, y1=box.bottom, y2=box.bottom, class_="axis")
    drawing.add("g", *labels, class_="ticks")
    if x_title:
        drawing.text(x_title, (box.left + box.right) / 2, box.bottom + 36, text_anchor="middle", class_="title")
    if y_title:
        drawing.text(y_title, box.left, box.top - 10, text_anchor="start", class_="title")
