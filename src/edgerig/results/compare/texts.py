"""The numbers of a verdict as text, the same on the terminal, in a pull request and on a page."""

from __future__ import annotations

from edgerig.results.compare.types import MetricVerdict

_PREFIXES = ((1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n"))

#: Rates from which on a decimal says nothing.
_WHOLE = 1000
#: Units of what is counted, which has no decimals.
_COUNTED = frozenset({"B", "bytes", "instructions", "cycles"})
#: Ratios from which on the number itself says nothing.
_BEYOND = 100.0


def change_text(metric: MetricVerdict, value: float) -> str:
    """A ratio as a signed percentage, a difference of shares in points.

    >>> change_text(MetricVerdict(verdict="same", sentence="", a=1.0, b=1.0, unit="s"), 1.0149)
    '+1.5 %'
    """
    if metric.change == "difference":
        return difference_text(value, metric.unit)
    if value >= _BEYOND:
        # The bound of an interval between two or three processes: that there is next to none is all that it tells.
        return f"over {_BEYOND:.0f} times"
    return f"{round((value - 1) * 100, 1) + 0.0:+.1f} %"


def difference_text(value: float, unit: str) -> str:
    """A difference with its sign: of shares in percentage points, of all else in the unit; never ``-0.00``.

    >>> difference_text(-0.0123, "1"), difference_text(0.0123, "°C"), difference_text(-1.5, "1/h")
    ('-1.23 points', '+0.0123 °C', '-1.5 /h')
    """
    if unit == "1":
        return f"{round(value * 100, 2) + 0.0:+.2f} points"
    sign = "-" if value < 0 else "+"
    return sign + amount_text(abs(value), unit)


def margin_text(metric: MetricVerdict) -> str:
    """The change that does not matter; ``none`` for an exact figure."""
    if not metric.margin:
        return "none"
    if metric.change == "ratio":
        return f"{metric.margin * 100:g} %"
    return f"{metric.margin * 100:g} points" if metric.unit == "1" else amount_text(metric.margin, metric.unit)


def interval_text(metric: MetricVerdict) -> str:
    """The bounds of the change; ``-`` for an exact figure and where there is no interval."""
    if metric.low is None or metric.high is None or not metric.count:
        return "-"
    return f"{change_text(metric, metric.low)} to {change_text(metric, metric.high)}"


def times_as_many(count: int, before: int) -> str:
    """``count`` beside ``before``: a ratio in two or three digits, or how many more or fewer where these say 1.

    >>> times_as_many(86, 43), times_as_many(45, 43), times_as_many(1001, 1000), times_as_many(9999, 10000)
    ('2.0 times as many', '1.05 times as many', '1 more', '1 fewer')
    """
    ratio = count / before
    for digits in (2, 3):
        text = f"{ratio:.{digits}g}"
        if float(text) != 1:
            return f"{ratio:.1f} times as many" if len(text) == 1 else f"{text} times as many"
    return f"{abs(count - before):,} {'more' if count > before else 'fewer'}"


def amount_text(value: float | None, unit: str) -> str:
    """A value with its unit; ``-`` for None.

    >>> amount_text(0.00125, "s"), amount_text(0.925, "1"), amount_text(4096, "B")
    ('1.25 ms', '92.50%', '4,096 B')
    >>> amount_text(0.00125, "J"), amount_text(1234.5, "1/s"), amount_text(0.5, "1/s")
    ('1.25 mJ', '1,234 /s', '0.5 /s')
    >>> amount_text(0.31234, "°C"), amount_text(0.31234, "")
    ('0.3123 °C', '0.3123')
    """
    if value is None:
        return "-"
    if unit in ("s", "J"):
        scale, prefix = next(((s, name) for s, name in _PREFIXES if abs(value) >= s), _PREFIXES[-1])
        return f"{value / scale:.4g} {prefix}{unit}"
    if unit.startswith("1/"):
        return f"{value:,.0f} {unit[1:]}" if abs(value) >= _WHOLE else f"{value:.4g} {unit[1:]}"
    if unit == "1":
        return f"{value:.2%}"
    if unit in _COUNTED:
        return f"{value:,.0f} {unit}"
    return f"{value:,.0f} {unit}".strip() if abs(value) >= _WHOLE else f"{value:.4g} {unit}".strip()
