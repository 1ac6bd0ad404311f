import pytest

from edgerig.results.compare.texts import amount_text, change_text, interval_text, margin_text
from edgerig.results.compare.types import MetricVerdict


def metric(**changes: object) -> MetricVerdict:
    fields = {"verdict": "same", "sentence": "", "a": 1.0, "b": 1.0, "unit": "s", "count": 5, "low": 0.98, "high": 1.5}
    return MetricVerdict(**(fields | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "+0.0 %"),
        (0.99999, "+0.0 %"),
        (1.0149, "+1.5 %"),
        (0.5, "-50.0 %"),
        (99.0, "+9800.0 %"),
        (2.3e12, "over 100 times"),
    ],
)
def test_a_ratio_is_a_signed_percentage_and_what_is_beyond_all_sense_says_so(value: float, text: str) -> None:
    assert change_text(metric(), value) == text


def test_a_difference_is_in_points() -> None:
    assert change_text(metric(change="difference", unit="1"), -0.0215) == "-2.15 points"
    assert change_text(metric(change="difference", unit="1"), -1e-9) == "+0.00 points"
    assert margin_text(metric(change="difference", unit="1", margin=0.005)) == "0.5 points"


def test_a_difference_of_what_is_no_share_is_in_its_unit() -> None:
    assert change_text(metric(change="difference", unit="°C"), -0.02154) == "-0.02154 °C"
    assert change_text(metric(change="difference", unit=""), 0.3) == "+0.3"
    assert change_text(metric(change="difference", unit="1/h"), 1.25) == "+1.25 /h"
    assert margin_text(metric(change="difference", unit="m", margin=0.02)) == "0.02 m"
    assert margin_text(metric(margin=0.02)) == "2 %"
    assert margin_text(metric(margin=0.0)) == "none"


def test_exact_figures_and_missing_bounds_have_no_interval() -> None:
    assert interval_text(metric()) == "-2.0 % to +50.0 %"
    assert interval_text(metric(count=0)) == "-"
    assert interval_text(metric(low=None)) == "-"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "s", "-"),
        (0.0, "s", "0 ns"),
        (8.15e-6, "s", "8.15 us"),
        (0.9245, "1", "92.45%"),
        (58_172_940.0, "B", "58,172,940 B"),
    ],
)
def test_a_value_has_the_unit_that_suits_it(value: float | None, unit: str, text: str) -> None:
    assert amount_text(value, unit) == text
