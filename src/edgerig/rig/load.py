"""Settings of the scenarios *streams* and *server*, and the targets that cannot serve them."""

from __future__ import annotations

import re

from edgerig.targets.base import Target

#: Most sessions at once: each is a process.
MAX_STREAMS = 256
#: Scenarios in which several requests may be under way.
LOADED = ("streams", "server")
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6}
_TIME = re.compile(r"(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)\s*(\S*)")


def parse_seconds(value: float | str, name: str) -> float:
    """Seconds from ``"50 ms"``, ``"0.05 s"`` or ``"800 us"``.

    A time without a unit is refused: 50 is as likely meant in milliseconds as in seconds.

    Raises:
        ValueError: It is no time above 0, or has no unit.

    >>> parse_seconds("50 ms", "latency_bound")
    0.05
    """
    text = value.strip() if isinstance(value, str) else f"{value:g}"
    match = _TIME.fullmatch(text)
    if match is not None and not match[2]:
        raise ValueError(f"{name}: {text[:40]} of what? Write {text[:40]} ms, or {text[:40]} s")
    if match is None or match[2] not in _SECONDS:
        raise ValueError(f"{name}: {text[:40]!r} is no time, such as 50 ms or 0.05 s")
    seconds = float(match[1]) * _SECONDS[match[2]]
    if not 0 < seconds < float("inf"):
        raise ValueError(f"{name}: {text[:40]!r} is not above 0")
    return seconds


def load_problems(scenario: str, streams: int | None, rate: float | None, bound: float | str | None) -> list[str]:
    """Why a scenario and the settings of its load do not go together; empty if they do."""
    settings = {"streams": streams, "rate": rate, "latency_bound": bound}
    if scenario not in LOADED:
        return [
            f"{name}: {value} is of the scenarios streams and server; this one is {scenario}"
            for name, value in settings.items()
            if value is not None
        ]
    problems = []
    if scenario == "streams":
        if streams is None:
            problems.append("scenario: streams runs several sessions at once: say how many, such as streams: 4")
        for name in ("rate", "latency_bound"):
            if settings[name] is not None:
                problems.append(f"{name}: {settings[name]} is of the scenario server, not of streams")
    elif rate is None and bound is None:
        problems.append(
            "scenario: server needs a rate of arrivals, such as rate: 20, or a bound to find the highest rate for, "
            "such as latency_bound: 50 ms"
        )
    return problems


def check_rate(rate: float) -> None:
    """See that a rate of arrivals is one.

    Raises:
        ValueError: It is not.
    """
    if not 0 < rate < float("inf"):
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
    if streams > 1 and not (target.parallel or target.side_by_side):
        return (
            f"{streams} streams on {address}: it holds a single session for a run, so that only 1 stream is "
            "possible there"
        )
    return None
