"""Numbers for people: a few significant digits with a suitable unit, and the exact value beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import msgspec

#: Factor from the SI unit to the displayed unit, and its symbol, from the largest down.
_TIME = ((1.0, "s"), (1e3, "ms"), (1e6, "µs"), (1e9, "ns"))
_BYTES = ((1e-9, "GB"), (1e-6, "MB"), (1e-3, "kB"), (1.0, "B"))
_COUNT = ((1e-9, "G"), (1e-6, "M"), (1.0, ""))
_SMALL = ((1.0, ""), (1e3, "m"), (1e6, "µ"), (1e9, "n"))
#: Units of a rate: per second.
_RATES = frozenset({"1/s", "/s", "inferences/s", "samples/s"})
#: Units of counts, which take the prefixes M and G, never m.
_COUNTED = frozenset({"instructions", "cycles", "MACs", "operations", "parameters"})
_FREQUENCY = ((1e-9, "GHz"), (1e-6, "MHz"), (1e-3, "kHz"), (1.0, "Hz"))
#: Characters of the symbols that take a prefix, such as J, W and Pa.
LONGEST_SYMBOL = 2


def digits(value: float) -> str:
    """``value`` with three significant digits, thousands separated."""
    size = abs(value)
    places = 0 if size >= 99.95 else 1 if size >= 9.995 else 2
    return f"{value:,.{places}f}"


def scale_of(value: float, unit: str) -> tuple[float, str]:
    """The factor and the symbol that suit ``value``, in the SI unit ``unit``."""
    if unit == "1":
        return 100.0, "%"
    if unit in _RATES:
        return 1.0, "/s"
    last = (1.0, unit)
    for factor, symbol in _prefixed(unit):
        last = (factor, symbol)
        if abs(value) * factor >= 0.9995:
            return last
    return (1.0, unit) if value == 0 else last


def _prefixed(unit: str) -> Iterable[tuple[float, str]]:
    """Factors and symbols of a unit with prefixes, the largest first; none of a unit that takes no prefix."""
    if unit in _COUNTED:
        return tuple((factor, f"{prefix} {unit}".strip()) for factor, prefix in _COUNT)
    # A unit of a dataset's own, such as years or mmHg, takes none.
    if unit in ("", "times", "°C") or len(unit) > LONGEST_SYMBOL:
        return ()
    tables = {"s": _TIME, "B": _BYTES, "Hz": _FREQUENCY}
    return tables.get(unit) or tuple((factor, prefix + unit) for factor, prefix in _SMALL)


def show(value: float, unit: str) -> str:
    """A number with its unit, such as ``1.23 ms``, ``93.4 kB`` or ``98.35 %``."""
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else "infinite"
    factor, symbol = scale_of(value, unit)
    return f"{_written(value * factor, symbol)} {symbol}".strip()


def show_interval(low: float, high: float, unit: str, like: float) -> str:
    """Bounds in the unit of ``like``, such as ``1.21–1.25 ms``."""
    factor, symbol = scale_of(like, unit)
    low, high = low * factor, high * factor
    like *= factor
    texts = _written(low, symbol, like), _written(high, symbol, like)
    for places in range(1, 5):
        if texts[0] != texts[1] or low == high:
            break
        texts = f"{low:,.{places}f}", f"{high:,.{places}f}"
    return f"{texts[0]}–{texts[1]} {symbol}".strip()


def exact(value: float, unit: str) -> str:
    """The exact value: all bytes, all decimals."""
    if unit == "B":
        return f"{value:,.0f} B"
    if unit == "1":
        return repr(float(value))
    return f"{value:,.0f} {unit}" if unit in _COUNTED else f"{float(value)!r} {unit}"


def percent(value: float, places: int = 1) -> str:
    """A share of 1 as percent."""
    return "–" if math.isnan(value) else f"{100 * value:z.{places}f} %"


def times(ratio: float) -> str:
    """A ratio as a multiple, such as ``3.1`` or ``12``."""
    return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.1f}"


def when(iso: str) -> str:
    """An ISO 8601 time as ``2026-03-14 09:26 UTC``; anything else as it is."""
    from datetime import UTC, datetime

    try:
        moment = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    if moment.tzinfo is None:
        return f"{moment:%Y-%m-%d %H:%M}"
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _written(value: float, symbol: str, like: float | None = None) -> str:
    """A number without its symbol; of bounds ``like`` is the number that they are of."""
    if symbol == "%":
        return f"{value:.2f}"
    if symbol == "B":
        return f"{value:,.0f}"
    if symbol == "times" and abs(value) < 0.1:
        return f"{value:.2g}"
    # Without a prefix that makes it large, a small number keeps three figures: errors of 0.186 and 0.193 are not one.
    size = abs(value if like is None else like)
    small = 0.9995 if size < 0.9995 and symbol not in ("times", "°C") else 0.1
    return f"{value:.3g}" if 0 < abs(value) < small else digits(value)


def compact(values: dict[str, Any]) -> str:
    """Settings as ``key=value, key=value``."""
    return ", ".join(f"{key}={_plain(value)}" for key, value in values.items())


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
