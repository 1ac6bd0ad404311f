"""From raw times to figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgerig.measure.kinds import Measurement, Quantity, Unavailable
from edgerig.serve.stress.load import Load
from edgerig.serve.stress.protocols.base import StressProtocol
from edgerig.serve.stress.record import Part
from edgerig.serve.stress.result import StressResult, Times, Tool
from edgerig.serve.stress.verdict import limits_of, warnings_of

CLOCK = "time.monotonic_ns"
#: Bars of a histogram.
BARS = 24
Nanoseconds = NDArray[np.int64]


def summarize(
    load: Load, protocol: StressProtocol, parts: Sequence[Part], machine: float | None, *, loopback: bool
) -> StressResult:
    """The figures of a load.

    Args:
        parts: What its processes measured.
        machine: How busy all CPUs of this machine were, as a share; None if not known.
        loopback: Whether the server is on this machine.
    """
    due, begun, done, server, connect, late = (
        np.concatenate([part.column(name) for part in parts])
        for name in ("due", "begun", "done", "server", "connect", "late")
    )
    failures: Counter[str] = Counter()
    for part in parts:
        failures.update(part.failures)
    start = min(part.start for part in parts)
    seconds, throughput = _whole(done, start)
    latency = times_of(done - due, "from when it was due to the last byte of the reply")
    tool = _tool(parts, late, machine)
    result = StressResult(
        address=f"{load.host}:{load.port}",
        protocol=load.protocol,
        connections=load.connections,
        requests=load.requests,
        rate=load.rate,
        arrivals="closed" if load.rate is None else "poisson",
        reconnect=load.reconnect,
        total=len(done) + failures.total(),
        good=len(done),
        failed=failures.total(),
        failures=dict(failures.most_common()),
        seconds=seconds,
        throughput=throughput,
        latency=latency,
        service=times_of(done - begun, "from when it was begun to the last byte of the reply"),
        connect=times_of(connect, "from asking for a connection to having it"),
        server=_server(server, protocol),
        waited=sum(part.waited for part in parts),
        tool=tool,
        histogram=histogram(done - due),
        unmade=load.total - len(done) - failures.total() if any(part.gone for part in parts) else 0,
    )
    limits = limits_of(result, loopback=loopback)
    return replace(result, limits)


def replace(result: StressResult, limits: tuple[str, ...]) -> StressResult:
    """``result`` with what limited the tool, and its warnings."""
    import msgspec

    tool = msgspec.structs.replace(result.tool, limits=limits)
    return msgspec.structs.replace(result, tool=tool, warnings=warnings_of(result))


def times_of(nanoseconds: Nanoseconds, method: str) -> Times | None:
    """The distribution of times, shape (n,); None of no times.

    A percentile is the smallest time that so many percent are not above: one that occurred.
    """
    if not len(nanoseconds):
        return None
    values = np.quantile(nanoseconds, [0.5, 0.95, 0.99, 1.0], method="inverted_cdf")
    mean = float(nanoseconds.mean())
    names = ("mean", "p50", "p95", "p99", "max")
    figures = {
        name: Measurement(
            value=float(value) / 1e9,
            unit="s",
            kind="measured",
            method=f"{name}, {method}",
            clock=CLOCK,
            n=len(nanoseconds),
        )
        for name, value in zip(names, (mean, *values), strict=True)
    }
    return Times(**figures)


def histogram(nanoseconds: Nanoseconds, bars: int = BARS) -> tuple[tuple[float, int], ...]:
    """Bars of equal width in the logarithm: upper bounds in s, and how many times lie up to each."""
    if not len(nanoseconds):
        return ()
    times = np.maximum(nanoseconds, 1)
    low, high = float(times.min()), float(times.max())
    bounds = np.geomspace(low, high, bars + 1)[1:] if high > low else np.array([high])
    bounds[-1] = high
    counts = np.diff(np.searchsorted(np.sort(times), bounds, side="right"), prepend=0)
    return tuple((float(bound) / 1e9, int(count)) for bound, count in zip(bounds, counts, strict=True))


def _whole(done: Nanoseconds, start: int) -> tuple[Quantity, Quantity]:
    """The time of the whole load, and its throughput."""
    if not len(done):
        nothing = Unavailable("no request had a good reply")
        return nothing, nothing
    whole = (int(done.max()) - start) / 1e9
    method = "from the beginning to the last good reply"
    return (
        Measurement(value=whole, unit="s", kind="measured", method=method, clock=CLOCK),
        Measurement(
            value=len(done) / whole,
            unit="1/s",
            kind="measured",
            method=f"good replies by the time {method}",
            clock=CLOCK,
            n=len(done),
        ),
    )


def _server(server: Nanoseconds, protocol: StressProtocol) -> Quantity:
    said = server[server >= 0]
    if not len(said):
        return Unavailable(protocol.server_time if not protocol.tells_time else "no good reply told it")
    return Measurement(
        value=float(said.mean()) / 1e9,
        unit="s",
        kind="measured",
        method=f"mean of {protocol.server_time}",
        clock="the server's",
        n=len(said),
    )


def _tool(parts: Sequence[Part], late: Nanoseconds, machine: float | None) -> Tool:
    share = max(part.cpu / max(1, part.end - part.start) for part in parts)
    lateness = times_of(late if len(late) else np.zeros(1, np.int64), "by how much the tool itself was late")
    assert lateness is not None
    return Tool(
        processes=len(parts),
        cpu=Measurement(
            value=share, unit="1", kind="measured", method="CPU time of the busiest process by the load's time"
        ),
        late=lateness,
        machine=Unavailable("this system does not tell")
        if machine is None
        else Measurement(value=machine, unit="1", kind="measured", method="all CPUs, mean over the load"),
        limits=(),
    )
