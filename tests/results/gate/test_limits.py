import pytest

from edgerig.errors import SpecError
from edgerig.results.gate.limits import DEFAULT, Limit, parse_budget, parse_limit, parse_limits


@pytest.mark.parametrize(
    ("metric", "text", "kind", "value"),
    [
        ("latency", "5 %", "relative", 0.05),
        ("latency", "25%", "relative", 0.25),
        ("latency", "2 ms", "absolute", 2e-3),
        ("latency", "< 20 ms", "budget", 0.02),
        ("p99", "<1.5s", "budget", 1.5),
        ("load", "10 us", "absolute", 1e-5),
        ("accuracy", "0.5 points", "absolute", 0.005),
        ("accuracy", "1 point", "absolute", 0.01),
        ("accuracy", "> 97 %", "budget", 0.97),
        ("ram", 0, "absolute", 0.0),
        ("flash", "1 kB", "absolute", 1000.0),
        ("flash", "< 64 KiB", "budget", 65536.0),
        ("arena", "10 %", "relative", 0.1),
        ("size", "0 %", "relative", 0.0),
        ("instructions", "1000", "absolute", 1000.0),
        ("instructions", "< 2e6", "budget", 2e6),
        ("failures", "0", "absolute", 0.0),
        ("throughput", "5 %", "relative", 0.05),
        ("throughput", "> 100 /s", "budget", 100.0),
        ("rate", "2.5 1/s", "absolute", 2.5),
        ("p99_under_load", "< 50 ms", "budget", 0.05),
        ("energy", "10 %", "relative", 0.1),
        ("energy", "2 mJ", "absolute", 2e-3),
        ("energy", "< 500 µJ", "budget", 5e-4),
        ("mae", "2 %", "relative", 0.02),
        ("mae", "0.1 °C", "absolute", 0.1),
        ("rmse", "< 0.3 °C", "budget", 0.3),
        ("mean_iou", "1 point", "absolute", 0.01),
        ("map", "> 40 %", "budget", 0.4),
        ("r2", "> 90 %", "budget", 0.9),
        ("false_rejects", "1 point", "absolute", 0.01),
        ("false_accepts_per_hour", "< 0.5 /h", "budget", 0.5),
        ("quality", "1 %", "relative", 0.01),
        ("quality", "1 point", "absolute", 0.01),
        ("quality_exact", "< 3 mm", "budget", 3.0),
    ],
)
def test_a_limit_is_read_in_its_unit(metric: str, text: str | int, kind: str, value: float) -> None:
    found = parse_limit(metric, text)
    assert (found.metric, found.kind) == (metric, kind)
    assert found.value == pytest.approx(value)


@pytest.mark.parametrize(
    ("metric", "text", "words"),
    [
        ("latncy", "5 %", "Did you mean 'latency'"),
        ("latency", "5 parsecs", "no unit 'parsecs'"),
        ("latency", "5", "in no unit"),
        ("latency", "1 kB", "in no unit"),
        ("flash", "5 ms", "in no unit"),
        ("latency", "> 5 ms", "getting better"),
        ("accuracy", "< 97 %", "getting better"),
        ("accuracy", "5 %", "in no unit"),
        ("throughput", "< 100 /s", "getting better"),
        ("rate", "> 20 ms", "in no unit"),
        ("throughput", "5", "at most so much less, or throughput: '> 100 /s'"),
        ("energy", "> 5 mJ", "getting better"),
        ("energy", "5 kB", "energy: < 5 mJ"),
        ("latency", "> 5 J", "getting better"),
        ("mae", "> 2 m", "getting better"),
        ("mean_iou", "< 50 %", "getting better"),
        ("mean_iou", "5 %", "in no unit"),
        ("map", "0.5", "in no unit"),
        ("false_accepts_per_hour", "2 points", "in no unit"),
        ("false_rejects", "> 2 %", "getting better"),
        ("rsme", "2 %", "Did you mean 'rmse'"),
        ("quality_", "2 %", "no metric 'quality_'"),
        ("latency", "5 J", "in no unit"),
        ("latency", "-5 %", "is no limit"),
        ("latency", "fast", "is no limit"),
        ("latency", "", "is no limit"),
        ("latency", None, "is no limit"),
        ("latency", True, "is no limit"),
        ("latency", {}, "is no limit"),
        ("latency", "1e999 s", "is no limit"),
        ("flash", "nan B", "is no limit"),
    ],
)
def test_what_is_no_limit_is_refused_with_one_that_would_be(metric: str, text: object, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_limit(metric, text)
    assert words in str(caught.value)


def test_a_section_holds_limits_lists_of_them_and_budgets() -> None:
    found = parse_limits({"latency": ["5 %", "< 20 ms"], "ram": 0, "budgets": ["flash < 64 kB"]})
    assert found == (
        Limit("latency", "5 %", "relative", 0.05),
        Limit("latency", "< 20 ms", "budget", 0.02),
        Limit("ram", "0", "absolute", 0.0),
        Limit("flash", "< 64 kB", "budget", 64e3),
    )
    assert parse_limits(DEFAULT) == (Limit("latency", "5 %", "relative", 0.05),)
    assert parse_limits({"budgets": "latency<20ms"})[0].value == pytest.approx(0.02)
    for wrong in ([], "latency", None):
        with pytest.raises(SpecError):
            parse_limits(wrong)
    with pytest.raises(SpecError, match="is no budget"):
        parse_budget("latency is 20 ms")
