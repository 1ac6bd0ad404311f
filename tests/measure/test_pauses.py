import time

import numpy as np
import pytest

from edgerig.measure import pauses
from edgerig.measure.pauses import SleepWatch, paused_inferences, waited


def test_one_inference_of_20_s_is_told_with_how_many_and_how_long():
    times = np.full(1000, 0.004)
    assert paused_inferences(times) is None
    times[413] = 20.0
    said = paused_inferences(times)
    assert said is not None
    assert said.startswith("1 of 1,000 inferences took up to 20.0 s, 5,000 times the median")
    times[7] = 3.0
    assert (paused_inferences(times) or "").startswith("2 of 1,000")


def test_slow_networks_and_usual_outliers_are_no_pause():
    assert paused_inferences([20.0, 21.0, 25.0]) is None
    assert paused_inferences([0.001] * 99 + [0.4]) is None
    assert paused_inferences([1.0] * 99 + [15.0]) is None
    assert paused_inferences([20.0]) is None
    assert paused_inferences([]) is None


def test_waiting_is_told_from_two_seconds_on():
    assert waited(1.9) is None
    assert "For 20.1 s nothing came from the device" in (waited(20.1) or "")


def test_sleep_is_what_one_clock_counts_and_the_other_does_not(monkeypatch):
    watch = SleepWatch()
    assert watch.slept() is None
    real = pauses._asleep()
    monkeypatch.setattr(pauses, "_asleep", lambda: real + 20.0)
    assert "slept for 20 s" in (watch.slept() or "")


@pytest.mark.parametrize(("seconds", "said"), [(3600.0, "3,600 s forward"), (-60.0, "60 s back")])
def test_a_clock_that_is_set_is_told_once(monkeypatch: pytest.MonkeyPatch, seconds: float, said: str) -> None:
    clock = pauses.WallClock()
    assert clock.jumped() is None
    now = time.time
    monkeypatch.setattr(pauses.time, "time", lambda: now() + seconds)
    assert said in (clock.jumped() or "")
    assert clock.jumped() is None


def test_a_clock_that_is_kept_right_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = pauses.WallClock()
    now = time.time
    monkeypatch.setattr(pauses.time, "time", lambda: now() + 0.4)
    assert clock.jumped() is None
