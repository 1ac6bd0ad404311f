"""Where the time goes: a bar for each operator, or for each type of operator where there are many."""

from __future__ import annotations

from markupsafe import Markup

from edgerig.report.charts.bars import Bar, bars
from edgerig.report.model import Layers
from edgerig.report.units import percent, show, show_interval
from edgerig.report.values import Figure

_MOST = 24


def operators(layers: Layers) -> Markup | None:
    """Horizontal bars in the order of execution, or by type where there are more than 24; None without times."""
    unit = layers.total.unit if layers.total else "s"
    timed = [row for row in layers.rows if row.time.value is not None]
    if not timed:
        return None
    if len(timed) <= _MOST:
        rows = [
            _bar(f"{row.index} {row.op}", row.name, row.time.value or 0.0, row.share or 0.0, layers.total, unit)
            for row in timed
        ]
        return bars(rows, "Time of each operator in order of execution")
    rows = [
        _bar(f"{row.op} × {row.count}", f"{row.count} operators", row.seconds, row.share, layers.total, unit)
        for row in layers.operators[:_MOST]
    ]
    return bars(rows, "Time by type of operator")


def _bar(name: str, detail: str, value: float, share: float, total: Figure | None, unit: str) -> Bar:
    """The bar of one operator; ``total`` gives the kind of the times, and the relative error of a model, if any."""
    shown = f"{show(value, unit)} · {percent(share)}"
    words = shown
    if total is not None and total.banded and total.value:
        low, high = (value * (bound or 0.0) / total.value for bound in (total.low, total.high))
        words = f"{show(value, unit)}, {total.kind}, {show_interval(low, high, unit, value)} · {percent(share)}"
    return Bar(name, value, shown, f"{name}\n{detail}\n{words}")
