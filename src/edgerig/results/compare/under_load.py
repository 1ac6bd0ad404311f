"""Verdicts on the scenarios *streams* and *server*: throughput, highest rate within the bound, latency under load."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from msgspec.structs import replace

from edgerig.measure.comparison import LEVEL
from edgerig.measure.kinds import Measurement, Quantity, Unavailable
from edgerig.measure.machine import MachineState
from edgerig.results.compare.likeness import other_machine, why_not_times
from edgerig.results.compare.rounds import by_rounds, few_rounds, ratio_between, typical
from edgerig.results.compare.times import Metric, judged, undecided
from edgerig.results.compare.types import MetricVerdict, Verdict
from edgerig.results.types import CellResult
from edgerig.results.under_load import LoadRound, UnderLoad, lowest_failed

THROUGHPUT = Metric(
    name="throughput", words="the throughput under load", unit="1/s", margin=0.05, slower=False, higher_is_better=True
)
#: The margin is twice the step at which the search ends: within one step two searches tell nothing apart.
RATE = Metric(
    name="rate",
    words="the highest rate within the bound",
    unit="1/s",
    margin=0.1,
    slower=False,
    higher_is_better=True,
)
#: Latencies under load, by the percentile; they vary more than those of requests one after another.
TAILS = {
    name: Metric(name=f"{name}_under_load", words=f"the latency under load at {name}", margin=margin)
    for name, margin in (("p50", 0.1), ("p90", 0.25), ("p99", 0.25))
}
#: How a note begins that says why there is no verdict under load.
NOT_COMPARED = "Throughput and latency under load are not compared"
_UNLIKE_RATES = (
    "each latency is of the highest rate of its own, and so at another load: rounds at a set rate compare latencies"
)
_GROWING = "did not keep up with the rate: its latencies are of the trial's length, not of the device"


def load_verdicts(
    cells: tuple[CellResult, CellResult],
    hosts: tuple[MachineState, MachineState],
    *,
    paired: bool,
    level: float = LEVEL,
) -> tuple[dict[str, MetricVerdict], list[str]]:
    """The verdicts on two cells under load, by name, and notes. Neither has any in the other scenarios.

    Args:
        hosts: The machines that made the load. paired: Whether the rounds of the two took turns.
        level: How often each interval may miss.
    """
    a, b = (None if isinstance(cell.under_load, msgspec.UnsetType) else cell.under_load for cell in cells)
    if a is None or b is None:
        scenarios = [scenario_words(cell) for cell in cells]
        same = scenarios[0] == scenarios[1]
        return {}, [] if same else [f"{NOT_COMPARED}: A was measured {scenarios[0]}, B {scenarios[1]}."]
    refused = why_not_load(cells, hosts, a, b)
    paired = paired and [entry.number for entry in a.rounds] == [entry.number for entry in b.rounds]
    metrics: dict[str, MetricVerdict] = {}
    if "streams" in (a.scenario, b.scenario):
        metrics[THROUGHPUT.name] = _number(
            THROUGHPUT, (a, b), lambda load: load.throughput, _throughput, refused, paired, level
        )
    if a.searched or b.searched:
        metrics[RATE.name] = _rate(a, b, refused, paired, level)
    for name, metric in TAILS.items():
        why = refused or _why_not_tail(name, a, b)
        metrics[metric.name] = _number(metric, (a, b), _whole(name), _percentile(name), why, paired, level)
    return metrics, _notes(a, b)


def scenario_words(cell: CellResult) -> str:
    """How samples came to a cell, in a few words."""
    if not isinstance(cell.under_load, msgspec.UnsetType):
        return f"in the scenario {cell.under_load.scenario}"
    return "one request after another" if isinstance(cell.offline, msgspec.UnsetType) else "in the scenario offline"


def why_not_load(
    cells: tuple[CellResult, CellResult], hosts: tuple[MachineState, MachineState], a: UnderLoad, b: UnderLoad
) -> str | None:
    """Why the figures of two loads cannot be compared; None where they can."""
    if (other := other_machine(*hosts)) is not None:
        return f"the machines that made the load are not alike: {other}"
    ways = [cell.target.partition("://")[0] for cell in cells]
    if ways[0] != ways[1]:
        return f"A was reached by {ways[0]}, B by {ways[1]}, which is part of every latency under load"
    for words, first, second in (
        ("scenario", a.scenario, b.scenario),
        ("number of sessions", a.streams, b.streams),
        ("batch of a request", a.batch, b.batch),
        ("rate of arrivals", _asked_rate(a), _asked_rate(b)),
        ("latency bound", _bound(a), _bound(b)),
    ):
        if first != second:
            return f"the loads are not alike: {words} {first} and {second}"
    return why_not_times(*cells)


def _asked_rate(load: UnderLoad) -> str:
    if load.scenario == "streams" or load.searched:
        return "as high as it goes"
    return f"{load.rate.value:g} a second" if isinstance(load.rate, Measurement) else "unknown"


def _bound(load: UnderLoad) -> str:
    # At a set rate the bound changes nothing of what is measured.
    return f"{load.bound:g} s at p{load.percentile:g}" if load.searched and load.bound is not None else "none"


def _why_not_tail(name: str, a: UnderLoad, b: UnderLoad) -> str | None:
    """Why the latencies of two like loads cannot be compared at a percentile; None where they can."""
    if a.searched:
        return _UNLIKE_RATES
    for side, load in (("A", a), ("B", b)):
        if any(not trial.kept_up for entry in load.rounds for trial in entry.trials):
            return f"{side} {_GROWING}"
        quantity = getattr(load.latency, name)
        if isinstance(quantity, Unavailable):
            return f"{side} has no {name} under load: {quantity.reason}"
    return None


def _number(
    metric: Metric,
    loads: tuple[UnderLoad, UnderLoad],
    whole: Callable[[UnderLoad], Quantity],
    of_round: Callable[[LoadRound], float | None],
    refused: str | None,
    paired: bool,
    level: float,
) -> MetricVerdict:
    """The verdict on one number of the rounds under load."""
    a, b = (_value(whole(load)) for load in loads)
    series = [[of_round(entry) for entry in load.rounds] for load in loads]
    return by_rounds(metric, series, (a, b), refused, 0.0, paired, "some round under load has none", level=level)


def _rate(a: UnderLoad, b: UnderLoad, refused: str | None, paired: bool, level: float) -> MetricVerdict:
    """The verdict on the highest rates that hold the bound.

    A round knows its rate between the highest that held and the lowest that failed. The interval is that of the ratio
    between rounds, taken at those ends that make it lowest and highest, so that the steps of the search are in it.
    """
    values = [None if isinstance(load.rate, msgspec.UnsetType) else _value(load.rate) for load in (a, b)]
    rounds = [load.rounds for load in (a, b)]
    if refused is None and (few := few_rounds(rounds)) is not None:
        refused = f"{few}, since a search tries each rate once"
    if refused is not None:
        return undecided(RATE, refused, *values)
    highest, failed = ([[of(entry) for entry in each] for each in rounds] for of in (_held, lowest_failed))
    for side, rates in zip("AB", highest, strict=True):
        if not any(rates):
            return _without_rate(side, *values, highest=highest, failed=failed)
        if not all(rates):
            return undecided(RATE, f"in some round of {side} no rate of arrivals held the bound", *values)
    if not all(all(rates) for rates in failed):
        return undecided(RATE, "a search ended before any rate failed, so that the highest is not known", *values)
    (a_held, b_held), (a_failed, b_failed) = (
        [[rate or 0.0 for rate in each] for each in ends] for ends in (highest, failed)
    )
    estimated, method = ratio_between(a_held, b_held, paired=paired, level=level)
    low, _ = ratio_between(a_failed, b_held, paired=paired, level=level)
    high, _ = ratio_between(a_held, b_failed, paired=paired, level=level)
    method = f"highest rates of the searches; {method}, widened by the last step of each search"
    return judged(
        RATE,
        replace(estimated, low=low.low, high=high.high),
        typical(a_held),
        typical(b_held),
        what="rounds",
        method=method,
    )


def _without_rate(
    side: str,
    a: float | None,
    b: float | None,
    *,
    highest: Sequence[Sequence[float | None]],
    failed: Sequence[Sequence[float | None]],
) -> MetricVerdict:
    """The verdict where no round of one side held the bound at any rate: below the lowest that was tried."""
    none, other = ("A", "B") if side == "A" else ("B", "A")
    lowest = min(rate for rate in failed["AB".index(none)] if rate is not None)
    rates = [rate for rate in highest["AB".index(other)] if rate is not None]
    reason = f"no rate of arrivals held the bound in {none}, down to {lowest:.4g} a second"
    if len(rates) < len(highest["AB".index(other)]) or min(rates) <= lowest * (1 + RATE.margin):
        return undecided(RATE, f"{reason}: there is no ratio", a, b)
    verdict: Verdict = "worse" if none == "B" else "better"
    beyond = lowest / min(rates)
    return MetricVerdict(
        verdict=verdict,
        sentence=f"{reason[:1].upper()}{reason[1:]}; {other} held it at {min(rates):.4g} a second and more.",
        a=a,
        b=b,
        unit=RATE.unit,
        low=0.0 if none == "B" else None,
        high=beyond if none == "B" else None,
        margin=RATE.margin,
        count=len(rates),
        higher_is_better=True,
        method="the lowest rate that failed against the lowest that held, of all rounds",
    )


def _held(entry: LoadRound) -> float | None:
    return entry.rate


def _throughput(entry: LoadRound) -> float | None:
    return entry.throughput


def _whole(name: str) -> Callable[[UnderLoad], Quantity]:
    def quantity(load: UnderLoad) -> Quantity:
        value: Quantity = getattr(load.latency, name)
        return value

    return quantity


def _percentile(name: str) -> Callable[[LoadRound], float | None]:
    def seconds(entry: LoadRound) -> float | None:
        value: float | None = getattr(entry.latency, name)
        return value

    return seconds


def _value(quantity: Quantity) -> float | None:
    return quantity.value if isinstance(quantity, Measurement) else None


def _notes(a: UnderLoad, b: UnderLoad) -> list[str]:
    """Where one holds the bound at the rate that was set, and the other does not."""
    if a.searched or b.searched or a.holds == b.holds or None in (a.holds, b.holds):
        return []
    holds, fails = ("A", "B") if a.holds else ("B", "A")
    return [f"At the rate that was set {holds} holds its latency bound, {fails} does not."]
