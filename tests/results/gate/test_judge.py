from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.report.conftest import number
from tests.results.conftest import make_measured

from edgerig.results.compare.types import MetricVerdict
from edgerig.results.gate.limits import parse_limits
from edgerig.results.gate.outcomes import worst
from edgerig.results.types import CellResult

Write = Callable[..., Path]
BASE = [100e-6, 101e-6, 99e-6, 100e-6, 100.5e-6]


def times(factor: float) -> list[float]:
    return [value * factor for value in BASE]


def changed(cell: CellResult, **changes: Any) -> CellResult:
    return msgspec.structs.replace(cell, **changes)


@pytest.mark.parametrize(
    ("factor", "limit", "outcome"),
    [
        (1.0, "5 %", "passed"),
        (1.2, "5 %", "regressed"),
        (1.2, "25 %", "passed"),
        (0.8, "5 %", "passed"),
        (1.05, "5 %", "inconclusive"),
        (1.2, "50 us", "passed"),
        (1.2, "5 us", "regressed"),
        (1.2, "< 200 us", "passed"),
        (1.2, "< 50 us", "regressed"),
    ],
)
def test_a_time_by_its_interval(check, factor: float, limit: str, outcome: str) -> None:
    now, arrays = make_measured(times(factor))
    steady = number(float(np.mean(times(factor))), low=min(times(factor)), high=max(times(factor)))
    now = changed(now, latency=msgspec.structs.replace(now.latency, steady=steady))
    (found,) = check(make_measured(times(1.0)), (now, arrays), {"latency": limit})
    assert found.outcome == outcome
    assert found.limit == limit
    if not limit.startswith("<"):
        # The limit is what was judged by; the comparison's own margin of 2 % is another number.
        words = {"passed": "within", "regressed": "beyond", "inconclusive": "not certainly within"}[outcome]
        assert found.sentence.endswith(f"): {words} the limit of {limit}.")
        assert "2 %" not in found.sentence.replace(limit, "")


def test_one_round_passes_neither_a_limit_nor_a_budget(check) -> None:
    found = check(make_measured(BASE), make_measured(BASE[:1]), {"latency": ["50 %", "< 1 s"]})
    assert [each.outcome for each in found] == ["inconclusive", "inconclusive"]


