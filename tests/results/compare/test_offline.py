"""Verdicts on the throughput of the scenario offline, by stored rounds whose numbers are known."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from tests.report.conftest import machine
from tests.results.conftest import make_measured
from tests.results.loads import NEAR, loaded, offline, scaled, streams

from edgerig.measure.comparison import Estimate
from edgerig.results.compare.offline import throughput_of
from edgerig.results.compare.times import LATENCY, judged, undecided


def batches(factor: float = 1.0, *args: Any, **kwargs: Any) -> Any:
    return offline([each * factor for each in NEAR], *args, **kwargs)


@pytest.mark.parametrize(
    ("factor", "verdict"), [(1.2, "worse"), (0.8, "better"), (1.0, "same"), (1.02, "inconclusive")]
)
@pytest.mark.parametrize("inferences", [1, 8])
def test_throughput_offline_by_its_interval_between_rounds(
    compared, inferences: int, factor: float, verdict: str
) -> None:
    metric = compared(batches(inferences=inferences), batches(factor, inferences=inferences)).metrics["throughput"]
    assert (metric.verdict, metric.unit, metric.count, metric.higher_is_better) == (verdict, "1/s", 5, True)
    assert metric.value == pytest.approx(1 / factor, rel=1e-3)
    assert (metric.low or 9) < 1 / factor < (metric.high or 0)
    # 8 samples in 100 us.
    assert metric.a == pytest.approx(80_000, rel=0.01)


def test_batches_at_once_and_in_turn_are_the_same_work_and_their_inferences_are_not(compared) -> None:
    comparison = compared(batches(inferences=8), batches(0.5))
    throughput = comparison.metrics["throughput"]
    assert (throughput.verdict, throughput.value) == ("better", pytest.approx(2.0, rel=0.01))
    latency = comparison.metrics["latency"]
    assert (latency.verdict, latency.value) == ("inconclusive", None)
    assert "n inference of A takes 1 sample, one of B 8" in latency.sentence


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (batches(2.0, 16), "batches of 8 and 16"),
        (batches(2.0, inferences=8, kept=False), "The bundle of B is of an edgerig that kept no time of a batch"),
        (offline([2.0]), "B was measured in one round"),
    ],
)
def test_what_is_not_alike_has_values_and_no_change(compared, other: Any, words: str) -> None:
    metric = compared(batches(), other).metrics["throughput"]
    assert (metric.verdict, metric.value, metric.low) == ("inconclusive", None, None)
    assert words in metric.sentence
    assert metric.a == pytest.approx(80_000, rel=0.01)
    assert metric.b


def test_other_machines_are_refused_by_name(compared) -> None:
    cell, arrays = batches(2.0)
    metric = compared(batches(), (replace(cell, machine=machine(cpu="Cortex-A72")), arrays)).metrics["throughput"]
    assert (metric.verdict, metric.value, "Cortex-A72" in metric.sentence) == ("inconclusive", None, True)


def test_a_bundle_from_before_has_the_times_of_its_inferences(compared) -> None:
    metric = compared(batches(), batches(1.2, kept=False)).metrics["throughput"]
    assert (metric.verdict, metric.value) == ("worse", pytest.approx(1 / 1.2, rel=0.01))


@pytest.mark.parametrize(
    ("other", "words"),
    [(make_measured([100e-6] * 5), "one request after another"), (loaded(streams(scaled(1.0))), "scenario streams")],
)
def test_another_scenario_is_a_note(compared, other: Any, words: str) -> None:
    comparison = compared(batches(), other)
    assert "throughput" not in comparison.metrics
    (note,) = (each for each in comparison.notes if "not compared" in each)
    assert note.startswith(
        "Throughput and latency under load are not compared: A was measured in the scenario offline, B "
    )
    assert words in note


def test_pairs_of_inferences_tell_the_throughput_by_the_inverse_of_their_ratio() -> None:
    cells = (batches()[0], batches(1.25)[0])
    estimate = Estimate(ratio=1.25, low=1.2, high=1.3, count=6, level=0.0125, spread=0.01)
    metric = throughput_of(judged(LATENCY, estimate, 1e-4, 1.25e-4, what="pairs", method="m"), cells)
    assert metric is not None
    assert (metric.verdict, metric.count) == ("worse", 6)
    assert (metric.value, metric.low, metric.high) == pytest.approx((0.8, 1 / 1.3, 1 / 1.2))
    assert (metric.a, metric.b) == pytest.approx((80_000, 64_000))
    nothing = throughput_of(undecided(LATENCY, "all pairs were lost"), cells)
    assert nothing is not None
    assert (nothing.verdict, nothing.value) == ("inconclusive", None)
    assert throughput_of(undecided(LATENCY, "no"), (cells[0], make_measured([1e-4])[0])) is None
    assert throughput_of(undecided(LATENCY, "no"), (cells[0], batches(inferences=8)[0])) is None
