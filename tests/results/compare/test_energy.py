"""Verdicts on the energy of an inference whose joules are known, and limits on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.report.conftest import machine
from tests.results.conftest import make_measured
from tests.results.energies import powered
from tests.results.loads import BOUND, STREAMS, load_round, loaded, search

from edgerig.measure.energy import energy_per_inference
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.results.compare.stored import StoredOptions, compare_bundles
from edgerig.results.compare.types import MetricVerdict
from edgerig.results.energy import energy_of, energy_rounds

Write = Callable[..., Path]
NEAR = [1.0, 1.01, 0.99, 1.0, 1.005]


def joules(factor: float) -> list[float]:
    return [0.002 * factor * each for each in NEAR]


@pytest.fixture
def energy(write_run: Write) -> Callable[[Any, Any], MetricVerdict | None]:
    def verdict(a: Any, b: Any) -> MetricVerdict | None:
        (comparison,) = compare_bundles(write_run("a", a), write_run("b", b), StoredOptions()).comparisons
        return comparison.metrics.get("energy")

    return verdict


@pytest.mark.parametrize(
    ("factor", "verdict"), [(1.2, "worse"), (0.8, "better"), (1.0, "same"), (1.05, "inconclusive")]
)
def test_energy_by_its_interval_between_rounds(energy, factor: float, verdict: str) -> None:
    metric = energy(powered(joules(1.0)), powered(joules(factor)))
    assert (metric.verdict, metric.unit, metric.kind, metric.count) == (verdict, "J", "measured", 5)
    assert metric.value == pytest.approx(factor)
    assert metric.a == pytest.approx(0.002, rel=0.01)
    assert metric.low < factor < metric.high


def test_the_joules_of_each_round_are_those_of_the_rail_of_the_whole() -> None:
    cell, _ = powered(joules(1.0))
    assert [value for _, value in energy_rounds(cell)] == pytest.approx(joules(1.0))
    assert [number for number, _ in energy_rounds(cell)] == [1, 2, 3, 4, 5]
    # A round that nobody sampled is not one of them.
    short = replace(cell, rounds=(*cell.rounds[:4], replace(cell.rounds[4], utilisation=Unavailable("it was lost"))))
    assert [number for number, _ in energy_rounds(short)] == [1, 2, 3, 4]


def test_one_round_has_values_and_no_verdict(energy) -> None:
    metric = energy(powered([0.002]), powered(joules(2.0)))
    assert (metric.verdict, metric.value, metric.low, metric.high) == ("inconclusive", None, None, None)
    assert (metric.a, metric.b) == (pytest.approx(0.002, rel=0.01), pytest.approx(0.004, rel=0.01))
    assert "A was measured in one round" in metric.sentence


def test_unlike_rails_and_machines_are_refused_by_name(energy) -> None:
    metric = energy(powered(joules(1.0)), powered(joules(1.0), rail="package-0"))
    assert metric.verdict == "inconclusive"
    assert "energy of VDD_IN" in metric.sentence
    assert "energy of package-0" in metric.sentence
    metric = energy(powered(joules(1.0)), powered(joules(1.0), machine=machine(cpu="Cortex-A72")))
    assert (metric.verdict, "Cortex-A72" in metric.sentence) == ("inconclusive", True)
    metric = energy(powered(joules(1.0)), powered(joules(1.0), batch=4))
    assert "n inference of A takes 1 sample, one of B 4" in metric.sentence


def test_energy_that_one_has_is_told_and_that_neither_has_is_no_row(energy) -> None:
    metric = energy(powered(joules(1.0)), make_measured([100e-6] * 5))
    assert (metric.verdict, metric.b) == ("inconclusive", None)
    assert "B has no energy: no power meter was read" in metric.sentence
    assert energy(make_measured([100e-6] * 5), make_measured([100e-6] * 5)) is None


def of_round(value: float, kind: Any = "measured", rail: str = "package-0") -> Measurement:
    quantity = energy_per_inference([({rail: value}, 1)], "", "the time under load")
    assert isinstance(quantity, Measurement)
    return replace(quantity, kind=kind)


def under_load(values: list[float], kind: Any = "measured", **changes: Any) -> Any:
    measure = changes.pop("measure", STREAMS)
    rounds = [load_round(number, energy=of_round(each, kind), **changes) for number, each in enumerate(values, 1)]
    return loaded(rounds, measure)


def test_energy_under_load_is_compared_with_that_of_a_like_load(energy) -> None:
    metric = energy(under_load(joules(1.0)), under_load(joules(1.5)))
    assert (metric.verdict, metric.value) == ("worse", pytest.approx(1.5))
    metric = energy(under_load(joules(1.0)), powered(joules(1.0), rail="package-0"))
    assert "unlike rails or times" in metric.sentence
    at_bound = under_load(joules(1.0), measure=BOUND, **search(100.0, 104.0))
    metric = energy(at_bound, at_bound)
    assert (metric.verdict, "at another load" in metric.sentence) == ("inconclusive", True)


def test_numbers_of_two_kinds_are_never_set_against_each_other(energy) -> None:
    metric = energy(under_load(joules(1.0)), under_load(joules(1.0), "estimated"))
    assert metric.verdict == "inconclusive"
    assert "A's energy is measured, B's estimated" in metric.sentence
    metric = energy(under_load(joules(1.0), "estimated"), under_load(joules(1.5), "estimated"))
    assert (metric.verdict, metric.kind) == ("worse", "estimated")


def test_rounds_under_load_of_unlike_rails_have_no_energy() -> None:
    rounds = [load_round(n, energy=of_round(0.002, rail=rail)) for n, rail in enumerate(("package-0", "VDD_IN"), 1)]
    energy = energy_of(loaded(rounds)[0])
    assert isinstance(energy, Unavailable)
    assert "unlike rails" in energy.reason


@pytest.mark.parametrize(
    ("factor", "limit", "outcome"),
    [
        (1.0, "5 %", "passed"),
        (1.2, "5 %", "regressed"),
        (1.05, "5 %", "inconclusive"),
        (1.2, "1 mJ", "passed"),
        (1.2, "100 uJ", "regressed"),
        (1.2, "< 3 mJ", "passed"),
        (1.2, "< 2 mJ", "regressed"),
        (1.0, "< 2 mJ", "inconclusive"),
    ],
)
def test_a_limit_on_energy(check, factor: float, limit: str, outcome: str) -> None:
    (result,) = check(powered(joules(1.0)), powered(joules(factor)), {"energy": limit})
    assert (result.outcome, result.metric) == (outcome, "energy")


def test_energy_of_one_round_or_of_one_side_passes_nothing(check) -> None:
    results = check(powered(joules(1.0)), powered([0.001]), {"energy": ["5 %", "< 1 J"]})
    assert [each.outcome for each in results] == ["inconclusive", "inconclusive"]
    (result,) = check(powered(joules(1.0)), make_measured([100e-6] * 5), {"energy": "5 %"})
    assert (result.outcome, "B has no energy" in result.sentence) == ("inconclusive", True)
    assert check(make_measured([100e-6] * 5), make_measured([100e-6] * 5), {"energy": "5 %"}) == []
