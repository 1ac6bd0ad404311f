"""Limits of a gate as a rig file has them: ``latency: 5 %``, ``accuracy: 0.5 points``, ``flash: 1 kB``, ``< 20 ms``."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from edgerig.errors import SpecError, nearest

#: Metrics that can be gated. For those in `SHARES` and `RATES` more is better; for all others less is.
METRICS = (
    "latency", "p50", "p99", "load", "first", "peak_rss", "failures", "size", "arena", "flash", "ram", "constants",
    "instructions", "cycles", "accuracy", "energy", "throughput", "rate", "p50_under_load", "p90_under_load",
    "p99_under_load",
)  # fmt: skip
SHARES = frozenset({"accuracy"})
#: Samples a second offline or requests a second under load, and the highest rate that holds the bound.
RATES = frozenset({"throughput", "rate"})
#: Metrics of which more is better.
HIGHER = SHARES | RATES
UNDER_LOAD = frozenset({"throughput", "rate", "p50_under_load", "p90_under_load", "p99_under_load"})
TIMES = frozenset({"latency", "p50", "p99", "load", "first", "p50_under_load", "p90_under_load", "p99_under_load"})
BYTES = frozenset({"peak_rss", "size", "arena", "flash", "ram", "constants"})
#: Limits of a rig without a gate of its own.
DEFAULT = {"latency": "5 %", "accuracy": "0.5 points"}
_UNITS = {
    "s": ("s", 1.0), "ms": ("s", 1e-3), "us": ("s", 1e-6), "µs": ("s", 1e-6), "ns": ("s", 1e-9),
    "B": ("B", 1.0), "kB": ("B", 1e3), "MB": ("B", 1e6), "GB": ("B", 1e9), "KiB": ("B", 1024.0), "MiB": ("B", 2.0**20),
    "J": ("J", 1.0), "mJ": ("J", 1e-3), "uJ": ("J", 1e-6), "µJ": ("J", 1e-6), "nJ": ("J", 1e-9),
    "/s": ("1/s", 1.0), "1/s": ("1/s", 1.0), "%": ("%", 0.01), "points": ("points", 0.01), "point": ("points", 0.01),
}  # fmt: skip
_QUANTITY = re.compile(r"([<>])?\s*(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*(\S+)?")
_BUDGET = re.compile(r"(\w+)\s*([<>].*)")


class Limit(msgspec.Struct, frozen=True):
    """A limit on one metric.

    Attributes:
        metric: Its name. text: as the user wrote it.
        kind: ``relative``: an increase by this share of the baseline's, or a decrease where more is better.
            ``absolute``: the same in SI units. ``budget``: a bound of the number itself (a lower one, where more is
            better), whatever the baseline's is.
        value: In SI units; a share of 1 for ``relative`` and for points.
    """

    metric: str
    text: str
    kind: Literal["relative", "absolute", "budget"]
    value: float


def parse_limits(data: Any) -> tuple[Limit, ...]:
    """The limits of a ``gate`` section: a mapping from metrics to one limit or a list of them.

    The key ``budgets`` holds sentences such as ``latency < 20 ms``; in a metric's own list ``< 20 ms`` means the same.

    Raises:
        SpecError: Says what is wrong, and what would be valid.

    >>> [(limit.metric, limit.kind, limit.value) for limit in parse_limits({"latency": "5 %", "flash": "1 kB"})]
    [('latency', 'relative', 0.05), ('flash', 'absolute', 1000.0)]
    """
    if not isinstance(data, dict):
        raise SpecError("'gate' must be a mapping from metrics to limits.", "Write it as: gate: {latency: 5 %}")
    return tuple(limit for name, value in data.items() for limit in _of_key(str(name), value))


def parse_budget(text: str) -> Limit:
    """A sentence such as ``latency < 20 ms``.

    Raises:
        SpecError: The text is no such sentence.
    """
    match = _BUDGET.fullmatch(text.strip())
    if match is None:
        raise SpecError(f"gate: {text!r} is no budget.", "Write it as: latency < 20 ms")
    return parse_limit(match[1], match[2])


def parse_limit(metric: str, value: Any) -> Limit:
    """One limit of ``metric``: ``5 %``, ``1 kB``, ``0.5 points``, ``0``, ``< 20 ms`` or ``> 97 %``.

    Raises:
        SpecError: There is no such metric, or it cannot have this limit.
    """
    if metric not in METRICS:
        near = nearest(metric, METRICS)
        raise SpecError(
            f"gate: there is no metric {metric!r}.",
            (f"Did you mean {near!r}? " if near else "") + f"Known: {', '.join(METRICS)}.",
        )
    text = str(value).strip()
    match = _QUANTITY.fullmatch(text) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
    if match is None or not math.isfinite(float(match[2])):
        raise SpecError(f"gate: {metric}: {text[:80]!r} is no limit.", _examples(metric))
    sign, number, unit = match[1], float(match[2]), match[3]
    if unit is not None and unit not in _UNITS:
        near = nearest(unit, _UNITS)
        raise SpecError(f"gate: {metric}: there is no unit {unit!r}.", f"Did you mean {near!r}?" if near else None)
    name, scale = _UNITS[unit] if unit is not None else ("", 1.0)
    _check_unit(metric, text, sign, number, name)
    kind: Literal["relative", "absolute", "budget"] = "relative" if name == "%" else "absolute"
    return Limit(metric, text, "budget" if sign else kind, number * scale)


def _of_key(name: str, value: Any) -> Iterator[Limit]:
    listed = value if isinstance(value, list) else [value]
    if name == "budgets":
        yield from (parse_budget(str(text)) for text in listed)
    else:
        yield from (parse_limit(name, each) for each in listed)


def _check_unit(metric: str, text: str, sign: str | None, number: float, unit: str) -> None:
    """Refuse meaningless limits: bytes for a time, a budget in the wrong direction, a share of a share."""
    if sign is not None and sign != (">" if metric in HIGHER else "<"):
        raise SpecError(f"gate: {metric} {text}: that would keep it from getting better.", _examples(metric))
    own = _own_units(metric)
    allowed = own if sign else own | {"%"} if metric not in SHARES else {"points"}
    if metric == "failures":
        allowed = {"%", "points"} if not sign else {"%"}
    if unit not in allowed and not (unit == "" and number == 0):
        raise SpecError(f"gate: {metric}: {text!r} is in no unit that it could have.", _examples(metric))


def _own_units(metric: str) -> set[str]:
    """The units of the numbers of a metric."""
    if metric in SHARES:
        return {"%", "points"}
    if metric == "energy":
        return {"J"}
    return {"s"} if metric in TIMES else {"B"} if metric in BYTES else {"1/s"} if metric in RATES else {""}


def _examples(metric: str) -> str:
    if metric in SHARES:
        return f"Write it as: {metric}: 0.5 points, or {metric}: '> 97 %'"
    if metric in RATES:
        return f"Write it as: {metric}: 5 %, which is at most so much less, or {metric}: '> 100 /s'"
    budget = "< 20 ms" if metric in TIMES else "< 64 kB" if metric in BYTES else "< 2000000"
    return f"Write it as: {metric}: 5 %, or {metric}: {'< 5 mJ' if metric == 'energy' else budget}"
