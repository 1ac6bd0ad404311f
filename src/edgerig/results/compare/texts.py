"""The numbers of a verdict as text, the same on the terminal, in a pull request and on a page."""

from __future__ import annotations

from edgerig.results.compare.types import MetricVerdict

_SCALES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))


def change_text(metric: MetricVerdict, value: float) -> str:
    """A ratio as a signed percentage, a difference of shares in points.

    >>> change_text(MetricVerdict(verdict="same", sentence="", a=1.0, b=1.0, unit="s"), 1.0149)
    '+1.5 %'
    """
    if metric.change == "difference":
        return f"{round(value * 100, 2) + 0.0:+.2f} points"
    return f"{round((value - 1) * 100, 1) + 0.0:+.1f} %"


def interval_text(metric: MetricVerdict) -> str:
    """The bounds of the change; ``-`` for an exact figure and where there is no interval."""
    if metric.low is None or metric.high is None or not metric.count:
        return "-"
    return f"{change_text(metric, metric.low)} to {change_text(metric, metric.high)}"


def amount_text(value: float | None, unit: str) -> str:
    """A value with its unit; ``-`` for None.

    >>> amount_text(0.00125, "s"), amount_text(0.925, "1"), amount_text(4096, "B")
    ('1.25 ms', '92.50%', '4,096 B')
    """
    if value is None:
        return "-"
    if unit == "s":
        scale, name = next(((s, n) for s, n in _SCALES if abs(value) >= s), _SCALES[-1])
        return f"{value / scale:.4g} {name}"
    if unit == "1":
        return f"{value:.2%}"
    return f"{value:,.0f} {unit}"
