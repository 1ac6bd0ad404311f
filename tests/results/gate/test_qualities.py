"""Limits on qualities of every task: in their own unit, relative to the baseline, and budgets."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from tests.report.conftest import machine
from tests.results.compare.test_quality import NOISE, compare, judged  # noqa: F401

from edgerig.results.compare.types import Comparison
from edgerig.results.gate.judge import Check, GateResult, check_cell
from edgerig.results.gate.limits import parse_limits
from edgerig.results.gate.output import gate_markdown

#: Errors a fifth larger than the baseline's.
MORE = 1.2 * NOISE


@pytest.fixture
def checked(compare: Any) -> Any:  # noqa: F811
    def of(b: Any, limits: dict[str, Any], names: tuple[str, ...] = ("rmse",)) -> list[Check]:
        before, now = judged(NOISE), judged(b)
        return check_cell(compare(before, now, names=names), parse_limits(limits), now[0], before[0])

    return of


@pytest.mark.parametrize(
    ("limits", "outcome", "words"),
    [
        ({"mae": "5 %"}, "regressed", "beyond the limit of 5 %"),
        ({"mae": "30 %"}, "passed", "within the limit"),
        ({"mae": "20 %"}, "inconclusive", "not certainly within"),
        ({"mae": "0.05 °C"}, "regressed", "beyond"),
        ({"mae": "0.3 °C"}, "passed", "within"),
        ({"mae": "0.3"}, "passed", "within"),
        ({"mae": "0.3 °F"}, "inconclusive", "mae is in °C"),
        ({"rmse": "5 %"}, "regressed", "beyond"),
        ({"quality": "5 %"}, "regressed", "beyond"),
        ({"quality_rmse": "30 %"}, "passed", "within"),
        ({"quality": "1 point"}, "inconclusive", "quality is in °C"),
        ({"quality_nothing": "1 point"}, "inconclusive", "its quality is told by mae, rmse"),
        ({"accuracy": "1 point"}, "inconclusive", "There is no accuracy: its quality is told by mae, rmse."),
        ({"mae": "< 1.6 °C"}, "passed", "within the budget"),
        ({"mae": "< 0.2 °C"}, "regressed", "beyond the budget"),
        ({"mae": "< 1 °C"}, "inconclusive", "not certainly within"),
        ({"mae": "< 1 °F"}, "inconclusive", "mae is in °C"),
        ({"quality": "> 1 °C"}, "inconclusive", "keep it from getting better"),
    ],
)
def test_an_error_that_has_grown_against_its_limit(checked: Any, limits: Any, outcome: str, words: str) -> None:
    (check,) = checked(MORE, limits)
    assert check.outcome == outcome, check.sentence
    assert words in check.sentence


def test_an_error_that_has_shrunk_passes_any_limit(checked: Any) -> None:
    assert [check.outcome for check in checked(0.8 * NOISE, {"mae": ["0", "0.1 %"], "quality": "1 %"})] == [
        "passed"
    ] * 3


def test_the_main_quality_is_named_where_it_is_limited(checked: Any) -> None:
    (check,) = checked(MORE, {"quality": "5 %"})
    assert check.title == "quality, by mae"


def test_the_table_of_a_pull_request_shows_the_unit_and_no_percentage(compare: Any) -> None:  # noqa: F811
    before, now = judged(NOISE), judged(MORE)
    comparison = compare(before, now)
    checks = check_cell(comparison, parse_limits({"mae": "5 %"}), now[0], before[0])
    whole = Comparison(version=1, edgerig="", created="", method="stored", comparisons=(comparison,))
    result = GateResult(outcome="regressed", checks=tuple(checks), comparison=whole, baseline="a", bundle="b")
    error = np.abs(NOISE).mean()
    assert f"| mae | 5 % | {error:.4g} °C | {1.2 * error:.4g} °C |" in gate_markdown(result)


def test_what_proves_nothing_passes_nothing(compare: Any) -> None:  # noqa: F811
    """Two networks that answer the same for all samples are equally good, and nobody knows how good."""
    (cell, arrays), elsewhere = judged(NOISE), machine(architecture="aarch64", cpu="A76")
    values = {"kept_values": np.zeros_like(arrays["kept_values"])}
    metrics = tuple(
        msgspec.structs.replace(metric, value=float(value))
        for metric, value in zip(
            cell.quality.metrics,
            (np.abs(arrays["kept_targets"]).mean(), np.sqrt((arrays["kept_targets"] ** 2).mean())),
            strict=True,
        )
    )
    cell = msgspec.structs.replace(cell, quality=msgspec.structs.replace(cell.quality, metrics=metrics))
    other = msgspec.structs.replace(cell, machine=elsewhere)
    comparison = compare((cell, arrays | values), (other, arrays | values))
    (check,) = check_cell(comparison, parse_limits({"mae": "90 %"}), other, cell)
    assert check.outcome == "inconclusive"
    assert "vacuous" in check.sentence


def test_a_quality_with_the_name_of_another_number_is_not_taken_for_it(compare: Any) -> None:  # noqa: F811
    comparison = compare(judged(NOISE), judged(MORE))
    metrics = comparison.metrics | {"quality_size": comparison.metrics["mae"]}
    comparison = msgspec.structs.replace(comparison, metrics=metrics)
    assert comparison.quality("size") is metrics["mae"]
    assert comparison.quality("latency") is None
    (check,) = check_cell(comparison, parse_limits({"size": "0"}), judged(MORE)[0], judged(NOISE)[0])
    assert check.outcome == "passed"
