"""What a load showed."""

from __future__ import annotations

import msgspec

from edgerig.measure.kinds import Measurement, Quantity


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """A distribution of times."""

    mean: Measurement
    p50: Measurement
    p95: Measurement
    p99: Measurement
    max: Measurement


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """How the tool itself fared: what it says of the server is true only as far as it was not the limit.

    Attributes:
        processes: How many made the load.
        cpu: The CPU time of the busiest of them, as a share of the load's time; with 1 it can send no faster.
        late: By how much it was late where nothing but itself was in the way.
        machine: How busy all CPUs of this machine were.
        limits: Why the server may be better than the figures say, in sentences; empty if nothing speaks for it.
    """

    processes: int
    cpu: Measurement
    late: Times
    machine: Quantity
    limits: tuple[str, ...]


class StressResult(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of a load.

    Attributes:
        address, protocol, connections, requests, rate, reconnect: Of the load; ``requests`` of each connection.
        arrivals: ``closed`` or ``poisson``.
        total: Requests that were made. good, failed: how many had a good reply, and how many not.
        failures: Number of failures by kind.
        seconds: From the beginning to the last good reply. throughput: Good replies by that.
        latency: Of good replies, from when the request was due.
        service: The same from when the request was begun: it hides what waited for a connection.
        connect: Times of opening connections.
        server: The mean of what the server says that its work took.
        waited: Requests that were due while all connections were busy.
        unmade: Requests that were not made, since the server was gone: it refused all connections.
        histogram: Upper bounds of latency in s, and how many good replies lie up to each and above the one before.
        warnings: What the reader of the figures should know.
    """

    address: str
    protocol: str
    connections: int
    requests: int
    rate: float | None
    arrivals: str
    reconnect: bool
    total: int
    good: int
    failed: int
    failures: dict[str, int]
    seconds: Quantity
    throughput: Quantity
    latency: Times | None
    service: Times | None
    connect: Times | None
    server: Quantity
    waited: int
    tool: Tool
    histogram: tuple[tuple[float, int], ...]
    unmade: int = 0
    warnings: tuple[str, ...] = ()
