"""Limits on stored rounds under load whose numbers are known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.results.conftest import make_measured
from tests.results.loads import BOUND, SET, at_set_rate, loaded, scaled, searched, streams, without_rate

Write = Callable[..., Path]


@pytest.mark.parametrize(
    ("factor", "limit", "outcome"),
    [
        (1.0, "5 %", "passed"),
        (1.5, "0 %", "passed"),
        (0.8, "5 %", "regressed"),
        (0.8, "30 %", "passed"),
        (0.95, "5 %", "inconclusive"),
        (0.8, "5 /s", "regressed"),
        (0.8, "30 /s", "passed"),
        (1.0, "> 90 /s", "passed"),
        (0.8, "> 90 /s", "regressed"),
        (0.9, "> 90 /s", "inconclusive"),
    ],
)
def test_throughput_may_not_become_less(check, factor: float, limit: str, outcome: str) -> None:
    now = loaded(streams(scaled(factor)))
    (result,) = check(loaded(streams(scaled(1.0))), now, {"throughput": limit})
    assert (result.outcome, result.metric, result.limit) == (outcome, "throughput", limit)


@pytest.mark.parametrize(
    ("factor", "limit", "outcome"),
    [
        (1.0, "10 %", "passed"),
        (1.0, "2 %", "inconclusive"),  # the searches know their rates to 4 %
        (0.7, "10 %", "regressed"),
        (1.0, "> 95 /s", "passed"),
        (1.0, "> 103 /s", "inconclusive"),
        (1.0, "> 105 /s", "regressed"),
    ],
)
def test_the_highest_rate_may_not_become_less(check, factor: float, limit: str, outcome: str) -> None:
    now = loaded(searched([100 * factor] * 4), BOUND)
    (result,) = check(loaded(searched([100.0] * 4), BOUND), now, {"rate": limit})
    assert result.outcome == outcome


def test_a_network_that_holds_its_bound_no_more_has_regressed_by_any_share(check) -> None:
    some, none = loaded(searched([100.0, 101.0, 102.0]), BOUND), loaded(without_rate(20.0), BOUND)
    outcomes = [each.outcome for each in check(some, none, {"rate": ["10 %", "90 %", "> 30 /s", "> 10 /s"]})]
    assert outcomes == ["regressed", "inconclusive", "regressed", "inconclusive"]
    assert [each.outcome for each in check(none, some, {"rate": ["10 %", "> 30 /s"]})] == ["passed", "passed"]


def test_latency_under_load_at_a_set_rate(check) -> None:
    before = loaded(at_set_rate(0.01), SET)
    limits = {"p50_under_load": ["20 %", "< 11 ms"], "p99_under_load": "1 ms"}
    assert [each.outcome for each in check(before, before, limits)] == ["passed"] * 3
    outcomes = [each.outcome for each in check(before, loaded(at_set_rate(0.013), SET), limits)]
    assert outcomes == ["regressed"] * 3
    (result,) = check(before, before, {"throughput": "5 %"})
    assert (result.outcome, "the throughput is that rate" in result.sentence) == ("inconclusive", True)


def test_one_round_and_other_scenarios_pass_nothing(check) -> None:
    one, several = loaded(streams([100.0])), loaded(streams(scaled(1.0)))
    results = check(several, one, {"throughput": ["5 %", "> 10 /s"], "p90_under_load": "5 %"})
    assert [each.outcome for each in results] == ["inconclusive"] * 3
    (result,) = check(make_measured([100e-6, 101e-6]), several, {"throughput": "5 %"})
    assert (result.outcome, "A was measured one request after another" in result.sentence) == ("inconclusive", True)
    assert check(make_measured([100e-6, 101e-6]), make_measured([100e-6, 101e-6]), {"throughput": "5 %"}) == []


def test_a_rate_that_streams_do_not_have_is_no_check_whatever_their_warnings_say(check) -> None:
    warned = loaded(streams(scaled(1.0)), warnings=("Round 1, under load: 4 sessions share 2 cores.",))
    assert check(warned, warned, {"rate": "5 %"}) == []
    (result,) = check(warned, loaded(searched([100.0, 101.0]), BOUND), {"rate": "5 %"})
    assert (result.outcome, "scenario streams and server" in result.sentence) == ("inconclusive", True)
