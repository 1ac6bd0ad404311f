"""Where the time goes: a bar for each operator, or for each type of operator where there are many."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from edgerig.report.charts.svg import Drawing, element, text
from edgerig.report.model import Layers
from edgerig.report.units import percent, show

_ROW, _LEFT, _RIGHT, _WIDTH, _MOST = 24.0, 136.0, 108.0, 420.0, 24


def operators(layers: Layers) -> Markup | None:
    """Horizontal bars in the order of execution, or by type where there are more than 24; None without times."""
    unit = layers.total.unit if layers.total else "s"
    timed = [row for row in layers.rows if row.time.value is not None]
    if not timed:
        return None
    if len(timed) <= _MOST:
        rows = [(f"{row.index} {row.op}", row.time.value or 0.0, row.share or 0.0, row.name) for row in timed]
        label = "Time of each operator in order of execution"
    else:
        rows = [
            (f"{row.op} × {row.count}", row.seconds, row.share, f"{row.count} operators")
            for row in layers.operators[:_MOST]
        ]
        label = "Time by type of operator"
    return _bars(rows, unit, label)


def _bars(rows: Sequence[tuple[str, float, float, str]], unit: str, label: str) -> Markup:
    largest = max(value for _, value, _, _ in rows) or 1.0
    drawing = Drawing(_WIDTH, _ROW * len(rows) + 8, label)
    bars, names, values = [], [], []
    for index, (name, value, share, detail) in enumerate(rows):
        top = 4 + index * _ROW
        length = max(1.5, (_WIDTH - _LEFT - _RIGHT) * value / largest)
        tip = f"{name}\n{detail}\n{show(value, unit)}, {percent(share)}"
        bars.append(element("rect", x=_LEFT, y=top + 3, width=length, height=_ROW - 6, rx=2, data_tip=tip))
        names.append(text(_shortened(name), _LEFT - 8, top + 16, text_anchor="end"))
        values.append(text(f"{show(value, unit)} · {percent(share)}", _LEFT + length + 8, top + 16))
    drawing.add("g", *bars, class_="bars")
    drawing.add("g", *names, class_="names")
    drawing.add("g", *values, class_="ticks")
    return drawing.render()


def _shortened(name: str) -> str:
    return name if len(name) <= 19 else name[:18] + "…"
