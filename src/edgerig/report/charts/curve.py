"""Several lines in one chart, for any `Curve`."""

from __future__ import annotations

import math
from itertools import pairwise

from markupsafe import Markup

from edgerig.report.charts.frame import Box, axes
from edgerig.report.charts.scales import Linear, Log
from edgerig.report.charts.svg import Drawing, number
from edgerig.views import Axis, Curve, Line

WIDTH, HEIGHT = 400.0, 250.0
_BOX = Box(58, 28, 390, 206)
#: Room above and below lines that end at no natural bound, so that none lies on the frame.
_ROOM = 0.05
#: Length of a point that stands alone.
_DASH = 4.0


def curve(view: Curve) -> Markup | None:
    """The lines of ``view``; None where it has no finite point."""
    lines = [_finite(line, view.x.log, view.y.log) for line in view.lines]
    points = [point for parts in lines for part in parts for point in part]
    if not points:
        return None
    x = _scale(view.x, [point[0] for point in points], _BOX.left, _BOX.right)
    y = _scale(view.y, [point[1] for point in points], _BOX.bottom, _BOX.top, _ROOM)
    groups = legend_of(view)
    drawing = Drawing(WIDTH, HEIGHT, f"{view.title}: {view.y.title} over {view.x.title}")
    axes(drawing, _BOX, x, y, x_unit=view.x.unit, y_unit=view.y.unit, x_title=view.x.title, y_title=view.y.title)
    for line, parts in zip(view.lines, lines, strict=True):
        drawn = "".join(_path(part, x, y, line.stepped) for part in parts)
        drawing.add("path", d=drawn, class_=f"line s{groups.index(line.group or line.name) % 6}", data_tip=line.name)
    return drawing.render()


def legend_of(view: Curve) -> list[str]:
    """What the colours of a curve stand for, in their order."""
    return list(dict.fromkeys(line.group or line.name for line in view.lines))


def _finite(line: Line, log_x: bool, log_y: bool) -> list[list[tuple[float, float]]]:
    """The segments of a line between points that cannot be drawn."""
    parts: list[list[tuple[float, float]]] = [[]]
    for x, y in zip(line.x, line.y, strict=False):
        if math.isfinite(x) and math.isfinite(y) and (x > 0 or not log_x) and (y > 0 or not log_y):
            parts[-1].append((x, y))
        elif parts[-1]:
            parts.append([])
    return [part for part in parts if part]


def _scale(axis: Axis, values: list[float], start: float, end: float, room: float = 0.0) -> Linear | Log:
    """The axis; ``room`` beyond the values, as a share of their range, where they do not end at a natural bound."""
    low, high = min(values), max(values)
    if axis.log:
        return Log(low, high, start, end)
    # Numbers of runs or rounds begin where they begin; quantities are seen from 0.
    if 0 < low < 0.5 * high and not axis.whole:
        low = 0.0
    room *= high - low
    low, high = low - (room if low not in (0.0, 1.0) else 0.0), high + (room if high not in (0.0, 1.0) else 0.0)
    return Linear(low, high, start, end, 4, whole=axis.whole)


def _path(points: list[tuple[float, float]], x: Linear | Log, y: Linear | Log, stepped: bool) -> str:
    placed = [(x(a), y(b)) for a, b in points]
    if len(placed) == 1:
        # A point between two gaps is seen, too.
        return f"M{number(placed[0][0] - _DASH / 2)} {number(placed[0][1])}h{number(_DASH)}"
    if not stepped:
        return "M" + "L".join(f"{number(a)} {number(b)}" for a, b in placed)
    steps = "".join(f"H{number(right[0])}V{number(right[1])}" for _, right in pairwise(placed))
    return f"M{number(placed[0][0])} {number(placed[0][1])}{steps}"