@pytest.mark.parametrize(
    ("bytes_", "limit", "outcome"),
    [
        (101_664, 0, "passed"),
        (101_665, 0, "regressed"),
        (101_000, 0, "passed"),
        (102_664, "1 kB", "passed"),
        (102_665, "1 kB", "regressed"),
        (101_664 * 21 // 20, "5 %", "passed"),
        (120_000, "< 110 kB", "regressed"),
        (100_000, "< 110 kB", "passed"),
    ],
)
def test_a_size_exactly(check, bytes_: int, limit: str, outcome: str) -> None:
    cell, arrays = make_measured(BASE)
    now = changed(cell, artifact=msgspec.structs.replace(cell.artifact, size=bytes_))
    (found,) = check((cell, arrays), (now, arrays), {"size": limit})
    assert found.outcome == outcome


@pytest.mark.parametrize(("wrong", "outcome"), [(10, "passed"), (60, "regressed"), (13, "inconclusive"), (0, "passed")])
def test_accuracy_may_not_certainly_be_lost(check, wrong: int, outcome: str) -> None:
    (found,) = check(make_measured(BASE), make_measured(BASE, wrong=wrong), {"accuracy": "1 point"})
    assert found.outcome == outcome


def test_a_metric_that_neither_has_is_no_check_and_quality_that_cannot_be_compared_is_no_pass(check, write_run) -> None:
    assert check(make_measured(BASE), make_measured(BASE), {"flash": 0}) == []
    cell, arrays = make_measured(BASE)
    bare = {"times_ns": arrays["times_ns"]}
    (found,) = check((cell, bare), (cell, bare), {"accuracy": "1 point"})
    assert found.outcome == "inconclusive"


def test_a_metric_that_only_one_of_the_two_has_is_not_passed_over(check) -> None:
    """Whoever asked for a limit must hear that it was not looked at."""
    cell, arrays = make_measured(BASE)
    arena = changed(cell, memory={**cell.memory, "arena": number(1000.0, "B")})
    for before, now, words in ((arena, cell, "The new run has no arena"), (cell, arena, "The baseline has no arena")):
        (found,) = check((before, arrays), (now, arrays), {"arena": 0})
        assert (found.outcome, words in found.sentence) == ("inconclusive", True)


@pytest.mark.parametrize(("factor", "outcome"), [(1.0, "passed"), (1.2, "regressed")])
def test_the_median_of_stored_rounds_is_their_latency(check, factor: float, outcome: str) -> None:
    (found,) = check(make_measured(times(1.0)), make_measured(times(factor)), {"p50": "5 %"})
    assert found.outcome == outcome


def test_failures_that_were_not_counted_pass_nothing_and_those_that_were_do_by_their_test(check) -> None:
    (found,) = check(make_measured(BASE), make_measured(BASE), {"failures": "5 %"})
    assert (found.outcome, found.verdict) == ("inconclusive", None)
    from edgerig.results.compare.failures import failure_verdict
    from edgerig.results.gate.judge import _change

    (limit,) = parse_limits({"failures": "5 %"})
    outcomes = [_change(limit, failure_verdict(*counts, 4))[0] for counts in ((0, 0), (0, 4), (0, 1))]
    assert outcomes == ["passed", "regressed", "inconclusive"]


@pytest.mark.parametrize(
    ("now", "limit", "outcome"),
    [
        (0, 0, "passed"),
        (0, "5 %", "passed"),
        (100, "1 kB", "passed"),
        (2000, "1 kB", "regressed"),
        (1, "50 %", "regressed"),
    ],
)
def test_a_count_of_nothing_in_the_baseline_is_compared_all_the_same(check, now: int, limit: str, outcome: str) -> None:
    cell, arrays = make_measured(BASE)
    before, after = (changed(cell, memory={"constants": number(float(value), "B")}) for value in (0, now))
    (found,) = check((before, arrays), (after, arrays), {"constants": limit})
    assert found.outcome == outcome


def test_accuracy_has_regressed_where_its_whole_interval_lies_beyond_the_limit(check) -> None:
    """Of 600 samples 21 more are wrong: -3.5 points, of which 2 are certain and 3 are not."""
    outcomes = [
        check(make_measured(BASE), make_measured(BASE, wrong=31), {"accuracy": limit})[0].outcome
        for limit in ("2 points", "3 points")
    ]
    assert outcomes == ["regressed", "inconclusive"]


def test_a_budget_says_bytes_one_by_one(check) -> None:
    cell, arrays = make_measured(BASE)
    now = changed(cell, memory={"peak_rss": number(54_239_177.0, "B", low=54_000_000.0, high=55_000_000.0)})
    (found,) = check((cell, arrays), (now, arrays), {"peak_rss": "< 1 GB"})
    assert "54,239,177 B" in found.sentence


def test_the_worst_of_all_checks_decides_and_none_passes_nothing() -> None:
    assert worst(["passed", "passed"]) == "passed"
    assert worst(["passed", "inconclusive"]) == "inconclusive"
    assert worst(["inconclusive", "regressed", "passed"]) == "regressed"
    assert worst([]) == "inconclusive"


def test_an_undecided_metric_with_values_passes_nothing() -> None:
    from edgerig.results.gate.judge import _change

    undecided = MetricVerdict(verdict="inconclusive", sentence="No.", a=1.0, b=0.5, unit="s", value=0.5)
    (limit,) = parse_limits({"latency": "50 %"})
    assert _change(limit, undecided)[0] == "inconclusive"
