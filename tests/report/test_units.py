import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerig.report.units import compact, digits, exact, percent, show, show_interval, times, when


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0, "s", "0.00 s"),
        (4.2e-9, "s", "4.20 ns"),
        (9.5234e-5, "s", "95.2 µs"),
        (0.00123456, "s", "1.23 ms"),
        (0.0009999, "s", "1.00 ms"),
        (0.09996, "s", "100 ms"),
        (12.0, "s", "12.0 s"),
        (999, "B", "999 B"),
        (101_664, "B", "102 kB"),
        (53_412, "B", "53.4 kB"),
        (66.4e6, "B", "66.4 MB"),
        (0.9835, "1", "98.35 %"),
        (1.0, "1", "100.00 %"),
        (10508.3, "1/s", "10,508 /s"),
        (13.62, "inferences/s", "13.6 /s"),
        (15_400_000, "instructions", "15.4 M instructions"),
        (512, "cycles", "512 cycles"),
        (0.000034, "J", "34.0 µJ"),
        (2_596_122_000, "Hz", "2.60 GHz"),
        (32_768, "Hz", "32.8 kHz"),
        (41.25, "°C", "41.2 °C"),
        (0.5, "°C", "0.50 °C"),
        (0.25, "", "0.25"),
        (0.1863, "", "0.186"),
        (0.1931, "metres", "0.193 metres"),
        (0.0441, "years", "0.0441 years"),
        (12.3, "mmHg", "12.3 mmHg"),
        (2.314, "times", "2.31 times"),
        (0.434, "times", "0.43 times"),
        (0.0441, "times", "0.044 times"),
    ],
)
def test_a_number_is_shown_in_the_unit_that_suits_it(value: float, unit: str, text: str) -> None:
    assert show(value, unit) == text


@pytest.mark.parametrize("unit", ["s", "B", "1", "1/s", "cycles", "J", ""])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_said_in_words(value: float, unit: str) -> None:
    assert show(value, unit) in {"not a number", "infinite"}


@given(st.floats(1e-9, 1e3), st.floats(0, 0.2))
def test_an_interval_is_in_the_unit_of_its_number(value: float, width: float) -> None:
    unit = show(value, "s").split()[-1]
    text = show_interval(value * (1 - width), value * (1 + width), "s", value)
    assert text.split()[-1] == unit
    assert "–" in text


def test_bounds_that_differ_are_not_shown_as_the_same() -> None:
    assert show_interval(145.5e-6, 145.9e-6, "s", 145.7e-6) == "145.5–145.9 µs"


@given(st.floats(1e-9, 9e5, allow_subnormal=False))
def test_the_shown_time_is_within_half_a_percent_of_the_true_one(seconds: float) -> None:
    number, unit = show(seconds, "s").split()
    factor = {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1.0}[unit]
    assert float(number.replace(",", "")) * factor == pytest.approx(seconds, rel=5.1e-3)


def test_the_exact_figure_loses_nothing() -> None:
    assert float(exact(1.23456789e-4, "s").split()[0]) == 1.23456789e-4
    assert exact(375_840, "B") == "375,840 B"
    assert exact(0.98350001, "1") == "0.98350001"


def test_small_helpers() -> None:
    assert digits(1234.5) == "1,234"
    assert percent(0.9125) == "91.2 %"
    assert percent(-0.0001) == "0.0 %"
    assert percent(math.nan) == "–"
    assert (times(1.26), times(12.4)) == ("1.3", "12")
    assert when("2026-03-14T10:26:00+01:00") == "2026-03-14 09:26 UTC"
    assert when("2026-03-14T10:26:00") == "2026-03-14 10:26"
    assert when("yesterday") == "yesterday"
    assert compact({"threads": 1, "delegate": None, "name": "x", "list": [1, 2]}) == (
        "threads=1, delegate=null, name=x, list=[1,2]"
    )
