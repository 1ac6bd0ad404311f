import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.later import Later
from tests.report.conftest import number
from tests.results.compare.verdicts import accuracy_verdict, quality_verdict
from tests.results.conftest import make_measured

from edgerig.measure.comparison import Estimate
from edgerig.measure.kinds import Measurement
from edgerig.report.comparison import interval_of
from edgerig.results.compare.exact import exact, exact_verdicts
from edgerig.results.compare.failures import failure_verdict, fisher_exact
from edgerig.results.compare.times import LATENCY, PEAK_RSS, judged, undecided
from edgerig.tasks.classification import Classification

stats = Later("scipy.stats")

N = 1000


def answers(wrong: range) -> dict[str, np.ndarray]:
    places = np.arange(N)
    return {"indices": places, "labels": places % 7, "predictions": places % 7 + np.isin(places, wrong)}


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [
        (range(20), range(20), "same"),  # the same samples
        (range(20), range(60), "worse"),  # 40 lost, none gained
        (range(60), range(20), "better"),
        (range(20), range(10, 35), "inconclusive"),  # 15 lost, 10 gained
        (range(0), range(1), "inconclusive"),  # one lost sample of 1000: up to 0.56 points
    ],
)
def test_quality_by_the_samples_that_differ(a: range, b: range, verdict: str) -> None:
    found = accuracy_verdict(answers(a), answers(b), 0.005)
    assert found is not None
    assert found.verdict == verdict
    assert found.value == pytest.approx((len(a) - len(b)) / N)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.value <= found.high


def test_the_error_ratio_stands_beside_the_points() -> None:
    found = accuracy_verdict(answers(range(20)), answers(range(38)))
    assert found is not None
    assert "38 errors of 1,000 samples, A has 20: 1.9 times as many" in found.sentence
    assert "-1.80 points" in found.sentence


def test_what_has_no_answers_or_shares_no_samples_has_no_verdict_on_quality() -> None:
    right, task = answers(range(1)), Classification()
    lacking = {name: right[name] for name in ("indices", "labels")}
    assert "not whole" in str(quality_verdict(task, "accuracy", {}, right))
    assert "does not store 'predictions'" in str(quality_verdict(task, "accuracy", lacking, right))
    other = right | {"indices": np.arange(N) + 5000}
    assert quality_verdict(task, "accuracy", other, right) == "the two have run no sample in common"


@given(st.integers(1, 24).flatmap(lambda n: st.tuples(st.integers(0, n), st.integers(0, n), st.just(n))))
def test_failures_by_fishers_exact_test(case: tuple[int, int, int]) -> None:
    first, second, starts = case
    table = [[first, starts - first], [second, starts - second]]
    assert fisher_exact(first, second, starts) == pytest.approx(stats.fisher_exact(table).pvalue)


def test_a_variant_that_always_fails_is_worse_and_one_that_failed_once_is_not_told() -> None:
    assert failure_verdict(0, 4, 4).verdict == "worse"
    assert failure_verdict(4, 0, 4).verdict == "better"
    assert failure_verdict(0, 1, 7).verdict == "inconclusive"
    assert failure_verdict(0, 0, 6).verdict == "same"
    assert failure_verdict(0, 0, 0).verdict == "inconclusive"


def test_what_is_counted_has_no_margin() -> None:
    assert exact(100, 101, "B", "m").verdict == "worse"
    assert exact(100, 99, "B", "m").verdict == "better"
    assert exact(0, 0, "B", "m").verdict == "same"
    assert exact(0, 5, "B", "m").value is None


def test_counts_of_two_kinds_are_not_compared() -> None:
    cell, _ = make_measured([1e-4])
    counted = number(1000, "instructions", kind="emulated")
    a = msgspec.structs.replace(cell, instructions=counted)
    b = msgspec.structs.replace(cell, instructions=msgspec.structs.replace(counted, value=1001.0))
    assert exact_verdicts(a, b)["instructions"].verdict == "worse"
    assert exact_verdicts(a, b)["instructions"].kind == "emulated"
    estimated = msgspec.structs.replace(counted, kind="estimated")
    c = msgspec.structs.replace(cell, instructions=estimated)
    assert exact_verdicts(a, c)["instructions"].verdict == "inconclusive"
    assert "instructions" not in exact_verdicts(a, cell)


def test_planned_memory_is_counted_and_a_process_memory_is_not() -> None:
    cell, _ = make_measured([1e-4])
    memory = {"arena": number(53_412, "B"), "peak_rss": number(6e7, "B")}
    a = msgspec.structs.replace(cell, memory=memory)
    b = msgspec.structs.replace(cell, memory=memory | {"arena": number(53_428, "B"), "peak_rss": number(7e7, "B")})
    found = exact_verdicts(a, b)
    assert set(found) == {"size", "arena"}
    assert found["arena"].verdict == "worse"
    assert isinstance(memory["arena"], Measurement)


def test_sentences_name_ratio_interval_and_margin() -> None:
    found = Estimate(ratio=1.05, low=1.03, high=1.07, count=6, level=0.05, spread=0.01)
    slower = judged(LATENCY, found, 1e-5, 1.05e-5, what="pairs", method="m")
    assert slower.sentence == "An inference takes 1.050 times A's (1.030 to 1.070, 6 pairs)."
    assert judged(PEAK_RSS, found, 1, 1.05, what="pairs", method="m").verdict == "inconclusive"
    wide = msgspec.structs.replace(found, low=0.9, high=1.2)
    assert judged(LATENCY, wide, 1, 1, what="pairs", method="m").sentence.endswith("more than 2 % apart.")


def test_what_has_no_verdict_has_values_and_no_change() -> None:
    metric = undecided(LATENCY, "there is no clock", 2.0, 3.0)
    assert (metric.a, metric.b, metric.value, metric.low, metric.high) == (2.0, 3.0, None, None, None)
    assert interval_of("latency", metric) is None
