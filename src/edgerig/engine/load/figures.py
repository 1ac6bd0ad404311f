"""From answered requests to the figures of a round under load, and from rounds to those of a cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from edgerig.engine.load.generator import Answers
from edgerig.engine.load.schedule import fewest_for, percentile_of
from edgerig.engine.rounds.figures import between_rounds
from edgerig.measure.intervals import round_interval
from edgerig.measure.judge import judge_width
from edgerig.measure.kinds import Measurement, Quantity, Unavailable
from edgerig.results.round_warnings import round_warnings
from edgerig.results.under_load import LoadRound, Percentiles, Tail, UnderLoad, lowest_failed
from edgerig.rig.types import Measure

NANOSECOND = 1e-9
HOST_CLOCK = "host perf_counter_ns"
PERCENTS = {"p50": 50.0, "p90": 90.0, "p99": 99.0}
#: What each percentile is of.
METHODS = {
    "latency": "from arrival to answer under load",
    "queueing": "waiting for a free session under load",
    "inference": "inference on the device under load",
    "transport": "from sending to answer under load, without the inference on the device's clock",
}

UNKNOWN = Percentiles(p50=None, p90=None, p99=None)
UNSCHEDULED = Unavailable("a stream sends its next request when the last is answered: none waits or is late")


def percentiles(times_ns: NDArray[np.int64]) -> Percentiles:
    """Percentiles in seconds of ``times_ns``, shape (n,); None where too few values lie beyond."""

    def pick(percent: float) -> float | None:
        return percentile_of(times_ns, percent) * NANOSECOND if len(times_ns) >= fewest_for(percent) else None

    return Percentiles(**{name: pick(percent) for name, percent in PERCENTS.items()})


def window_of(answers: Answers, streams: int) -> tuple[int, int]:
    """The time in ns in which all sessions were at work: from when the last of them had sent its first request, to
    when the first of them had its last answer. The whole time where that is empty."""
    busy = [answers.session == number for number in range(streams)]
    if all(mask.any() for mask in busy):
        start, end = max(int(answers.sent[mask].min()) for mask in busy), min(int(answers.done[m].max()) for m in busy)
        if end > start:
            return start, end
    return int(answers.sent.min()), int(answers.done.max())


def load_round(
    answers: Answers, streams: int, window: tuple[int, int], *, number: int, alone: float, energy: Quantity
) -> LoadRound:
    """The figures of a round, without its trials.

    Args:
        answers: At least one. window: The time in ns over which answers are counted for throughput.
    """
    start, end = window
    inside = (answers.done > start) & (answers.done <= end)
    # An inference that began before the window counts with the part of its time that lies inside.
    overlap = np.minimum(answers.done, end) - np.maximum(answers.done - answers.inference, start)
    seconds = (end - start) * NANOSECOND
    return LoadRound(
        number=number,
        alone=alone,
        requests=len(answers.done),
        seconds=seconds,
        throughput=float(inside.sum()) / seconds,
        # Those that were given up waited longest: percentiles of the others would flatter.
        latency=UNKNOWN if answers.unanswered else percentiles(answers.latency),
        queueing=UNKNOWN if answers.unanswered else percentiles(answers.queueing),
        inference=percentiles(answers.inference),
        transport=percentiles(answers.transport),
        late=percentiles(answers.late),
        busy=float(np.clip(overlap, 0, None).sum()) * NANOSECOND / (streams * seconds),
        energy=energy,
    )


def under_load_of(rounds: Sequence[LoadRound], measure: Measure, batch: int, device_clock: str) -> UnderLoad:
    """The figures of a cell over its rounds under load, of which there is at least one."""
    searched = measure.scenario == "server" and measure.rate is None
    # A round without a rate that holds the bound has no figures at such a rate.
    counted = [entry for entry in rounds if not searched or entry.rate is not None]
    streams = measure.streams or 1

    def over_rounds(pick: Callable[[LoadRound], float], unit: str, method: str) -> Quantity:
        if not counted:
            return _no_rate(rounds, measure)
        clock = None if unit == "J" else HOST_CLOCK
        figures = [
            Measurement(value=pick(entry), unit=unit, kind="measured", clock=clock, n=entry.requests, method=method)
            for entry in counted
        ]
        return between_rounds(figures)

    def tail(name: str) -> Tail:
        if measure.scenario == "streams" and name == "queueing":
            return Tail(p50=UNSCHEDULED, p90=UNSCHEDULED, p99=UNSCHEDULED)
        clock = device_clock if name == "inference" else HOST_CLOCK
        return Tail(**{p: _percentile(counted, name, p, clock, _no_rate(rounds, measure)) for p in PERCENTS})

    throughput = over_rounds(lambda entry: entry.throughput, "1/s", "requests answered / time under load")
    latency = tail("latency")
    wide = [
        *judge_width(throughput, len(counted), "the throughput"),
        *judge_width(latency.p50, len(counted), "the median latency under load"),
    ]
    verdicts = [entry.trials[-1].holds if not searched else entry.rate is not None for entry in rounds if entry.trials]
    return UnderLoad(
        scenario="server" if measure.scenario == "server" else "streams",
        streams=streams,
        batch=batch,
        throughput=throughput,
        latency=latency,
        queueing=tail("queueing"),
        inference=tail("inference"),
        transport=tail("transport"),
        late=UNSCHEDULED
        if measure.scenario == "streams"
        else _percentile(counted, "late", "p99", HOST_CLOCK, _no_rate(rounds, measure)),
        busy=_at_most_all(over_rounds(lambda entry: entry.busy, "1", "time in inferences / time of all sessions")),
        alone=between_rounds([_alone(entry) for entry in rounds]),
        energy=_energy(counted) if counted else _no_rate(rounds, measure),
        rate=_rate(counted, rounds, measure) if measure.scenario == "server" else msgspec.UNSET,
        searched=searched,
        bound=measure.bound_seconds,
        percentile=measure.percentile if measure.bound_seconds is not None else None,
        holds=all(verdicts) if measure.bound_seconds is not None else None,
        rounds=tuple(rounds),
        warnings=tuple(dict.fromkeys((*_numbered(rounds), *wide))),
    )


def _rate(counted: Sequence[LoadRound], rounds: Sequence[LoadRound], measure: Measure) -> Quantity:
    """The rate of arrivals: as asked for, which has no interval, or the median of the highest that held the bound.

    A round's search knows the highest rate only to the lowest that failed: the interval reaches up to that of these.
    """
    if not counted:
        return _no_rate(rounds, measure)
    if measure.rate is not None:
        method = "arrivals a second that were asked for"
        return Measurement(value=measure.rate, unit="1/s", kind="measured", clock=HOST_CLOCK, method=method)
    method = (
        f"highest rate of Poisson arrivals at which p{measure.percentile:g} of the latency is within "
        f"{measure.bound_seconds:g} s, by bisection to 5 %"
    )
    highest = between_rounds(
        [
            Measurement(
                value=entry.rate or 0.0, unit="1/s", kind="measured", clock=HOST_CLOCK, n=entry.requests, method=method
            )
            for entry in counted
        ]
    )
    failed = [rate for entry in counted if (rate := lowest_failed(entry)) is not None]
    if isinstance(highest, Unavailable) or highest.high is None:
        return highest
    above = round_interval(failed).high if len(failed) == len(counted) else None
    if above is None:
        return replace(highest, low=None, high=None, method=f"{method}; without an interval, since no rate failed")
    words = f"{highest.method}, which reaches to that of the lowest rates that failed"
    return replace(highest, high=max(highest.high, above), method=words)


def _at_most_all(share: Quantity) -> Quantity:
    """A share whose interval ends at 1."""
    if isinstance(share, Unavailable) or share.high is None:
        return share
    return replace(share, high=max(share.value, min(1.0, share.high)))


def _energy(rounds: Sequence[LoadRound]) -> Quantity:
    """Joules of an inference over the rounds that have them, all by one rail."""
    sources = {entry.energy.method for entry in rounds if isinstance(entry.energy, Measurement)}
    if len(sources) > 1:
        return Unavailable(f"its rounds tell the energy of unlike rails: {'; '.join(sorted(sources))}")
    return between_rounds([entry.energy for entry in rounds])


def _alone(entry: LoadRound) -> Measurement:
    method = "median from sending to answer, requests one after another on one session"
    return Measurement(value=entry.alone, unit="s", kind="measured", clock=HOST_CLOCK, method=method)


def _percentile(rounds: Sequence[LoadRound], name: str, which: str, clock: str, none: Unavailable) -> Quantity:
    if not rounds:
        return none
    method = METHODS.get(name, "how late the host sent requests")
    figures: list[Quantity] = []
    for entry in rounds:
        value = getattr(getattr(entry, name), which)
        if value is None and name in ("latency", "queueing") and (missing := _given_up(entry)) is not None:
            return missing
        if value is None:
            few = f"a round of {entry.requests:,} requests is too short for {which}: load_seconds makes it longer"
            return Unavailable(few)
        figures.append(
            Measurement(
                value=value, unit="s", kind="measured", clock=clock, n=entry.requests, method=f"{which}; {method}"
            )
        )
    return between_rounds(figures)


def _given_up(entry: LoadRound) -> Unavailable | None:
    """Why a round has no latency: requests were given up; None where all were answered."""
    for trial in entry.trials:
        if trial.rate == entry.rate and trial.answered < trial.requests:
            missing = trial.requests - trial.answered
            return Unavailable(f"{missing:,} of {trial.requests:,} requests were given up after waiting too long")
    return None


def _no_rate(rounds: Sequence[LoadRound], measure: Measure) -> Unavailable:
    tried = [trial.rate for entry in rounds for trial in entry.trials]
    lowest = f"; the lowest that was tried is {min(tried):.3g} a second" if tried else ""
    bound = measure.bound_seconds
    return Unavailable(f"no rate of arrivals held the bound of {bound or 0:g} s at p{measure.percentile:g}{lowest}")


def _numbered(rounds: Sequence[LoadRound]) -> list[str]:
    warnings = [(entry.number, text) for entry in rounds for text in entry.warnings]
    return round_warnings(warnings, len(rounds), ", under load")
