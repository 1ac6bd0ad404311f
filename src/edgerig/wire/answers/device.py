"""What a device says of itself: its greeting, its machine, its statistics."""

from __future__ import annotations

import math
from typing import Any

from msgspec.structs import replace

from edgerig.measure.machine import MachineState, unknown_machine
from edgerig.text import one_line
from edgerig.wire.answers.figures import checked_quantities, checked_quantity
from edgerig.wire.answers.plausible import MOST_BYTES, MOST_CORES, MOST_NAMES, NAME, is_sha256, refused, text_of
from edgerig.wire.messages import Hello, Statistics
from edgerig.wire.utilisation import checked_utilisation

#: Longest lease duration that is accepted, in seconds; it is renewed several times in that time.
LONGEST_LEASE = 86_400.0
_MACHINE_BOUNDS: dict[str, tuple[float, float]] = {
    "cores_total": (1, MOST_CORES), "memory_bytes": (1, MOST_BYTES), "memory_free_bytes": (0, MOST_BYTES),
    "load_1min": (0, 1e6), "frequency_hz": (1, 1e12), "temperature_c": (-273, 1000), "throttle_events": (0, 2**53),
    "busy_seconds": (0, 1e12), "stolen_seconds": (0, 1e12), "own_seconds": (0, 1e12), "uptime_seconds": (0, 1e12),
}  # fmt: skip


def checked_hello(hello: Hello, who: str) -> Hello:
    """The device's HELLO, checked.

    Raises:
        AnswerError: It takes no messages that anything could be asked with, or tells what cannot be.
    """
    if hello.max_header < 16 or hello.max_payload < 1:
        raise refused(
            who, f"takes messages of {hello.max_header} B of header and {hello.max_payload} B of payload at most"
        )
    grant = hello.grant
    if grant is not None and (not 0 <= grant.fence < 2**63 or min(grant.max_model, grant.sessions) < 0):
        what = f"number {grant.fence} for {grant.sessions} sessions and networks of {grant.max_model} B"
        raise refused(who, f"grants a lease of {what}")
    if grant is not None:
        seconds = min(grant.seconds, LONGEST_LEASE) if math.isfinite(grant.seconds) and grant.seconds > 0 else 0.0
        grant = replace(grant, seconds=seconds)
    if hello.network and not is_sha256(hello.network):
        raise refused(who, f"names the network that is built in as {one_line(hello.network, 80)!r}, which is no hash")
    return replace(
        hello,
        software=one_line(hello.software, NAME),
        max_header=min(hello.max_header, 0xFFFF),
        max_payload=min(hello.max_payload, 0xFFFFFFFF),
        runtimes=tuple(one_line(name, NAME) for name in hello.runtimes[:MOST_NAMES]),
        clock=one_line(hello.clock, NAME),
        reset_cause=text_of(hello.reset_cause),
        grant=grant,
    )


def checked_machine(state: MachineState | None, who: str) -> MachineState:
    """The state of a device's machine. Impossible figures become None; so does a missing machine."""
    if state is None:
        return unknown_machine(one_line(who, NAME))
    changes: dict[str, Any] = {
        name: text_of(getattr(state, name))
        for name in ("host", "system", "architecture", "cpu", "governor", "virtual", "python", "edgerig", "time")
    }
    for name, (low, high) in _MACHINE_BOUNDS.items():
        value = getattr(state, name)
        changes[name] = value if value is not None and math.isfinite(value) and low <= value <= high else None
    packages = list(state.packages.items())[:MOST_NAMES]
    changes["packages"] = {one_line(name, NAME): one_line(version, NAME) for name, version in packages}
    changes["cores"] = state.cores if 0 < state.cores <= MOST_CORES else 0
    return replace(state, **changes)


def checked_statistics(statistics: Statistics, who: str) -> Statistics:
    """The answer to STATS.

    Raises:
        AnswerError: A count or a time is negative.
    """
    if not 0 <= statistics.last_inference_ns < 2**63:
        raise refused(who, f"tells a time of {statistics.last_inference_ns} ns for an inference")
    if statistics.inferences < 0 or statistics.cpu_ns < 0:
        raise refused(
            who, f"tells {statistics.inferences} inferences and {statistics.cpu_ns} ns of the processor's time"
        )
    changes: dict[str, Any] = {}
    if statistics.machine is not None:
        changes["machine"] = checked_machine(statistics.machine, who)
    if statistics.memory is not None:
        changes["memory"] = checked_quantity(statistics.memory, who, "B")
    if statistics.sensors is not None:
        changes["sensors"] = checked_quantities(statistics.sensors, who, None)
    if statistics.utilisation is not None:
        changes["utilisation"] = checked_utilisation(statistics.utilisation, who)
    return replace(statistics, **changes)
