"""Energy between two moments of a recording, against integrals that are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerig.errors import AnswerError
from edgerig.power.recording import recording


def test_the_energy_of_a_straight_line_is_exact_wherever_the_window_begins() -> None:
    times = np.linspace(0, 10, 101)
    samples = recording(times, 2 + 0.5 * times)
    for start, end in ((0.0, 10.0), (0.03, 9.97), (1.234, 1.2345), (5.0, 5.1)):
        expected = 2 * (end - start) + 0.25 * (end**2 - start**2)
        assert samples.energy(start, end).joules == pytest.approx(expected, rel=1e-9)


def test_samples_that_are_means_add_up_exactly_over_whole_periods() -> None:
    """Power of a square wave that no sampling of moments could follow: its means over each period are all there is."""
    periods = np.arange(1, 101) / 10
    watts = np.where(np.arange(100) % 3 == 0, 4.0, 1.0)
    samples = recording(periods, watts, averaged=True)
    assert samples.energy(0.0, 10.0).joules == pytest.approx(watts.sum() * 0.1)
    assert samples.energy(2.0, 3.0).joules == pytest.approx(watts[20:30].sum() * 0.1)
    assert samples.energy(2.05, 2.05 + 1e-9).joules == pytest.approx(watts[20] * 1e-9, rel=1e-6)
    with pytest.raises(AnswerError, match="reach from 0 s to 10 s"):
        samples.energy(-0.01, 1.0)


class Steps:
    """Power that stands still between its steps: watts ``levels`` (k + 1,) around the moments ``at`` (k,)."""

    def __init__(self, at: list[float], levels: list[float]) -> None:
        self.at, self.levels = np.sort(np.array(at)), np.array(levels)

    def watts(self, times: np.ndarray) -> np.ndarray:
        return self.levels[np.searchsorted(self.at, times, "right")]

    def joules(self, times: np.ndarray) -> np.ndarray:
        """The exact integral from 0 to each of ``times``."""
        edges = np.concatenate([[0.0], self.at, [2.0]])
        return np.interp(times, edges, np.concatenate([[0.0], np.cumsum(self.levels * np.diff(edges))]))


levels = st.floats(1e-6, 40)
moments = st.floats(0.05, 0.95)


@given(st.data(), st.floats(0, 1), st.tuples(moments, moments))
def test_no_energy_of_means_is_further_off_than_its_uncertainty(
    data: st.DataObject, phase: float, ends: tuple[float, float]
) -> None:
    """As many steps as you like within a period; marks known to the period, as of the LPM01A, or exactly."""
    at = data.draw(st.lists(st.floats(0.01, 1.0), max_size=8))
    load = Steps(at, data.draw(st.lists(levels, min_size=len(at) + 1, max_size=len(at) + 1)))
    period = 0.01
    edges = (np.arange(101) + phase) * period
    watts = np.diff(load.joules(edges)) / period
    true = np.sort(np.array(ends))
    joules = float(np.diff(load.joules(true))[0])
    inside = np.searchsorted(edges, true, "right") - 1
    for marks, error in (((edges[inside] + edges[inside + 1]) / 2, period / 2), (true, 0.0)):
        samples = recording(edges[1:], watts, marks, mark_error=error, averaged=True)
        if marks[1] > marks[0]:
            energy = samples.last_window()
            assert abs(energy.joules - joules) <= energy.uncertainty + 1e-7
            # Two ends in one period each, and no more than that.
            assert energy.uncertainty <= sum(watts[inside]) * period + 1e-7


@given(st.data(), st.floats(0, 1), st.tuples(moments, moments))
def test_no_energy_of_moments_is_further_off_than_its_uncertainty(
    data: st.DataObject, phase: float, ends: tuple[float, float]
) -> None:
    """One step between two samples, anywhere there; marks known to lie between two samples."""
    interval = 0.01
    times = (np.arange(101) + phase) * interval
    steps = data.draw(st.dictionaries(st.integers(0, 99), st.floats(0, 1), max_size=20))
    at = [float(times[index] + share * interval) for index, share in steps.items()]
    load = Steps(at, data.draw(st.lists(levels, min_size=len(at) + 1, max_size=len(at) + 1)))
    true = np.sort(np.array(ends))
    inside = np.searchsorted(times, true, "right") - 1
    marks = (times[inside] + times[inside + 1]) / 2
    samples = recording(times, load.watts(times), marks, mark_error=interval / 2)
    if marks[1] > marks[0]:
        energy = samples.last_window()
        assert abs(energy.joules - float(np.diff(load.joules(true))[0])) <= energy.uncertainty + 1e-7


def test_the_ends_of_a_window_err_at_once() -> None:
    """A constant load, and a window that is a whole period longer than its marks tell."""
    times = np.arange(1, 1001) / 1000
    samples = recording(times, np.full(1000, 0.03), [0.1005, 0.9005], mark_error=0.0005, averaged=True)
    assert samples.last_window().uncertainty == pytest.approx(0.03 * 0.001)
    assert 0.03 * (0.901 - 0.1) - samples.last_window().joules <= samples.last_window().uncertainty * (1 + 1e-9)


def test_a_tenth_of_the_sample_rate_is_less_certain() -> None:
    times = np.linspace(0, 1, 1001)
    watts = 1 + 0.5 * np.sin(2 * np.pi * 13 * times)
    fine, coarse = recording(times, watts), recording(times[::10], watts[::10])
    assert coarse.energy(0.1, 0.9).uncertainty > 3 * fine.energy(0.1, 0.9).uncertainty


def test_energy_per_inference_carries_unit_and_bounds() -> None:
    samples = recording(np.linspace(0, 10, 1001), np.full(1001, 0.5), [1.0, 9.0], mark_error=0.005)
    cost = samples.last_window().per(1000)
    assert cost.value == pytest.approx(0.004)
    assert (cost.unit, cost.kind) == ("J", "measured")
    # Both marks at 0.5 W, each anywhere within 5 ms: 2 * 0.5 W * 5 ms = 5 mJ of 4 J.
    assert cost.high is not None
    assert cost.high - cost.value == pytest.approx(2 * 0.5 * 0.005 / 1000)
    with pytest.raises(ValueError, match="at least one"):
        samples.last_window().per(0)


def test_windows_are_pairs_of_marks_counted_from_the_end() -> None:
    samples = recording(np.linspace(0, 10, 101), np.ones(101), [0.5, 1.0, 2.0, 3.0, 5.0])
    assert samples.windows(1) == [(3.0, 5.0)]
    assert samples.windows(2) == [(1.0, 2.0), (3.0, 5.0)]
    with pytest.raises(AnswerError, match="5 falling edges, 6 are needed"):
        samples.windows(3)


def test_a_gap_in_the_samples_has_no_energy() -> None:
    times = np.concatenate([np.linspace(0, 1, 101), np.linspace(2, 3, 101)])
    samples = recording(times, np.ones(202))
    assert samples.energy(0.1, 0.9).joules == pytest.approx(0.8)
    with pytest.raises(AnswerError, match="no sample from 1 s to 2 s"):
        samples.energy(0.5, 2.5)


@pytest.mark.parametrize(
    ("times", "watts", "marks", "words"),
    [
        ([], [], [], "0 samples"),
        ([1.0], [1.0], [], "1 samples"),
        ([0.0, 1.0], [1.0], [], "different number"),
        ([0.0, 1.0, 1.0], [1.0, 1.0, 1.0], [], "do not increase: 1 s after 1 s, in sample 3"),
        ([0.0, 1.0], [1.0, float("nan")], [], "power that is not a finite"),
        ([0.0, float("inf")], [1.0, 1.0], [], "time that is not a finite"),
        ([0.0, 1.0], [1.0, 1.0], [2.0, 1.0], "out of order"),
    ],
)
def test_what_is_no_recording_is_refused(
    times: list[float], watts: list[float], marks: list[float], words: str
) -> None:
    with pytest.raises(AnswerError, match=words):
        recording(times, watts, marks)


def test_energy_that_is_not_above_nothing_is_no_energy() -> None:
    samples = recording([0.0, 1.0, 2.0], [-1.0, -1.0, -1.0])
    with pytest.raises(AnswerError, match="leads the right way"):
        samples.energy(0.5, 1.5)
