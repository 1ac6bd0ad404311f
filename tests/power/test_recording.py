"""Energy between two moments of a recording, against integrals that are known."""

from __future__ import annotations

import numpy as np
import pytest

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


@pytest.mark.slow
def test_the_uncertainty_holds_the_true_energy_of_steps_between_samples() -> None:
    """Of 400 random square waves, sampled at random moments with marks known to half an interval, at least 95 %."""
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(400):
        rate, period = 1000.0, 0.0137
        times = np.arange(0, 1, 1 / rate) + rng.uniform(0, 1 / rate)
        phase = rng.uniform(0, period)

        def power(at: np.ndarray, phase: float = phase, period: float = period) -> np.ndarray:
            return np.where((at + phase) % period < period / 2, 3.0, 1.0)

        marks = np.sort(rng.uniform(0.1, 0.9, 2)) + np.array([0.0, 0.05])
        fine = np.linspace(*marks, 200_001)
        true = float(power((fine[1:] + fine[:-1]) / 2).mean() * (marks[1] - marks[0]))
        seen = (np.floor(marks * rate) + 0.5) / rate
        energy = recording(times, power(times), seen, mark_error=0.5 / rate).last_window()
        held += abs(energy.joules - true) <= energy.uncertainty
        assert energy.uncertainty < 0.1 * energy.joules + 0.01
    assert held >= 380


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
    # Both marks at 0.5 W, each anywhere within 5 ms: 2 * sqrt(2) * 0.5 W * 5 ms / sqrt(3) = 4.08 mJ of 4 J.
    assert cost.high is not None
    assert cost.high - cost.value == pytest.approx(2 * np.sqrt(2) * 0.5 * 0.005 / np.sqrt(3) / 1000)
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
