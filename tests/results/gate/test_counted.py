"""A limit on the latency of emulated cells falls on their exact count of instructions."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
from tests.report.conftest import number
from tests.results.conftest import make_measured

from edgerig.measure.kinds import Quantity, Unavailable
from edgerig.results.bundle import Bundle
from edgerig.results.compare.stored import compare_bundles
from edgerig.results.compare.types import Comparison
from edgerig.results.gate.judge import Check, GateResult, check_cell
from edgerig.results.gate.limits import parse_limits
from edgerig.results.gate.output import gate_annotations, gate_junit, gate_markdown
from edgerig.results.types import CellResult

COUNT = 1_000_000
BAND = {"low": 8e-3, "high": 12e-3, "kind": "modelled", "bounds": "model"}


def emulated(count: int, steady: Quantity | None = None, **changes: Any) -> tuple[CellResult, dict[str, Any]]:
    """A cell of a simulated board: a modelled time, one round, an exact count."""
    cell, arrays = make_measured([10e-3])
    time = steady if steady is not None else number(10e-3, **BAND)
    (entry,) = cell.rounds
    return (
        msgspec.structs.replace(
            cell,
            latency=msgspec.structs.replace(cell.latency, steady=time, p99=Unavailable("modelled")),
            instructions=number(count, "instructions", kind="emulated"),
            rounds=(msgspec.structs.replace(entry, steady=None),),
            **changes,
        ),
        arrays,
    )


@pytest.fixture
def check(write_run: Callable[..., Path]) -> Callable[..., list[Check]]:
    """Judges a new cell against a baseline."""

    def judged(before: Any, now: Any, limits: dict[str, Any]) -> list[Check]:
        a, b = write_run("a", before), write_run("b", now)
        (comparison,) = compare_bundles(a, b).comparisons
        return check_cell(comparison, parse_limits(limits), *(Bundle(folder).result().cells[0] for folder in (b, a)))

    return judged


@pytest.mark.parametrize("metric", ["latency", "p50"])
@pytest.mark.parametrize("steady", [None, Unavailable("QEMU has no times")], ids=["modelled", "no time"])
@pytest.mark.parametrize(
    ("now", "outcome"),
    [
        (COUNT, "passed"),
        (COUNT * 5 // 4, "passed"),
        (COUNT * 5 // 4 + 1, "regressed"),
        (COUNT // 2, "passed"),
        (COUNT * 2, "regressed"),
    ],
)
def test_a_share_falls_on_the_count_exactly(
    check: Callable[..., list[Check]], metric: str, steady: Quantity | None, now: int, outcome: str
) -> None:
    (judged,) = check(emulated(COUNT, steady), emulated(now, steady), {metric: "25 %"})
    assert (judged.outcome, judged.metric, judged.limit) == (outcome, metric, "25 %")
    assert judged.judged_by == "instructions"
    assert judged.verdict is not None
    assert (judged.verdict.a, judged.verdict.b, judged.verdict.kind) == (COUNT, now, "emulated")
    words = "within" if outcome == "passed" else "beyond"
    assert judged.sentence.startswith(
        f"{now / COUNT:.3f} times the baseline's instructions, which are exact: {words} the limit of 25 %."
    )


def test_a_time_is_no_number_of_instructions_and_says_what_to_write(check: Callable[..., list[Check]]) -> None:
    (judged,) = check(emulated(COUNT), emulated(COUNT), {"latency": "2 ms"})
    assert (judged.outcome, judged.verdict) == ("inconclusive", None)
    assert "latency: 5 %" in judged.sentence


@pytest.mark.parametrize(
    ("budget", "outcome"), [("< 20 ms", "passed"), ("< 10 ms", "inconclusive"), ("< 5 ms", "regressed")]
)
def test_a_budget_stays_one_of_the_modelled_time_with_its_error(
    check: Callable[..., list[Check]], budget: str, outcome: str
) -> None:
    (judged,) = check(emulated(COUNT), emulated(COUNT), {"latency": budget})
    assert (judged.outcome, judged.judged_by) == (outcome, "")


def test_counts_of_unlike_boards_batches_or_firmware_decide_nothing(check: Callable[..., list[Check]]) -> None:
    for changes in ({"device": "another board"}, {"batch": 2}):
        (judged,) = check(emulated(COUNT), emulated(COUNT, **changes), {"latency": "25 %"})
        assert judged.outcome == "inconclusive"
        assert "cannot be compared" in judged.sentence


def test_a_measured_cell_against_an_emulated_one_is_not_judged_by_counts(check: Callable[..., list[Check]]) -> None:
    (judged,) = check(make_measured([10e-3] * 5), emulated(COUNT), {"latency": "25 %"})
    assert (judged.outcome, judged.judged_by) == ("inconclusive", "")


def test_a_measured_cell_that_counts_instructions_too_is_judged_by_its_time(check: Callable[..., list[Check]]) -> None:
    counted = {"instructions": number(COUNT, "instructions", kind="emulated")}
    times = [10e-3, 10.01e-3, 9.99e-3, 10e-3, 10e-3]
    (judged,) = check(make_measured(times, **counted), make_measured(times, **counted), {"latency": "25 %"})
    assert (judged.outcome, judged.judged_by) == ("passed", "")


def test_table_and_junit_and_annotations_say_what_was_judged(check: Callable[..., list[Check]]) -> None:
    checks = tuple(check(emulated(COUNT), emulated(2 * COUNT), {"latency": "25 %"}))
    comparison = Comparison(version=1, edgerig="0", created="now", method="stored", comparisons=())
    result = GateResult(outcome="regressed", checks=checks, comparison=comparison, baseline="runs/a", bundle="runs/g")
    markdown = gate_markdown(result)
    assert (
        "| latency, by instructions | 25 % | 1,000,000 instructions | 2,000,000 instructions | 2.000 times" in markdown
    )
    (case,) = ElementTree.fromstring(gate_junit(result, inconclusive_fails=True).encode()).iter("testcase")
    assert case.get("name") == "latency, by instructions 25 %"
    assert "because no time of an emulated cell is measured" in str(case.find("failure").get("message"))  # type: ignore[union-attr]
    assert "latency%2C by instructions regressed" in next(gate_annotations(result))
