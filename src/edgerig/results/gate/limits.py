"""Limits of a gate as a rig file has them: ``latency: 5 %``, ``accuracy: 0.5 points``, ``flash: 1 kB``, ``< 20 ms``."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from edgerig.errors import SpecError, nearest

#: Qualities of which more is better, and those of which less is, by the tasks of edgerig.
SHARES = (
    "accuracy", "top5_accuracy", "auc", "partial_auc", "macro_f1", "micro_f1", "exact_match", "precision", "recall",
    "f1", "map", "map_50", "map_75", "map_small", "map_medium", "map_large", "mar_100", "mean_iou", "mean_dice",
    "pixel_accuracy", "similarity", "similarity_foreground", "r2",
)  # fmt: skip
LESS = {"mae": None, "rmse": None, "false_rejects": "1", "false_accepts_per_hour": "1/h"}
#: The unit of each, None for that of the data.
QUALITIES: dict[str, str | None] = {**dict.fromkeys(SHARES, "1"), **LESS}
#: The main metric of whatever task judges, and how the name of any metric begins, such as ``quality_exact``.
MAIN, QUALITY = "quality", "quality_"
#: Metrics that can be gated. For those in `SHARES` and `RATES` more is better; for all others less is.
METRICS = (
    "latency", "p50", "p99", "load", "first", "peak_rss", "failures", "size", "arena", "flash", "ram", "constants",
    "instructions", "cycles", "energy", "throughput", "rate", "p50_under_load", "p90_under_load", "p99_under_load",
    MAIN, *QUALITIES,
)  # fmt: skip
#: Samples a second offline or requests a second under load, and the highest rate that holds the bound.
RATES = frozenset({"throughput", "rate"})
#: Metrics of which more is better.
HIGHER = RATES | set(SHARES)
UNDER_LOAD = frozenset({"throughput", "rate", "p50_under_load", "p90_under_load", "p99_under_load"})
TIMES = frozenset({"latency", "p50", "p99", "load", "first", "p50_under_load", "p90_under_load", "p99_under_load"})
BYTES = frozenset({"peak_rss", "size", "arena", "flash", "ram", "constants"})
#: Limits of a rig without a gate of its own: on the latency, and on the main quality, by whether that is a share.
DEFAULT = {"latency": "5 %"}
DEFAULT_SHARE, DEFAULT_OTHER = "0.5 points", "2 %"
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
        value: In SI units; a share of 1 for ``relative`` and for points. Of a quality in the unit that was written.
        sign, unit: Of a quality's limit: that of a budget, and the unit as it was written, ``points`` and ``%`` too.
    """

    metric: str
    text: str
    kind: Literal["relative", "absolute", "budget"]
    value: float
    sign: str = ""
    unit: str = ""


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
    named = metric.startswith(QUALITY) and len(metric) > len(QUALITY)
    if metric not in METRICS and not named:
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
    if named or metric in QUALITIES or metric == MAIN:
        return _quality_limit(metric, text, sign or "", number, unit or "")
    if unit is not None and unit not in _UNITS:
        near = nearest(unit, _UNITS)
        raise SpecError(f"gate: {metric}: there is no unit {unit!r}.", f"Did you mean {near!r}?" if near else None)
    name, scale = _UNITS[unit] if unit is not None else ("", 1.0)
    _check_unit(metric, text, sign, number, name)
    kind: Literal["relative", "absolute", "budget"] = "relative" if name == "%" else "absolute"
    return Limit(metric, text, "budget" if sign else kind, number * scale)


def _quality_limit(metric: str, text: str, sign: str, number: float, unit: str) -> Limit:
    """A limit on a quality, whose unit may be any: that of what a regression predicts."""
    unit = {"point": "points", "/h": "1/h", "/s": "1/s"}.get(unit, unit)
    own = QUALITIES.get(metric)
    if metric in QUALITIES and sign and sign != (">" if metric in HIGHER else "<"):
        raise SpecError(f"gate: {metric} {text}: that would keep it from getting better.", _examples(metric))
    share = ("%", "points") if sign else ("points",)
    allowed = {"1": share, "1/h": ("1/h", "%", "")}.get(own or "")
    if allowed is not None and unit not in allowed and not (unit == "" and number == 0):
        raise SpecError(f"gate: {metric}: {text!r} is in no unit that it could have.", _examples(metric))
    kind: Literal["relative", "absolute", "budget"] = "budget" if sign else "relative" if unit == "%" else "absolute"
    # Whether a budget in % is one of a share, is not known of every metric.
    scale = 0.01 if unit == "points" or kind == "relative" or (unit == "%" and own == "1") else 1.0
    return Limit(metric, text, kind, number * scale, sign, unit)


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
    allowed = own if sign else own | {"%"}
    if metric == "failures":
        allowed = {"%", "points"} if not sign else {"%"}
    if unit not in allowed and not (unit == "" and number == 0):
        raise SpecError(f"gate: {metric}: {text!r} is in no unit that it could have.", _examples(metric))


def _own_units(metric: str) -> set[str]:
    """The units of the numbers of a metric."""
    if metric == "energy":
        return {"J"}
    return {"s"} if metric in TIMES else {"B"} if metric in BYTES else {"1/s"} if metric in RATES else {""}


def _examples(metric: str) -> str:
    if metric in LESS:
        unit = {"1": " points", "1/h": " /h"}.get(LESS[metric] or "", "")
        change = "2 %" if LESS[metric] != "1" else "0.5 points"
        return f"Write it as: {metric}: {change}, or {metric}: '< 0.5{unit}'"
    if metric in SHARES:
        return f"Write it as: {metric}: 0.5 points, or {metric}: '> 97 %'"
    if metric in RATES:
        return f"Write it as: {metric}: 5 %, which is at most so much less, or {metric}: '> 100 /s'"
    budget = "< 20 ms" if metric in TIMES else "< 64 kB" if metric in BYTES else "< 2000000"
    return f"Write it as: {metric}: 5 %, or {metric}: {'< 5 mJ' if metric == 'energy' else budget}"
