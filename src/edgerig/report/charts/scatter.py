"""Quality against latency, with the artifact's size as the bubble's area."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

import msgspec
from markupsafe import Markup

from edgerig.measure.kinds import Kind
from edgerig.report.charts.frame import Box, axes
from edgerig.report.charts.scales import Linear, Log, robust_bounds
from edgerig.report.charts.svg import Drawing, element
from edgerig.report.units import show

#: Latencies that span more than this factor are drawn on a logarithmic axis.
_LOG_FROM = 4.0
_CHARACTER, _LINE = 6.9, 16.0


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One variant. ``series`` is the number of its colour; ``link`` the id of its section,
    ``front`` the number of the front that it lies on."""

    label: str
    link: str
    x: float
    y: float
    size: int
    series: int
    tip: str
    kind: Kind = "measured"
    x_low: float | None = None
    x_high: float | None = None
    y_low: float | None = None
    y_high: float | None = None
    chosen: bool = False
    front: int | None = None


Rectangle = tuple[float, float, float, float]


def scatter(
    points: Sequence[Point], *, width: float, height: float, x_unit: str, y_unit: str, y_title: str, class_: str = ""
) -> Markup:
    """The chart. Points on the Pareto front are joined; numbers that were not measured are drawn dashed.

    A single outlier of quality must not compress the axis: it is drawn at the edge, its value beside its name.
    """
    box = Box(62, 34, width - 16, height - 46)
    largest = max(point.size for point in points) or 1
    radii = [5 + (0.024 * width if width < 500 else 15) * math.sqrt(point.size / largest) for point in points]
    x, y = _scales(points, box, max(radii), y_unit)
    label = f"{y_title} against latency for {len(points)} variants; the bubble's area is the artifact's size"
    drawing = Drawing(width, height, label, class_)
    axes(
        drawing,
        box,
        x,
        y,
        x_unit=x_unit,
        y_unit=y_unit,
        x_title=f"median latency{' (logarithmic)' if isinstance(x, Log) else ''}",
        y_title=y_title,
    )
    _front(drawing, points, x, y)
    centres = [(x(point.x), min(max(y(point.y), box.top), box.bottom)) for point in points]
    inside = [point for point in points if y.low <= point.y <= y.high]
    drawing.add("g", *(_whiskers(point, x, y) for point in inside), class_="whiskers")
    order = sorted(range(len(points)), key=lambda index: -radii[index])
    for index in order:
        drawing.parts.append(_bubble(points[index], centres[index], radii[index]))
    points = [_named_at_the_edge(point, y, y_unit) for point in points]
    names = [("★ " if point.chosen else "") + point.label for point in points]
    labels = place_labels(names, centres, radii, box, [_spans(point, x, y) for point in inside])
    for point, centre, radius, spot in zip(points, centres, radii, labels, strict=True):
        if spot is not None:
            drawing.parts += [_leader(spot, centre, radius), _label(point, spot, centre)]
    return drawing.render(interactive=True)


def _named_at_the_edge(point: Point, y: Linear, unit: str) -> Point:
    """A point beyond the axis, with its value added to its name."""
    if y.low <= point.y <= y.high:
        return point
    arrow = "↓" if point.y < y.low else "↑"
    return msgspec.structs.replace(point, label=f"{point.label} {arrow} {show(point.y, unit)}")


def _scales(points: Sequence[Point], box: Box, margin: float, y_unit: str) -> tuple[Linear | Log, Linear]:
    xs = [value for point in points for value in (point.x, point.x_low, point.x_high) if value is not None]
    bottom, top = robust_bounds([point.y for point in points])
    near: list[Point] = []
    while len(reached := [point for point in points if bottom <= point.y <= top]) > len(near):
        # Intervals may reach as far as an outlier, which is drawn whole then.
        near = reached
        ys = [value for point in near for value in (point.y, point.y_low, point.y_high) if value is not None]
        room = 0.1 * (max(ys) - min(ys)) or 0.02
        bottom, top = min(ys) - room, max(ys) + room
    low, high = min(xs), max(xs)
    x: Linear | Log
    if low > 0 and high / low > _LOG_FROM:
        room = (high / low) ** 0.07
        x = Log(low / room, high * room, box.left + margin * 0.7, box.right - margin * 0.7)
    else:
        room = 0.12 * (high - low) or 0.1 * abs(high)
        x = Linear(max(0.0, low - room), high + room, box.left, box.right)
    if y_unit == "1":
        bottom, top = max(0.0, bottom), min(1.0, top)
    return x, Linear(bottom, top, box.bottom - margin * 0.4, box.top + margin * 0.6)


def _front(drawing: Drawing, points: Sequence[Point], x: Linear | Log, y: Linear) -> None:
    for number in {point.front for point in points} - {None}:
        members = (point for point in points if point.front == number and y.low <= point.y <= y.high)
        front = sorted(members, key=lambda point: point.x)
        if len(front) < 2:
            continue
        path = "M" + "L".join(f"{x(point.x):.1f} {y(point.y):.1f}" for point in front)
        drawing.add("path", d=path, class_="front")


def _whiskers(point: Point, x: Linear | Log, y: Linear) -> str:
    cx, cy = x(point.x), y(point.y)
    parts = []
    if point.y_low is not None and point.y_high is not None:
        parts.append(element("line", x1=cx, x2=cx, y1=y(point.y_low), y2=y(point.y_high)))
    if point.x_low is not None and point.x_high is not None:
        parts.append(element("line", x1=x(point.x_low), x2=x(point.x_high), y1=cy, y2=cy))
    return "".join(parts)


