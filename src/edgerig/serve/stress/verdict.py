"""Whether it was the tool that was measured, and not the server."""

from __future__ import annotations

from edgerig.measure.kinds import Measurement
from edgerig.serve.stress.result import StressResult
from edgerig.serve.stress.slot import OWN

#: Shares of a CPU, and of all, from which on they are the limit.
BUSY, ALL_BUSY = 0.8, 0.95
#: Lateness that counts: more than this many seconds, and than this share of the latency's 99th percentile.
LATE_SECONDS, LATE_SHARE = 1e-3, 0.1
#: A share of failures or waits that is worth a warning.
NOTABLE = 0.01
CLOSED_EARLY = "connection closed before the reply"


def limits_of(result: StressResult, *, loopback: bool) -> tuple[str, ...]:
    """Why the server may be better than the figures say, in sentences.

    Args:
        loopback: Whether server and tool share this machine's CPUs.
    """
    tool, limits = result.tool, []
    if tool.cpu.value >= BUSY:
        limits.append(
            f"A process of the tool was busy {min(1.0, tool.cpu.value):.0%} of the time: the server may be faster. "
            f"Give more than {tool.processes} with --processes, or a --rate that they keep up with."
        )
    late = tool.late.p99.value
    if late > LATE_SECONDS and result.latency is not None and late > LATE_SHARE * result.latency.p99.value:
        limits.append(
            f"The tool was up to {late * 1e3:.1f} ms late (p99), which is part of the latencies: "
            "give more --processes, or take another machine."
        )
    if loopback and isinstance(tool.machine, Measurement) and tool.machine.value >= ALL_BUSY:
        limits.append(
            f"All CPUs of this machine, which tool and server share, were busy {tool.machine.value:.0%} of the time: "
            "with a machine of its own the server may be faster."
        )
    own = {kind.removeprefix(OWN): count for kind, count in result.failures.items() if kind.startswith(OWN)}
    for kind, count in own.items():
        limits.append(f"{count} requests failed for want of the tool's own means: {kind}.")
    return tuple(limits)


def warnings_of(result: StressResult) -> tuple[str, ...]:
    """What the reader of the figures should know."""
    warnings = []
    if result.unmade:
        warnings.append(
            f"The server refused all connections from some point on: it is gone. {result.unmade} requests of "
            f"{result.total + result.unmade} were not made."
        )
    if result.failed and result.good:
        warnings.append(f"The {result.failed} failed requests are in no latency, and may be the slowest.")
    if result.waited > NOTABLE * result.total:
        warnings.append(
            f"{result.waited} requests were due while all {result.connections} connections were busy; their waits are "
            "in the latency. With more --connections the server would have had them at once."
        )
    if result.failures.get(CLOSED_EARLY, 0) > NOTABLE * result.total and not result.reconnect and result.requests > 1:
        warnings.append(
            "Connections were closed before the reply: a server of one request a connection needs --reconnect."
        )
    return tuple(warnings)
