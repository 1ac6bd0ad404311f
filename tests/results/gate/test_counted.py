"""A limit on the latency of emulated cells falls on their exact count of instructions."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
from tests.report.conftest import number
from tests.results.conftest import make_measured

import edgerig
from edgerig.engine.api import plan
from edgerig.engine.compare.gate import GateOptions, run_gate
from edgerig.measure.kinds import Quantity, Unavailable
from edgerig.progress import Progress
from edgerig.results.compare.types import Comparison
from edgerig.results.gate.judge import Check, GateResult
from edgerig.results.gate.output import gate_annotations, gate_junit, gate_markdown
from edgerig.results.types import CellResult
from edgerig.testing.networks import dense_tflite_int8

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
            **{
                "load_instructions": number(10 * count, "instructions", kind="emulated"),
                "first_instructions": number(count + 7, "instructions", kind="emulated"),
            }
            | changes,
            rounds=(msgspec.structs.replace(entry, steady=None),),
        ),
        arrays,
    )


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


@pytest.mark.parametrize(("metric", "counted"), [("load", "load_instructions"), ("first", "first_instructions")])
@pytest.mark.parametrize(
    ("now", "limit", "outcome"),
    [
        (COUNT, "0 %", "passed"),
        (COUNT + 1, "0 %", "regressed"),
        (COUNT * 5 // 4, "25 %", "passed"),
        (COUNT * 2, "25 %", "regressed"),
        (COUNT // 2, "0 %", "passed"),
    ],
)
def test_loading_and_the_first_inference_fall_on_counts_of_their_own(
    check: Callable[..., list[Check]], metric: str, counted: str, now: int, limit: str, outcome: str
) -> None:
    own = {counted: number(COUNT, "instructions", kind="emulated")}
    later = {counted: number(now, "instructions", kind="emulated")}
    # The inference itself takes twice as many, which is another limit's matter.
    (judged,) = check(emulated(COUNT, **own), emulated(2 * COUNT, **later), {metric: limit})
    assert (judged.outcome, judged.metric, judged.judged_by) == (outcome, metric, counted)
    assert judged.verdict is not None
    assert (judged.verdict.a, judged.verdict.b) == (COUNT, now)
    assert counted.replace("_", " ") in judged.sentence


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (
            msgspec.UNSET,
            "an edgerig that did not count the instructions of loading: measure it again",
        ),
        (Unavailable("its counter is coarse"), "no exact count of loading: its counter is coarse. A limit on latency"),
    ],
)
def test_a_count_that_is_missing_decides_nothing_and_says_what_can_be_done(
    check: Callable[..., list[Check]], count: Any, words: str
) -> None:
    (judged,) = check(emulated(COUNT), emulated(COUNT, load_instructions=count), {"load": "5 %"})
    assert (judged.outcome, judged.verdict) == ("inconclusive", None)
    assert words in judged.sentence


def test_a_limit_in_seconds_on_loading_says_what_to_write(check: Callable[..., list[Check]]) -> None:
    (judged,) = check(emulated(COUNT), emulated(COUNT), {"load": "2 ms"})
    assert (judged.outcome, "(load: 5 %)." in judged.sentence) == ("inconclusive", True)


@pytest.mark.slow
def test_a_gate_on_a_simulated_board_decides_loading_and_the_first_inference(tmp_path: Path) -> None:
    def rig(classes: int) -> dict[str, Any]:
        net = dense_tflite_int8(tmp_path / "net.tflite", 64, classes)
        return {
            "name": "t",
            "model": {"file": str(net)},
            "dataset": {"use": "random", "shape": [64], "samples": 3},
            "matrix": [{"runtimes": ["micro"], "targets": ["sim:stm32f746"]}],
            "measure": {"profile": False, "transport_samples": 0, "warmup": 0, "seconds": 0},
            "gate": {"first": "0 %", "load": "0 %", "p50": "0 %"},
        }

    edgerig.run(rig(10), out=tmp_path / "base")

    def outcomes(classes: int) -> dict[str, str]:
        options = GateOptions(out=tmp_path / f"gate{classes}")
        result = run_gate(plan(rig(classes)), tmp_path / "base", options, Progress())
        return {check.title: check.outcome for check in result.checks}

    names = ("first, by first_instructions", "load, by load_instructions", "p50, by instructions")
    assert outcomes(10) == dict.fromkeys(names, "passed")
    larger = outcomes(40)
    assert (larger[names[0]], larger[names[2]]) == ("regressed", "regressed")


@pytest.mark.parametrize(
    ("now", "limit", "outcome"),
    [
        (1000, "0 %", "passed"),  # the same reading
        (1040, "0 %", "inconclusive"),
        (1040, "5 %", "inconclusive"),  # at most (1040 + 40) / (1000 - 40)
        (1040, "13 %", "passed"),
        (1200, "5 %", "regressed"),
        (800, "0 %", "passed"),
    ],
)
def test_counts_of_a_coarse_counter_decide_no_more_than_its_ticks(
    check: Callable[..., list[Check]], now: int, limit: str, outcome: str
) -> None:
    (judged,) = check(emulated(1000, tick=40.0), emulated(now, tick=40.0), {"latency": limit})
    assert (judged.outcome, judged.judged_by) == (outcome, "instructions")
    (same,) = check(emulated(1000, tick=40.0), emulated(now, tick=40.0), {"instructions": limit})
    assert same.outcome == outcome
    assert ("known to a tick of their counter" in judged.sentence) == (now != 1000)


def test_a_limit_in_instructions_knows_the_ticks_of_a_coarse_counter(check: Callable[..., list[Check]]) -> None:
    for now, limit, outcome in ((1040, 10, "inconclusive"), (1040, 200, "passed"), (1400, 100, "regressed")):
        (judged,) = check(emulated(1000, tick=40.0), emulated(now, tick=40.0), {"instructions": limit})
        assert judged.outcome == outcome


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
