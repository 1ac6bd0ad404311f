"""Settings of the scenarios *streams* and *server*, and the targets that cannot serve them."""

from __future__ import annotations

import re

from edgerig.targets.base import Target

#: Most sessions at once: each is a process.
MAX_STREAMS = 256
#: Scenarios in which several requests may be under way.
LOADED = ("streams", "server")
_SECONDS = {"": 1.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6}
_TIME = re.compile(r"(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)\s*(\S*)")


def parse_seconds(value: float | str, name: str) -> float:
    """Seconds from ``0.05``, ``"50 ms"`` or ``"800 us"``.

    Raises:
        ValueError: It is no time above 0.

    >>> parse_seconds("50 ms", "latency_bound")
    0.05
    """
    text = str(value).strip()
    match = _TIME.fullmatch(text)
    if match is None or match[2] not in _SECONDS:
        raise ValueError(f"{name}: {text[:40]!r} is no time, such as 50 ms or 0.05")
    seconds = float(match[1]) * _SECONDS[match[2]]
    if not 0 < seconds < float("inf"):
        raise ValueError(f"{name}: {text[:40]!r} is not above 0")
    return seconds


def check_load(scenario: str, streams: int | None, rate: float | None, bound: float | str | None) -> None:
    """See that a scenario and the settings of its load go together.

    Raises:
        ValueError: They do not.
    """
    settings = {"streams": streams, "rate": rate, "latency_bound": bound}
    if scenario not in LOADED:
        for name, value in settings.items():
            if value is not None:
                raise ValueError(f"{name}: {value} is of the scenarios streams and server; this one is {scenario}")
        return
    if scenario == "streams":
        if streams is None:
            raise ValueError("scenario: streams runs several sessions at once: say how many, such as streams: 4")
        for name in ("rate", "latency_bound"):
            if settings[name] is not None:
                raise ValueError(f"{name}: {settings[name]} is of the scenario server, not of streams")
        return
    if rate is None and bound is None:
        raise ValueError(
            "scenario: server needs a rate of arrivals, such as rate: 20, or a bound to find the highest rate for, "
            "such as latency_bound: 50 ms"
        )
    if rate is not None and not 0 < rate < float("inf"):
        raise ValueError(f"rate: {rate:g} is not above 0: requests a second, such as rate: 20")


def refuses_load(target: type[Target], address: str, scenario: str, streams: int) -> str | None:
    """Why ``address`` cannot be measured under load, as far as that is known without asking the device."""
    if scenario not in LOADED:
        return None
    if target.kind != "measured":
        return (
            f"scenario {scenario} on {address}: latency under load is taken from the host's clock, which says "
            "nothing of a device that is emulated here"
        )
    if streams > 1 and not target.side_by_side:
        return (
            f"{streams} streams on {address}: it holds a single session for a run, so that only 1 stream is "
            "possible there"
        )
    return None
