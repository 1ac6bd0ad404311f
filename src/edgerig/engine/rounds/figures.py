"""From the rounds of a cell to its figures: each is the median over rounds, with the interval between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from edgerig.artifact import WARNING, Artifact
from edgerig.engine.rounds.repetition import repetition_of, short_of
from edgerig.engine.rounds.steady import NANOSECOND
from edgerig.measure.census import Census, verdicts
from edgerig.measure.drift import drift_between
from edgerig.measure.intervals import Interval, round_interval
from edgerig.measure.judge import judge, judge_rounds, judge_width
from edgerig.measure.kinds import Kind, Measurement, ModelBand, Quantity, Unavailable
from edgerig.measure.spans import one_span
from edgerig.measure.stats import Distribution, summarize
from edgerig.results.round_warnings import round_warnings
from edgerig.results.scenario import Offline
from edgerig.results.types import CellResult, Latency, Round
from edgerig.rig.types import Measure
from edgerig.tasks.caveats import VACUOUS
from edgerig.tasks.judgement import Agreement

T = TypeVar("T", Latency, Offline)
#: In a method: that its figure has an interval.
WITH_INTERVAL = " with the 95 % interval between them"
#: The figures of `Latency` that are of the steady state.
STEADY = ("steady", "throughput", "per_sample", "mean", "p90", "p99")


def summed_up(
    result: CellResult, times_ns: Sequence[NDArray[np.int64]], measure: Measure, *, exact: bool = False
) -> CellResult:
    """``result`` with figures computed from all of its rounds, of which there is at least one.

    Args:
        result: Only its rounds and its one-time measurements are read.
        times_ns: The raw times of each round.
        measure: How the cell is measured.
        exact: Whether every round would give the same numbers.
    """
    rounds = result.rounds
    if rounds[0].steady is None:
        latency, memory, timed = result.latency, result.memory, None
    else:
        pooled = summarize(np.concatenate(times_ns) * NANOSECOND)
        latency, memory = _latency(result, pooled), _memory(rounds)
        timed = _of_a_typical_round(pooled, rounds)
    offline = _offline(result.offline, rounds, times_ns, latency) if result.offline else msgspec.UNSET
    repetition = repetition_of(rounds, latency.steady, measure, exact=exact)
    between = [*judge_rounds([entry.steady.median for entry in rounds if entry.steady]), *_unlike_outputs(rounds)]
    machine, machine_after = one_span([(entry.machine, entry.machine_after) for entry in rounds])
    doubts = (
        *_compiler_warnings(result.artifact),
        *_unmet_requests(result.census),
        *_round_warnings(rounds),
        *(text for text in (drift_between([e.steady.median for e in rounds if e.steady]),) if text is not None),
        *between,
        *judge_width(latency.steady, len(rounds), "the latency"),
        *short_of(repetition),
        *judge(machine, machine_after, rounds[0].threads, timed, result.clock),
    )
    return replace(
        result,
        latency=_with_warnings(latency, doubts),
        offline=_with_warnings(offline, doubts, ("throughput", "per_batch", "per_sample")) if offline else offline,
        memory=memory,
        machine_after=rounds[-1].machine_after,
        seconds=sum(entry.seconds for entry in rounds),
        repetition=repetition,
        warnings=tuple(dict.fromkeys((*doubts, *_others(result)))),
    )


def between_rounds(quantities: Sequence[Quantity]) -> Quantity:
    """One figure over several rounds: their median with its 95 % interval, clipped at 0.

    Rounds without a value are left out; if none has one, the first round's reason is returned.
    """
    numbers = [quantity for quantity in quantities if isinstance(quantity, Measurement)]
    if not numbers:
        return quantities[0]
    interval = round_interval([number.value for number in numbers])
    first = replace(numbers[0], value=interval.value, low=None, high=None)
    if interval.low is None:
        return first
    return _with_interval(first, interval, n=len(numbers))


def as_modelled(latency: Latency, model: ModelBand | Unavailable) -> Latency:
    """``latency`` of a session whose times come from a model: with the model's error as bounds, or why there are none.

    Without a distribution: the spread would be that of instruction counts.
    """

    def modelled(time: Quantity) -> Quantity:
        if isinstance(time, Unavailable) or isinstance(model, Unavailable):
            return model if isinstance(model, Unavailable) else time
        return model.of(replace(time, method=f"{time.method}; {model.method}"))

    each = latency.per_sample
    return replace(
        latency,
        load=modelled(latency.load),
        first=modelled(latency.first),
        steady=modelled(latency.steady),
        throughput=modelled(latency.throughput),
        distribution=None,
        per_sample=each if isinstance(each, msgspec.UnsetType) else modelled(each),
        mean=msgspec.UNSET,
        p90=msgspec.UNSET,
        p99=msgspec.UNSET,
    )


def _latency(result: CellResult, pooled: Distribution) -> Latency:
    """The times of ``result.rounds``; one-time measurements stay as they are."""
    return replace(
        result.latency,
        **times_of(result.rounds, pooled, result.clock, result.method, result.batch),
    )


def times_of(rounds: Sequence[Round], pooled: Distribution, clock: str, method: str, batch: int) -> dict[str, Any]:
    """The fields of `Latency` that are computed over rounds, each of which has its own times."""
    of = "" if batch == 1 else f" of an inference of {batch} samples"
    kind: Kind = next((entry.load.kind for entry in rounds if isinstance(entry.load, Measurement)), "measured")

    def steady(name: str, pick: Callable[[Distribution], float | None]) -> Quantity:
        values = [pick(entry.steady) for entry in rounds if entry.steady is not None]
        known = [value for value in values if value is not None]
        base = Measurement(
            value=pick(pooled) or 0.0, unit="s", kind=kind, clock=clock, n=pooled.n, method=f"{name}{of}; {method}"
        )
        if len(known) == len(values) and known:
            return _with_interval(base, round_interval(known), n=pooled.n)
        if pick(pooled) is None:
            return Unavailable(f"{pooled.n:,} inferences are too few for {name}")
        return replace(base, method=f"{name}{of} of all rounds together; {method}")

    median = steady("median", lambda d: d.median)
    each: Quantity | msgspec.UnsetType = msgspec.UNSET
    if batch > 1:
        each = _scaled(median, lambda x: x / batch, "s", f"{{}} / its batch of {batch} samples")
    rate: Quantity = Unavailable("the clock is too coarse: the median inference takes no time")
    if isinstance(median, Measurement) and median.value > 0 and pooled.median > 0:
        rate = _scaled(median, lambda x: batch / x, "1/s", f"{batch} / {{}}")
    return {
        "load": between_rounds([entry.load for entry in rounds]),
        "first": between_rounds([entry.first for entry in rounds]),
        "steady": median,
        "mean": steady("mean", lambda d: d.mean),
        "p90": steady("p90", lambda d: d.p90),
        "p99": steady("p99", lambda d: d.p99),
        "distribution": pooled,
        "throughput": rate,
        "per_sample": each,
    }


def _offline(
    offline: Offline, rounds: Sequence[Round], times_ns: Sequence[NDArray[np.int64]], latency: Latency
) -> Offline:
    """``offline`` with the times of its batches.

    Args:
        times_ns: The raw times of each round. latency: What was made of them.
    """
    steady, batch, count = latency.steady, offline.batch, offline.inferences
    per_batch: Quantity = steady
    medians = [entry.steady.median for entry in rounds if entry.steady is not None]
    if isinstance(steady, Measurement) and count > 1:
        how = f"{count} inferences in turn"
        if not medians:
            per_batch = _scaled(steady, lambda x: x * count, "s", f"{{}} x {how}")
        else:
            medians = [float(np.median(batch_times(times, count))) * NANOSECOND for times in times_ns]
            sums = sum(max(1, len(times) // count) for times in times_ns)
            _, _, rest = steady.method.partition(";")
            base = replace(steady, low=None, high=None, method=f"median of sums of {how};{rest}")
            per_batch = _with_interval(base, round_interval(medians), n=sums)
    rate: Quantity = Unavailable("the clock is too coarse: the median batch takes no time")
    if isinstance(per_batch, Unavailable) or per_batch.value > 0:
        rate = _scaled(per_batch, lambda x: batch / x, "1/s", f"{batch} / {{}}")
    each = _scaled(per_batch, lambda x: x / batch, "s", f"{{}} / its {batch} samples")
    known = tuple(medians) if isinstance(per_batch, Measurement) else ()
    return replace(offline, throughput=rate, per_batch=per_batch, per_sample=each, round_seconds=known)


def batch_times(times_ns: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Times of batches that take ``count`` inferences one after another.

    Args:
        times_ns: Of single inferences in their order, shape (m,), m >= 1.

    Returns:
        Sums of ``count`` times that follow each other, shape (m // count,); what is left over counts nowhere. Of fewer
        than ``count`` inferences, one: their sum, scaled up.

    >>> batch_times(np.array([1, 2, 3, 4, 5]), 2).tolist()
    [3.0, 7.0]
    >>> batch_times(np.array([1, 2]), 4).tolist()
    [6.0]
    """
    whole = len(times_ns) // count
    if whole == 0:
        return np.array([times_ns.sum() * (count / len(times_ns))])
    sums: NDArray[np.float64] = times_ns[: whole * count].reshape(whole, count).sum(axis=1).astype(np.float64)
    return sums


