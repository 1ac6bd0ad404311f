"""Verdicts on stored rounds under load whose numbers are known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.report.conftest import machine
from tests.results.conftest import make_measured
from tests.results.loads import (
    BOUND,
    SET,
    STREAMS,
    at_set_rate,
    load_round,
    loaded,
    scaled,
    search,
    searched,
    streams,
    without_rate,
)

from edgerig.results.compare.stored import StoredOptions, compare_bundles
from edgerig.results.compare.types import MetricVerdict
from edgerig.rig.types import Measure

Write = Callable[..., Path]


@pytest.mark.parametrize(
    ("factor", "verdict"), [(1.2, "better"), (0.8, "worse"), (1.0, "same"), (1.05, "inconclusive")]
)
def test_throughput_of_streams_by_its_interval_between_rounds(compared, factor: float, verdict: str) -> None:
    comparison = compared(loaded(streams(scaled(1.0))), loaded(streams(scaled(factor))))
    throughput = comparison.metrics["throughput"]
    assert (throughput.verdict, throughput.unit, throughput.count) == (verdict, "1/s", 5)
    assert throughput.higher_is_better
    assert throughput.value == pytest.approx(factor)
    assert throughput.low is not None
    assert throughput.high is not None
    assert throughput.low < factor < throughput.high
    tail = comparison.metrics["p90_under_load"]
    assert tail.value == pytest.approx(1 / factor)
    assert tail.a == pytest.approx(0.02, rel=0.01)
    assert "rate" not in comparison.metrics


def test_one_round_has_values_and_no_verdict(compared) -> None:
    comparison = compared(loaded(streams([100.0])), loaded(streams(scaled(2.0))))
    for name in ("throughput", "p50_under_load", "p99_under_load"):
        metric = comparison.metrics[name]
        assert (metric.verdict, metric.value, metric.low, metric.high) == ("inconclusive", None, None, None)
        assert "A was measured in one round" in metric.sentence
    throughput = comparison.metrics["throughput"]
    assert (throughput.a, throughput.b) == (100.0, pytest.approx(200.0))


def test_rounds_of_two_cells_that_took_turns_are_pairs(write_run: Write) -> None:
    far = [50.0, 100.0, 150.0, 200.0]
    first, arrays = loaded(streams(far))
    second, _ = loaded(streams([each * 1.2 for each in far]))
    run = write_run("run", (first, arrays), (replace(second, id="other"), arrays))
    (comparison,) = compare_bundles(run, run, StoredOptions(cells=(first.id, "other"))).comparisons
    assert comparison.metrics["throughput"].verdict == "better"
    assert "took turns" in comparison.metrics["throughput"].method


@pytest.mark.parametrize(("factor", "verdict"), [(1.3, "better"), (0.7, "worse"), (1.0, "same"), (1.1, "inconclusive")])
def test_the_highest_rate_has_the_steps_of_its_searches_in_its_interval(compared, factor: float, verdict: str) -> None:
    comparison = compared(loaded(searched([100.0] * 4), BOUND), loaded(searched([100.0 * factor] * 4), BOUND))
    rate = comparison.metrics["rate"]
    assert (rate.verdict, rate.a, rate.b) == (verdict, pytest.approx(100), pytest.approx(100 * factor))
    # Equal in all rounds, so that nothing is left but the steps: 4 % of either search.
    assert (rate.low, rate.high) == (pytest.approx(factor / 1.04), pytest.approx(factor * 1.04))
    assert "throughput" not in comparison.metrics
    tail = comparison.metrics["p99_under_load"]
    assert (tail.verdict, "at another load" in tail.sentence) == ("inconclusive", True)


def test_a_search_in_one_round_tries_each_rate_once_and_decides_nothing(compared) -> None:
    rate = compared(loaded(searched([100.0]), BOUND), loaded(searched([300.0]), BOUND)).metrics["rate"]
    assert (rate.verdict, rate.a, rate.b, rate.value) == ("inconclusive", 100.0, 300.0, None)
    assert "a search tries each rate once" in rate.sentence


def test_where_no_rate_holds_the_bound_the_highest_is_below_the_lowest_that_was_tried(compared) -> None:
    some, none = loaded(searched([100.0, 101.0, 102.0]), BOUND), loaded(without_rate(20.0), BOUND)
    worse, better = compared(some, none).metrics["rate"], compared(none, some).metrics["rate"]
    assert (worse.verdict, worse.value, worse.low, worse.high) == ("worse", None, 0.0, pytest.approx(0.2))
    assert "o rate of arrivals held the bound in B, down to 20 a second; A held it at 100 a second" in worse.sentence
    assert (better.verdict, better.low) == ("better", None)
    near = compared(some, loaded(without_rate(99.0), BOUND)).metrics["rate"]
    assert (near.verdict, "there is no ratio" in near.sentence) == ("inconclusive", True)
    mixed = [*searched([100.0, 100.0]), load_round(3, **search(None, 20.0))]
    assert "n some round of B no rate" in compared(some, loaded(mixed, BOUND)).metrics["rate"].sentence


def test_a_search_without_a_rate_that_fails_knows_no_highest(compared) -> None:
    endless = [load_round(number, **search(100.0, None)) for number in (1, 2)]
    rate = compared(loaded(searched([100.0, 100.0]), BOUND), loaded(endless, BOUND)).metrics["rate"]
    assert (rate.verdict, "the highest is not known" in rate.sentence) == ("inconclusive", True)


def test_latencies_at_a_set_rate_are_compared_and_the_throughput_is_the_rate(compared) -> None:
    comparison = compared(loaded(at_set_rate(0.01), SET), loaded(at_set_rate(0.015, holds=False), SET))
    assert not {"rate", "throughput"} & comparison.metrics.keys()
    tail = comparison.metrics["p50_under_load"]
    assert (tail.verdict, tail.value) == ("slower", pytest.approx(1.5))
    assert "At the rate that was set A holds its latency bound, B does not." in comparison.notes
    growing = compared(loaded(at_set_rate(0.01), SET), loaded(at_set_rate(0.5, kept_up=False), SET))
    tail = growing.metrics["p50_under_load"]
    assert (tail.verdict, "B did not keep up with the rate" in tail.sentence) == ("inconclusive", True)


def test_a_percentile_of_too_few_requests_says_so(compared) -> None:
    few = [replace(each, latency=replace(each.latency, p99=None)) for each in streams(scaled(1.0))]
    metric: MetricVerdict = compared(loaded(streams(scaled(1.0))), loaded(few)).metrics["p99_under_load"]
    assert metric.verdict == "inconclusive"
    assert "B has no p99 under load: a round of 1,000 requests is too short for p99" in metric.sentence


@pytest.mark.parametrize(
    ("measure", "changes", "words"),
    [
        (Measure(scenario="streams", streams=2), {}, "number of sessions 4 and 2"),
        (SET, {}, "scenario streams and server"),
        (STREAMS, {"target": "tcp://pi:7433"}, "A was reached by local, B by tcp"),
        (STREAMS, {"machine": machine(cpu="Cortex-A72")}, "Cortex-A72"),
    ],
)
def test_unlike_loads_are_refused_by_what_differs(compared, measure: Measure, changes: Any, words: str) -> None:
    rounds = at_set_rate(0.01) if measure is SET else streams(scaled(2.0))
    comparison = compared(loaded(streams(scaled(1.0))), loaded(rounds, measure, **changes))
    for name in ("throughput", "p50_under_load"):
        metric = comparison.metrics[name]
        assert (metric.verdict, metric.value, metric.low) == ("inconclusive", None, None)
        assert words in metric.sentence


def test_unlike_rates_and_bounds_are_refused(compared) -> None:
    other = Measure(scenario="server", rate=50.0)
    slower = [replace(each, rate=50.0) for each in at_set_rate(0.01)]
    metric = compared(loaded(at_set_rate(0.01), SET), loaded(slower, other)).metrics["p50_under_load"]
    assert "rate of arrivals 100 a second and 50 a second" in metric.sentence
    bound = Measure(scenario="server", latency_bound="50 ms")
    rate = compared(loaded(searched([100.0, 101.0]), BOUND), loaded(searched([100.0, 101.0]), bound)).metrics["rate"]
    assert "latency bound 0.02 s at p99 and 0.05 s at p99" in rate.sentence


def test_a_load_against_none_is_a_note(compared) -> None:
    comparison = compared(make_measured([100e-6, 101e-6]), loaded(streams(scaled(1.0))))
    assert "throughput" not in comparison.metrics
    assert any(
        "A was measured one request after another, B in the scenario streams" in each for each in comparison.notes
    )
