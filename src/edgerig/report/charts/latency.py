"""Charts of raw latency samples: histogram, cumulative distribution, time series."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from markupsafe import Markup

from edgerig.report.charts.frame import Box, axes
from edgerig.report.charts.scales import Linear, robust_bounds
from edgerig.report.charts.svg import Drawing, element, number, text
from edgerig.report.model import Histogram, Series
from edgerig.report.units import show
from edgerig.report.values import Figure

WIDTH, HEIGHT = 400.0, 250.0
_BOX = Box(58, 28, 390, 206)


def histogram(data: Histogram, steady: Figure, p90: Figure, p99: Figure) -> Markup:
    """Counts of samples by latency, with the median and the tail percentiles marked."""
    low, high = data.edges[0], data.edges[-1]
    x = Linear(low, high, _BOX.left, _BOX.right, 4)
    y = Linear(0, max(data.counts) * 1.05, _BOX.bottom, _BOX.top, 4)
    above = f", {data.above:,} above {show(high, 's')} not drawn" if data.above else ""
    above += f", {data.below:,} below {show(low, 's')} not drawn" if data.below else ""
    total = sum(data.counts) + data.above + data.below
    drawing = Drawing(WIDTH, HEIGHT, f"Histogram of {total:,} latencies, median {steady.text}{above}")
    axes(drawing, _BOX, x, y, x_unit="s", y_unit="", x_title=f"latency{above}", y_title="samples")
    bars = [
        element(
            "rect",
            x=x(left) + 0.4,
            y=y(count),
            width=max(x(right) - x(left) - 0.8, 0.6),
            height=y(0) - y(count),
            data_tip=f"{show(left, 's')} to {show(right, 's')}\n{count:,} samples",
        )
        for (left, right), count in zip(pairwise(data.edges), data.counts, strict=True)
        if count
    ]
    drawing.add("g", *bars, class_="bars")
    _marks(drawing, x, (("median", steady), ("p90", p90), ("p99", p99)))
    return drawing.render()


def distribution(shares: tuple[float, ...], steady: Figure, p90: Figure, p99: Figure) -> Markup:
    """The share of samples at or below each latency; the last half percent may lie outside the frame."""
    last = len(shares) - 1
    body = shares[max(0, int(last * 0.99))]
    low, high = shares[0], max(body + 0.25 * (body - shares[0]), shares[0] * 1.0001)
    high = min(high, shares[-1]) if shares[-1] > low else high
    low, high = max(low, robust_bounds(shares)[0]), min(high, max(robust_bounds(shares)[1], low * 1.0001))
    x = Linear(low, high, _BOX.left, _BOX.right, 4)
    y = Linear(0, 1, _BOX.bottom, _BOX.top, 4)
    drawing = Drawing(WIDTH, HEIGHT, f"Cumulative distribution of the latencies, median {steady.text}")
    axes(drawing, _BOX, x, y, x_unit="s", y_unit="1", x_title="latency", y_title="share of samples at or below")
    points = [(x(min(max(value, low), high)), y(index / last)) for index, value in enumerate(shares)]
    drawing.add("path", d="M" + "L".join(f"{number(a)} {number(b)}" for a, b in points), class_="curve")
    _marks(drawing, x, (("median", steady), ("p90", p90), ("p99", p99)))
    return drawing.render()


def time_series(data: Series, steady: Figure) -> Markup:
    """Latencies in the order of measurement, a dot for each; outliers are drawn at the edge, with their number."""
    low, high = robust_bounds(data.seconds)
    slow = [(position, value) for position, value in zip(data.positions, data.seconds, strict=True) if value > high]
    room = 0.06 * (high - low)
    x = Linear(0, max(data.n - 1, 1), _BOX.left, _BOX.right, 4)
    y = Linear(max(0.0, low - room), high + room, _BOX.bottom, _BOX.top, 4)
    least, most = show(min(data.seconds), "s"), show(max(data.seconds), "s")
    drawing = Drawing(WIDTH, HEIGHT, f"Latency over {data.n:,} samples in order, {least} to {most}")
    beyond = f", up to {most} at the top edge" if slow else ""
    axes(
        drawing,
        _BOX,
        x,
        y,
        x_unit="",
        y_unit="s",
        x_title="sample, in order of measurement",
        y_title=f"latency{beyond}",
    )
    points = [
        (x(position), y(max(value, y.low)))
        for position, value in zip(data.positions, data.seconds, strict=True)
        if value <= high
    ]
    drawing.add("path", d=_dots(points), class_="dots")
    edge = _dots([(x(position), _BOX.top) for position, _ in slow])
    if edge:
        drawing.add("path", d=edge, class_="dots beyond")
    if steady.value is not None:
        at = y(steady.value)
        drawing.add("line", x1=_BOX.left, x2=_BOX.right, y1=at, y2=at, class_="mark")
    return drawing.render()


def _dots(points: Sequence[tuple[float, float]]) -> str:
    """A path with a dot at each point: a stroke of zero length with round ends, ten bytes where an element takes forty.

    Each dot is told by its distance from the one before, in whole tenths, so that nothing adds up.
    """
    tenths = [(round(10 * x), round(10 * y)) for x, y in points]
    steps = [
        f"m{_short(x - before_x)}{'' if y < before_y else ' '}{_short(y - before_y)}h0"
        for (before_x, before_y), (x, y) in pairwise(tenths)
    ]
    return "".join([*(f"M{number(x / 10)} {number(y / 10)}h0" for x, y in tenths[:1]), *steps])


def _short(tenths: int) -> str:
    """A coordinate of so many tenths, as short as SVG takes it: ``-.5``."""
    text = number(tenths / 10)
    return text[1:] if text.startswith("0.") else f"-{text[2:]}" if text.startswith("-0.") else text


def _marks(drawing: Drawing, x: Linear, marks: tuple[tuple[str, Figure], ...]) -> None:
    """Vertical lines with names at two heights, so that near ones do not cover each other."""
    lines, names, taken = [], [], [-1e9, -1e9]
    for name, figure in marks:
        if figure.value is None or figure.unit != "s" or not x.low <= figure.value <= x.high:
            continue
        at, half = x(figure.value), 3.2 * len(name)
        lines.append(element("line", x1=at, x2=at, y1=_BOX.top, y2=_BOX.bottom, data_tip=f"{name}: {figure.text}"))
        at = min(max(at, _BOX.left + half), _BOX.right - half)
        row = next((row for row in (0, 1) if at - half > taken[row] + 4), None)
        if row is not None:
            taken[row] = at + half
            names.append(text(name, at, _BOX.top + 10 + 13 * row, text_anchor="middle"))
    drawing.add("g", *lines, class_="mark")
    drawing.add("g", *names, class_="marks")
