"""Results of the scenarios *streams* and *server*: what a device does when several requests are under way."""

from __future__ import annotations

from typing import Literal

import msgspec

from edgerig.measure.kinds import Quantity

LoadScenario = Literal["streams", "server"]


class Tail(msgspec.Struct, frozen=True, kw_only=True):
    """Percentiles of a time over the requests of a round, in seconds; with several rounds, each is the median over
    rounds with the 95 % interval between them. One that too few requests lie beyond is unavailable."""

    p50: Quantity
    p90: Quantity
    p99: Quantity


class Percentiles(msgspec.Struct, frozen=True, kw_only=True):
    """Percentiles of a time over the requests of one round, in seconds; None where too few lie beyond."""

    p50: float | None
    p90: float | None
    p99: float | None


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """Requests that arrived at one rate.

    Attributes:
        rate: Requests a second that were asked for.
        requests: Requests of the schedule. answered: Those of them that were answered before the trial ended.
        over: Answers that took longer than the bound.
        tail: The latency at the percentile of the bound, in seconds; None where the trial was ended early.
        kept_up: Whether the sessions kept up, so that no queue grew.
        holds: Whether the rate holds the bound; None without a bound.
        late: 99th percentile of how much later than planned the host sent a request although a session was free, in
            seconds.
    """

    rate: float
    requests: int
    answered: int
    over: int
    tail: float | None
    kept_up: bool
    holds: bool | None
    late: float


class LoadRound(msgspec.Struct, frozen=True, kw_only=True):
    """One round under load, on sessions of its own. Times in seconds.

    Attributes:
        number: From 1; that of the cell's round.
        alone: Median latency of requests one after another on one session, the others idle.
        requests: Answered requests behind the figures. seconds: Host time in which they were answered.
        throughput: Answers a second.
        latency: From arrival to answer. queueing: Of that, waiting for a free session. transport: Of that, the way
            there and back. late: Of that, what the host was late. All on the host's clock.
        inference: On the device's clock.
        busy: Share of the time in which the sessions ran inferences.
        energy: Joules of an inference.
        trials: The rates that were tried, in the order of time; none in the scenario streams.
        rate: The rate behind the figures; None where no rate held the bound, or in the scenario streams.
        warnings: What makes this round less trustworthy.
    """

    number: int
    alone: float
    requests: int
    seconds: float
    throughput: float
    latency: Percentiles
    queueing: Percentiles
    inference: Percentiles
    transport: Percentiles
    late: Percentiles
    busy: float
    energy: Quantity
    trials: tuple[Trial, ...] = ()
    rate: float | None = None
    warnings: tuple[str, ...] = ()


def lowest_failed(entry: LoadRound) -> float | None:
    """The lowest rate that failed in a round of a search, above its highest that held; None where none failed."""
    return min((trial.rate for trial in entry.trials if not trial.holds), default=None)


class UnderLoad(msgspec.Struct, frozen=True, kw_only=True):
    """A cell under load. Latency, queueing and transport are of the host's clock, inference of the device's.

    Attributes:
        scenario: ``streams``: each session takes its next request as soon as the last is answered. ``server``: requests
            arrive at random times, and wait in one queue for a free session.
        streams: Sessions, each a process of its own.
        batch: Samples of a request, which is one inference.
        throughput: Requests answered a second.
        latency: From arrival to answer. queueing: Waiting for a free session. inference: On the device.
            transport: The rest of it.
        late: 99th percentile of how much later than planned the host sent requests.
        busy: Share of the time in which the sessions ran inferences.
        alone: Median latency of requests one after another on one session.
        energy: Joules of an inference.
        rate: In the scenario server, arrivals a second: as asked for, or the highest that holds the bound.
        searched: Whether the rate was searched.
        bound: The latency bound in seconds. percentile: Of latency, that is held against it, in percent.
        holds: Whether the bound was held in all rounds; None without a bound.
        rounds: The rounds behind the figures.
        warnings: What makes the figures less trustworthy.
    """

    scenario: LoadScenario
    streams: int
    batch: int
    throughput: Quantity
    latency: Tail
    queueing: Tail
    inference: Tail
    transport: Tail
    late: Quantity
    busy: Quantity
    alone: Quantity
    energy: Quantity
    rate: Quantity | msgspec.UnsetType = msgspec.UNSET
    searched: bool = False
    bound: float | None = None
    percentile: float | None = None
    holds: bool | None = None
    rounds: tuple[LoadRound, ...] = ()
    warnings: tuple[str, ...] = ()
