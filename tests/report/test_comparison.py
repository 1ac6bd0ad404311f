import math
from typing import Any

import msgspec
import pytest
from tests.report.conftest import seen

from edgerig.measure.comparison import Estimate
from edgerig.report.charts.intervals import Interval, intervals
from edgerig.report.comparison import interval_of, render_comparison, render_gate
from edgerig.results.compare.times import LATENCY, P99, judged, undecided
from edgerig.results.compare.types import CellComparison, Comparison, MetricVerdict, Side
from edgerig.results.compare.under_load import THROUGHPUT
from edgerig.results.gate.judge import Check, GateResult


def latency(ratio: float, low: float, high: float) -> MetricVerdict:
    return judged(
        LATENCY,
        Estimate(ratio=ratio, low=low, high=high, count=6, level=0.05, spread=0.01),
        1e-3,
        ratio * 1e-3,
        what="pairs",
        method="pairs",
    )


def accuracy(change: float, low: float, high: float) -> MetricVerdict:
    return MetricVerdict(
        verdict="worse",
        sentence="Worse.",
        a=0.9,
        b=0.9 + change,
        unit="1",
        change="difference",
        value=change,
        low=low,
        high=high,
        margin=0.005,
        count=1000,
        higher_is_better=True,
    )


def side(name: str, **changes: Any) -> Side:
    text = {"artifact": name, "sha256": "ab" * 32, "runtime": "litert", "runtime_version": "2", "target": "local"}
    text |= {"device": "d", "processor": "p", "clock": "c", "dataset": "mnist", "edgerig": "1", "cell": "int8"}
    return Side(**({"source": name, "size": 1000} | text | changes))


def comparison(metrics: dict[str, MetricVerdict], **changes: Any) -> Comparison:
    cells = CellComparison(a=side("old.tflite"), b=side("new.tflite"), metrics=metrics, notes=("hot",))
    fields: dict[str, Any] = {"version": 1, "edgerig": "1", "created": "now", "method": "live", "comparisons": (cells,)}
    return Comparison(**(fields | changes))


def test_a_ratio_counts_by_its_logarithm_in_margins_and_more_is_worse() -> None:
    row = interval_of("latency", latency(1.0404, 1 / 1.02, 1.02))
    assert row is not None
    assert (row.value, row.low, row.high) == pytest.approx((2, -1, 1))
    assert row.shown.startswith("+4.0 %")


def test_of_right_answers_less_is_worse() -> None:
    row = interval_of("accuracy", accuracy(-0.01, -0.015, -0.005))
    assert row is not None
    assert (row.value, row.low, row.high) == pytest.approx((2, 1, 3))


def test_of_a_rate_less_is_worse() -> None:
    estimated = Estimate(ratio=1 / 1.05**2, low=1 / 1.05**3, high=1 / 1.05, count=5, level=0.05, spread=0.01)
    verdict = judged(THROUGHPUT, estimated, 100.0, 90.7, what="rounds", method="rounds")
    row = interval_of("throughput", verdict)
    assert row is not None
    assert (row.value, row.low, row.high) == pytest.approx((2, 1, 3))
    assert verdict.verdict == "inconclusive"


def test_what_is_exact_or_has_no_interval_is_not_drawn() -> None:
    exact = MetricVerdict(verdict="better", sentence="", a=2.0, b=1.0, unit="B", value=0.5, low=0.5, high=0.5)
    assert interval_of("size", exact) is None
    assert interval_of("p99", undecided(P99, "one round", 1e-3, 2e-3)) is None
    assert interval_of("latency", msgspec.structs.replace(latency(1, 1, 1), low=0.0)) is None


def test_a_line_ends_at_the_edge_with_an_arrow_and_what_is_beyond_has_no_dot() -> None:
    inside = Interval("a", 0.0, -1.0, 1.0, "", 0)
    across = Interval("b", 4.0, 2.0, 9.0, "", 1)
    beyond = Interval("c", 20.0, 15.0, math.inf, "", 1)
    assert intervals([], "none") is None
    drawn = {row.name: str(intervals([row], "rows")) for row in (inside, across, beyond)}
    assert [drawing.count("<circle") for drawing in drawn.values()] == [1, 1, 0]
    assert ["<path" in drawing for drawing in drawn.values()] == [False, True, True]
    assert "nan" not in drawn["c"]


def test_the_page_has_every_verdict_with_its_reason_and_loads_nothing() -> None:
    page = render_comparison(comparison({"latency": latency(1.2, 1.1, 1.3), "accuracy": accuracy(-0.01, -0.02, 0.0)}))
    text = seen(page)
    for part in ("new.tflite against old.tflite", "+20.0 %", "+10.0 % to +30.0 %", "slower", "-1.00 points", "hot"):
        assert part in text
    assert page.count("<svg") == 1
    assert "default-src 'none'" in page
    assert "<script" not in page


def test_the_page_tells_no_folders_and_obeys_no_names() -> None:
    cells = CellComparison(
        a=side("/home/winifred/secret/old.tflite"), b=side("<b>new</b>\x1b[31m"), metrics={"latency": latency(1, 1, 1)}
    )
    page = render_comparison(comparison({}, comparisons=(cells,), commands=("edgerig compare /home/winifred/x/a b",)))
    assert "winifred" not in page
    assert "old.tflite" in page
    assert "<b>new</b>" not in page
    assert "\x1b" not in page


def test_a_page_without_common_cells_says_so() -> None:
    text = seen(render_comparison(comparison({}, comparisons=(), only_a=("int8",))))
    assert "Nothing to compare" in text
    assert "Only A has: int8" in text


def test_the_gate_s_page_has_the_outcome_and_every_check() -> None:
    verdict = latency(1.2, 1.1, 1.3)
    check = Check(cell="int8", metric="latency", limit="5 %", outcome="regressed", sentence="Slow.", verdict=verdict)
    absent = Check(cell="int8", metric="flash", limit="0", outcome="inconclusive", sentence="No flash.")
    gate = GateResult(
        outcome="regressed",
        checks=(check, absent),
        comparison=comparison({"latency": verdict}),
        baseline="runs/main",
        bundle="runs/gate",
        notes=("A note.",),
    )
    text = seen(render_gate(gate))
    for part in ("Something has become worse", "0 of 2 limits", "runs/main", "Slow.", "No flash.", "A note."):
        assert part in text
