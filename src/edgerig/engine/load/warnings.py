"""What makes the figures of a round under load less trustworthy."""

from __future__ import annotations

from edgerig.results.under_load import LoadRound
from edgerig.rig.types import Measure

#: The host's lateness as a share of the latency above which the schedule was not the one that was asked for.
LATE_SHARE = 0.1


def doubts_about(entry: LoadRound, measure: Measure, *, cores: int, threads: int) -> tuple[str, ...]:
    """Sentences about a round that was measured on a device of ``cores`` cores, by engines of ``threads`` threads."""
    streams = measure.streams or 1
    texts = [_oversubscribed(streams, threads, cores), _late(entry), _driven_by_host(entry, measure)]
    texts += [_overloaded(entry, measure)]
    return tuple(text for text in texts if text is not None)


def _oversubscribed(streams: int, threads: int, cores: int) -> str | None:
    if cores <= 0 or streams * threads <= cores:
        return None
    each = "" if threads == 1 else f" of {threads} threads each"
    return f"{streams} sessions{each} share {cores} cores: they take turns, and wait for one another."


def _late(entry: LoadRound) -> str | None:
    """The host could not generate the load in time."""
    late, latency = entry.late.p99 or entry.late.p90, entry.latency.p99 or entry.latency.p90
    if late is None or latency is None or late <= LATE_SHARE * latency:
        return None
    return (
        f"This host sent requests up to {late * 1e3:.3g} ms late (p99), which is {late / latency:.0%} of the latency's "
        "and part of it: it did not generate the load in time."
    )


def _driven_by_host(entry: LoadRound, measure: Measure) -> str | None:
    """The sessions were idle for most of the time although requests were there."""
    transport, inference = entry.transport.p50, entry.inference.p50
    if measure.rate is not None or transport is None or inference is None or transport <= inference:
        return None
    figure = "throughput" if measure.scenario == "streams" else "rate"
    return (
        f"A request spends {transport / (transport + inference):.0%} of its time between host and session, and the "
        f"sessions run inferences for {entry.busy:.0%} of theirs: the {figure} is that of samples sent one by one, "
        "not the most that the device can do."
    )


def _overloaded(entry: LoadRound, measure: Measure) -> str | None:
    """A rate that was asked for, and that the sessions cannot answer."""
    if measure.rate is None or not entry.trials or entry.trials[-1].kept_up:
        return None
    trial = entry.trials[-1]
    missing = f"; {trial.requests - trial.answered:,} of {trial.requests:,} requests were given up"
    return (
        f"The sessions did not keep up with {trial.rate:.4g} arrivals a second: the queue grew"
        f"{missing if trial.answered < trial.requests else ''}. Latencies are of the trial's length, not of the device."
    )
