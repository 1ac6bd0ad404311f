"""Cells under load with rounds whose numbers are known, without running anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec.structs import replace
from tests.results.conftest import make_measured

from edgerig.engine.load.figures import under_load_of
from edgerig.engine.rounds.figures import summed_up
from edgerig.measure.kinds import Unavailable
from edgerig.results.scenario import Offline
from edgerig.results.types import CellResult
from edgerig.results.under_load import LoadRound, Percentiles, Trial
from edgerig.rig.types import Measure

NEAR = [1.0, 1.01, 0.99, 1.0, 1.005]
STREAMS = Measure(scenario="streams", streams=4)
BOUND = Measure(scenario="server", latency_bound="20 ms")
SET = Measure(scenario="server", rate=100.0, latency_bound="20 ms")


def load_round(number: int, throughput: float = 100.0, latency: float = 0.01, **changes: Any) -> LoadRound:
    tail = Percentiles(p50=latency, p90=2 * latency, p99=3 * latency)
    entry = LoadRound(
        number=number,
        alone=0.005,
        requests=1000,
        seconds=10.0,
        throughput=throughput,
        latency=tail,
        queueing=tail,
        inference=tail,
        transport=tail,
        late=tail,
        busy=0.5,
        energy=Unavailable("no meter"),
    )
    return replace(entry, **changes)


def search(held: float | None, failed: float | None) -> dict[str, Any]:
    """The trials of a search that ended between two rates."""
    trial = Trial(rate=0.0, requests=1000, answered=1000, over=0, tail=0.01, kept_up=True, holds=True, late=0.0)
    trials = [replace(trial, rate=held)] if held is not None else []
    trials += [replace(trial, rate=failed, holds=False)] if failed is not None else []
    return {"trials": tuple(trials), "rate": held}


def loaded(
    rounds: Sequence[LoadRound], measure: Measure = STREAMS, **changes: Any
) -> tuple[CellResult, dict[str, Any]]:
    """A cell with these rounds under load."""
    cell, arrays = make_measured([100e-6] * len(rounds))
    return replace(cell, under_load=under_load_of(rounds, measure, 1, "ticks"), **changes), arrays


def streams(throughputs: Sequence[float], latency: float = 0.01) -> list[LoadRound]:
    return [
        load_round(number, each, latency * 100 / each * factor)
        for number, (each, factor) in enumerate(zip(throughputs, NEAR, strict=False), 1)
    ]


def scaled(factor: float) -> list[float]:
    return [100 * factor * each for each in NEAR]


def searched(rates: Sequence[float], step: float = 1.04) -> list[LoadRound]:
    return [load_round(n, rate, **search(rate, rate * step)) for n, rate in enumerate(rates, 1)]


def without_rate(lowest: float, count: int = 3) -> list[LoadRound]:
    return [load_round(number, **search(None, lowest)) for number in range(1, count + 1)]


def at_set_rate(latency: float, *, kept_up: bool = True, holds: bool = True) -> list[LoadRound]:
    trial = Trial(
        rate=100.0, requests=1000, answered=1000, over=0, tail=latency, kept_up=kept_up, holds=holds, late=0.0
    )
    return [load_round(n, 100.0, latency * factor, trials=(trial,), rate=100.0) for n, factor in enumerate(NEAR, 1)]


def offline(
    medians: Sequence[float], batch: int = 8, inferences: int = 1, kept: bool = True
) -> tuple[CellResult, dict[str, Any]]:
    """A cell whose rounds took these multiples of 100 us for each batch, at once or in turn.

    Args:
        kept: Whether the times of batches of each round are kept, as bundles from before did not.
    """
    cell, arrays = make_measured([100e-6 * each / inferences for each in medians])
    cell = replace(cell, batch=batch // inferences)
    later = Unavailable("no round was summed up")
    in_turn = None if inferences == 1 else "The batch is fixed."
    empty = Offline(
        batch=batch, inferences=inferences, in_turn=in_turn, throughput=later, per_batch=later, per_sample=later
    )
    times = [np.full(2 * inferences, round(each * 100_000 / inferences)) for each in medians]
    cell = summed_up(replace(cell, offline=empty), times, Measure(scenario="offline", batch=batch, rounds=len(medians)))
    assert cell.offline
    return cell if kept else replace(cell, offline=replace(cell.offline, round_seconds=())), arrays
