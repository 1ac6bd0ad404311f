"""The state of a machine around several stretches of work, as if they had been one."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from edgerig.measure.machine import MachineState

#: Counters that grow, of which only what they grew while we measured is of interest.
COUNTERS = ("uptime_seconds", "busy_seconds", "stolen_seconds", "own_seconds", "throttle_events")


def one_span(states: Sequence[tuple[MachineState, MachineState]]) -> tuple[MachineState, MachineState]:
    """States before and after one stretch that is as long as all of ``states``, (before, after) each, together.

    What the machine did between them, when others were measured, does not count. The temperature is the highest, and
    it throttled if it ever did.
    """
    before, last = states[0][0], states[-1][1]
    if len(states) == 1:
        return states[0]
    grown = {
        name: None if None in (start := getattr(before, name), total := _growth(states, name)) else start + total
        for name in COUNTERS
    }
    temperatures = [after.temperature_c for _, after in states if after.temperature_c is not None]
    throttled = [state.throttled for pair in states for state in pair if state.throttled is not None]
    after = replace(
        last,
        **grown,
        temperature_c=max(temperatures, default=None),
        throttled=any(throttled) if throttled else None,
    )
    return before, after


def _growth(states: Sequence[tuple[MachineState, MachineState]], name: str) -> float | None:
    """How much a counter grew in all stretches together; None where one of them does not tell."""
    pairs = [(getattr(before, name), getattr(after, name)) for before, after in states]
    if any(None in pair for pair in pairs):
        return None
    total: float = sum(after - before for before, after in pairs)
    return total
