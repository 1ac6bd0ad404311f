"""What several operators take together."""

from typing import Any

from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.results.layers.sums import sum_of


def time(value: float, **more: Any) -> Measurement:
    return Measurement(**({"value": value, "unit": "s", "kind": "measured", "method": "m", "n": 5} | more))


def test_times_add_up_and_single_intervals_are_lost() -> None:
    total = sum_of([time(2.0, low=1.0, high=3.0, n=7), time(3.0, low=2.0, high=4.0, warnings=("w",))])
    assert total == time(5.0, method="m; sum of 2 operators", warnings=("w",))


def test_the_error_of_a_model_adds_up() -> None:
    band = {"kind": "modelled", "bounds": "model"}
    total = sum_of([time(2.0, low=1.0, high=3.0, **band), time(3.0, low=2.0, high=5.0, **band)])
    assert isinstance(total, Measurement)
    assert (total.value, total.low, total.high, total.bounds) == (5.0, 3.0, 8.0, "model")


def test_a_part_without_a_time_makes_no_sum() -> None:
    assert sum_of([time(2.0), Unavailable("too short")]) == Unavailable("1 of 2 operators: too short")
    assert sum_of([Unavailable("too short")]) == Unavailable("too short")


def test_unlike_kinds_and_unknown_errors_make_no_sum() -> None:
    assert sum_of([time(2.0), time(1.0, kind="emulated")]) == Unavailable("its operators have numbers of several kinds")
    assert sum_of([time(2.0, kind="modelled")]) == Unavailable("it was modelled, and nobody told with which error")