def _scaled(number: Quantity, of: Callable[[float], float], unit: str, method: str) -> Quantity:
    """A figure derived from a time, such as a rate; ``{}`` in ``method`` is replaced by the method of the time.

    A time whose interval begins at 0 bounds no rate: there is none, and the method says so.
    """
    if isinstance(number, Unavailable):
        return number
    what = method.format(f"({number.method.partition(';')[0]})")
    low, high = number.low, number.high
    try:
        ends = None if low is None or high is None else sorted((of(low), of(high)))
    except ZeroDivisionError:
        ends, what = None, f"{what.replace(WITH_INTERVAL, '')}; without an interval, since that of the time begins at 0"
    low, high = ends or (None, None)
    return replace(number, value=of(number.value), low=low, high=high, unit=unit, method=what)


def _with_interval(base: Measurement, interval: Interval, *, n: int) -> Measurement:
    if interval.low is None or interval.high is None:
        return replace(base, value=interval.value, n=n)
    name, _, rest = base.method.partition(";")
    method = f"{name}, median of {interval.n} rounds{WITH_INTERVAL}" + (f";{rest}" if rest else "")
    return replace(base, value=interval.value, low=max(0.0, interval.low), high=interval.high, n=n, method=method)


def _memory(rounds: Sequence[Round]) -> dict[str, Quantity]:
    names = dict.fromkeys(name for entry in rounds for name in entry.memory)
    return {name: between_rounds([entry.memory[name] for entry in rounds if name in entry.memory]) for name in names}