def _spans(point: Point, x: Linear | Log, y: Linear) -> list[Rectangle]:
    """The lines of `_whiskers` as rectangles of zero width."""
    cx, cy = x(point.x), y(point.y)
    spans = []
    if point.y_low is not None and point.y_high is not None:
        spans.append((cx, y(point.y_high), cx, y(point.y_low)))
    if point.x_low is not None and point.x_high is not None:
        spans.append((x(point.x_low), cy, x(point.x_high), cy))
    return spans


def _bubble(point: Point, centre: tuple[float, float], radius: float) -> str:
    classes = f"bubble s{point.series % 6}{'' if point.kind == 'measured' else ' derived'}"
    circle = element("circle", cx=centre[0], cy=centre[1], r=radius, class_=classes)
    ring = element("circle", cx=centre[0], cy=centre[1], r=radius + 3.5, class_="ring") if point.chosen else ""
    return element(
        "a", ring + circle, href=f"#{point.link}", data_tip=point.tip, aria_label=point.tip.replace("\n", ", ")
    )


def _label(point: Point, spot: Rectangle, centre: tuple[float, float]) -> str:
    star = element("tspan", "★ ", class_="star") if point.chosen else ""
    classes = "label chosen" if point.chosen else "label"
    x, anchor = (spot[2], "end") if spot[2] <= centre[0] else (spot[0], None)
    return element("text", star + escape(point.label), x=x, y=spot[3] - 4, text_anchor=anchor, class_=classes)


def _leader(spot: Rectangle, centre: tuple[float, float], radius: float) -> str:
    """A line from the bubble's edge to a label that is not right beside it."""
    x, y = min(max(centre[0], spot[0]), spot[2]), min(max(centre[1], spot[1]), spot[3])
    reach = math.hypot(x - centre[0], y - centre[1])
    if reach < radius + 9:
        return ""
    start = (centre[0] + (x - centre[0]) * radius / reach, centre[1] + (y - centre[1]) * radius / reach)
    return element("line", x1=start[0], y1=start[1], x2=x, y2=y, class_="leader")


def place_labels(
    names: Sequence[str],
    centres: Sequence[tuple[float, float]],
    radii: Sequence[float],
    box: Box,
    lines: Sequence[Sequence[Rectangle]] = (),
) -> list[Rectangle | None]:
    """A rectangle (left, top, right, bottom) for each name, near its bubble, over no other label or bubble.

    Of the free positions around the bubble it takes the nearest that does not seem to belong to a neighbour and keeps
    off ``lines``, the intervals of all bubbles. A name without a free position gets None: the tooltip and the table
    still show it, and a chart of many variants stays readable.
    """
    taken: list[Rectangle] = []
    leaders: list[Rectangle] = []
    bubbles = [(x - r, y - r, x + r, y + r) for (x, y), r in zip(centres, radii, strict=True)]
    drawn = [line for several in lines for line in several]
    result: list[Rectangle | None] = []
    for index, name in enumerate(names):
        free = [
            spot
            for spot in _spots(len(name) * _CHARACTER + 14, centres[index], radii[index])
            if _inside(spot, box)
            and not any(_touch(spot, other) for other in taken)
            and not any(_touch(spot, other) for other in bubbles)
        ]
        best = min(
            free,
            key=lambda spot: (
                _cost(spot, index, centres, radii)
                + _crossed(spot, [*drawn, *leaders])
                + sum(_crossed(label, _steps(centres[index], spot)) for label in taken)
            ),
            default=None,
        )
        result.append(best)
        if best is not None:
            taken.append(best)
            leaders += _steps(centres[index], best)
    return result


def _steps(centre: tuple[float, float], spot: Rectangle) -> list[Rectangle]:
    """Points on the way from a bubble to its label, as rectangles of zero size."""
    x, y = min(max(centre[0], spot[0]), spot[2]), min(max(centre[1], spot[1]), spot[3])
    shares = [step / 8 for step in range(1, 8)]
    points = [(centre[0] + (x - centre[0]) * share, centre[1] + (y - centre[1]) * share) for share in shares]
    return [(px, py, px, py) for px, py in points]


def _crossed(spot: Rectangle, lines: Sequence[Rectangle]) -> float:
    """The cost of covering intervals of others: less than a position far away, more than one slightly farther."""
    return sum(22.0 for line in lines if _touch(spot, line))


def _cost(spot: Rectangle, index: int, centres: Sequence[tuple[float, float]], radii: Sequence[float]) -> float:
    gaps = [_gap(spot, x, y) - radius for (x, y), radius in zip(centres, radii, strict=True)]
    return gaps[index] + sum(18.0 for other, gap in enumerate(gaps) if other != index and gap < gaps[index] + 2)


def _spots(width: float, centre: tuple[float, float], radius: float) -> list[Rectangle]:
    """Rectangles whose nearest point lies on rings around the bubble."""
    x, y = centre
    spots = []
    for step in range(9):
        reach = radius + 5 + 11 * step
        for turn in range(16):
            dx, dy = math.cos(turn * math.pi / 8), math.sin(turn * math.pi / 8)
            left = x + dx * reach - (width if dx < -0.3 else 0 if dx > 0.3 else width / 2)
            top = y + dy * reach - (_LINE if dy < -0.3 else 0 if dy > 0.3 else _LINE / 2)
            spots.append((left, top, left + width, top + _LINE))
    return spots


def _inside(spot: Rectangle, box: Box) -> bool:
    return spot[0] >= box.left and spot[2] <= box.right + 12 and spot[1] >= box.top - 6 and spot[3] <= box.bottom


def _touch(a: Rectangle, b: Rectangle) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _gap(spot: Rectangle, x: float, y: float) -> float:
    dx = max(spot[0] - x, 0, x - spot[2])
    dy = max(spot[1] - y, 0, y - spot[3])
    return math.hypot(dx, dy)
