"""The latencies of a load as a picture of its own."""

from __future__ import annotations

from markupsafe import Markup

from edgerig.report.charts.frame import Box, axes
from edgerig.report.charts.scales import Linear, Log
from edgerig.report.charts.svg import Drawing, element, text
from edgerig.report.units import show
from edgerig.serve.stress.result import StressResult

WIDTH, HEIGHT = 640.0, 308.0
_BOX = Box(64, 56, 620, 262)
_STYLE = """
svg { font: 12px system-ui, sans-serif; background: #fff; }
text { fill: #1f2328; } .grid line { stroke: #d0d7de; } .axis { stroke: #57606a; } .bars rect { fill: #2f6fb3; }
.mark line { stroke: #b4442a; stroke-dasharray: 4 3; } .head { font-size: 14px; font-weight: 600; }
@media (prefers-color-scheme: dark) { svg { background: #16191d; } text { fill: #e6e8eb; }
.grid line { stroke: #343a42; } .axis { stroke: #9aa4af; } .bars rect { fill: #6ea8e0; }
.mark line { stroke: #f0906e; } }
"""


def plot(result: StressResult) -> str:
    """An SVG file: how many good replies took how long, with the percentiles; without one it says so."""
    load = "closed loop" if result.rate is None else f"{result.rate:g} requests/s (Poisson)"
    heading = f"{result.address} · {result.protocol} · {result.connections} connections · {load}"
    drawing = Drawing(WIDTH, HEIGHT, heading)
    drawing.text(heading, 16.0, 24.0, class_="head")
    if result.latency is None:
        drawing.text(f"None of {result.total} requests had a good reply.", 16.0, 48.0)
    else:
        _draw(drawing, result)
    head = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 308" width="640" height="308" role="img">'
    return Markup(f"{head}<title>{text_of(heading)}</title><style>{_STYLE}</style>{''.join(drawing.parts)}</svg>\n")


def text_of(heading: str) -> str:
    """``heading`` as the content of an element."""
    return str(Markup.escape(heading))


def _draw(drawing: Drawing, result: StressResult) -> None:
    assert result.latency is not None
    bounds = [bound for bound, _ in result.histogram]
    ratio = (bounds[1] / bounds[0]) if len(bounds) > 1 else 1.5
    x = Log(bounds[0] / ratio, max(bounds[-1], bounds[0] / ratio * 1.5), _BOX.left, _BOX.right)
    y = Linear(0, max(count for _, count in result.histogram), _BOX.bottom, _BOX.top, 4)
    axes(
        drawing, _BOX, x, y, x_unit="s", y_unit="", x_title="latency, from when the request was due", y_title="replies"
    )
    bars = []
    for bound, count in result.histogram:
        left, right, top = x(bound / ratio), x(bound), y(count)
        tip = element("title", f"{count} replies up to {show(bound, 's')}")
        width = max(1.0, right - left - 1)
        bars.append(element("rect", tip, x=left, y=top, width=width, height=_BOX.bottom - top))
    drawing.add("g", *bars, class_="bars")
    last = -1e9
    for name in ("p50", "p95", "p99"):
        value = getattr(result.latency, name).value
        at = x(value)
        drawing.add("g", element("line", x1=at, x2=at, y1=_BOX.top, y2=_BOX.bottom), class_="mark")
        if at - last > 26:
            drawing.parts.append(text(name, at, _BOX.top - 4, text_anchor="middle"))
            last = at