def _of_a_typical_round(pooled: Distribution, rounds: Sequence[Round]) -> Distribution:
    """All inferences, with the spread and the drift within a round: the difference between rounds is reported
    separately."""
    steadies = [entry.steady for entry in rounds if entry.steady is not None]
    return replace(
        pooled,
        spread=float(np.median([steady.spread for steady in steadies])),
        drift=float(np.median([steady.drift for steady in steadies])),
    )


def _others(result: CellResult) -> tuple[str, ...]:
    """What makes other figures than times less trustworthy: counts of an emulator, quality, agreement."""
    counted = result.instructions.warnings if isinstance(result.instructions, Measurement) else ()
    return (*counted, *result.quality.warnings, *_agreement_warnings(result.agreement))


def _compiler_warnings(artifact: Artifact) -> list[str]:
    """What the compilers of an artifact recorded as `WARNING`: it is about every number of it."""
    return [
        f"{origin.tool}: {text}" for origin in artifact.origins if isinstance(text := origin.options.get(WARNING), str)
    ]


def _round_warnings(rounds: Sequence[Round]) -> list[str]:
    """The warnings of single rounds; of several, with the round's number."""
    return round_warnings([(entry.number, text) for entry in rounds for text in entry.warnings], len(rounds))


def _unmet_requests(census: Census | Unavailable | msgspec.UnsetType) -> list[str]:
    """What was asked for and did not run so, in sentences; nothing where the engine tells no census."""
    return [verdict.text for verdict in verdicts(census) if verdict.text] if isinstance(census, Census) else []


def _unlike_outputs(rounds: Sequence[Round]) -> list[str]:
    """A warning where the engine gave other outputs for the same samples in another process."""
    unlike = [str(entry.number) for entry in rounds if entry.outputs != rounds[0].outputs]
    if not unlike:
        return []
    which = f"round {unlike[0]}" if len(unlike) == 1 else f"rounds {', '.join(unlike)}"
    return [
        f"The outputs of the first samples in {which} are not those of round 1: the engine does not give the same "
        "twice, and the quality is that of round 1."
    ]


def _with_warnings(times: T, warnings: tuple[str, ...], names: Sequence[str] = STEADY) -> T:
    """``times`` with these warnings at those of its figures that are ``names``."""

    def warned(quantity: Any) -> Any:
        return replace(quantity, warnings=warnings) if isinstance(quantity, Measurement) else quantity

    return replace(times, **{name: warned(getattr(times, name)) for name in names})


def _agreement_warnings(agreement: Agreement | Unavailable) -> tuple[str, ...]:
    """Warnings of the comparison with the float model; a missing comparison is no warning by itself."""
    if isinstance(agreement, Unavailable):
        return (f"Same as float is {agreement.reason}.",) if agreement.reason.startswith(VACUOUS) else ()
    return agreement.warnings
