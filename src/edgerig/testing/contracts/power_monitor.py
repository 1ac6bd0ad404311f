"""The contract of a power monitor: subclass `PowerMonitorContract`, provide the fixtures ``monitor`` and ``work``.

::

    class TestMine(PowerMonitorContract):
        @pytest.fixture
        def monitor(self, meter):
            return Mine(MineSettings(port=meter.port))

        @pytest.fixture
        def work(self, meter):
            return meter.work
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from edgerig.errors import AnswerError, TargetError
from edgerig.plugins import Settings, describe
from edgerig.power.base import PowerMonitor
from edgerig.power.recording import Recording

#: What may lie between the energy that an instrument tells and the true one beside its uncertainty: digits of samples.
DIGITS = 1e-3


class PowerMonitorContract:
    """Tests that every power monitor passes."""

    @pytest.fixture
    def monitor(self) -> PowerMonitor:
        """A monitor that is not open, of an instrument, or a simulated one, that answers."""
        raise NotImplementedError("give a fixture 'monitor'")

    @pytest.fixture
    def work(self) -> Callable[[], float]:
        """A function that lets the device work while the monitor records: its pin falls twice, and power is drawn
        before, between and after that. It returns the joules drawn between the two. Of a monitor that is not live, it
        tells those of the file's last two marks."""
        raise NotImplementedError("give a fixture 'work'")

    def test_the_class_declares_what_it_is(self, monitor: PowerMonitor) -> None:
        assert monitor.name
        assert monitor.summary
        assert isinstance(monitor.settings, Settings)
        assert all(text for _, _, text in describe(type(monitor).Settings))
        assert isinstance(monitor.live, bool)
        assert isinstance(type(monitor).feeds_device, bool)

    def test_calls_out_of_order_name_themselves(self, monitor: PowerMonitor) -> None:
        name = type(monitor).__name__
        with pytest.raises(TargetError, match=rf"{name}\.start: it is not open"):
            monitor.start()
        with pytest.raises(TargetError, match=rf"{name}\.stop: it is not open"):
            monitor.stop()
        with monitor:
            with pytest.raises(TargetError, match=rf"{name}\.open: it is open already"):
                monitor.open()
            with pytest.raises(TargetError, match=rf"{name}\.stop: it does not record"):
                monitor.stop()
            monitor.start()
            with pytest.raises(TargetError, match=rf"{name}\.start: it records already"):
                monitor.start()

    def test_the_energy_between_two_marks_is_the_true_one(
        self, monitor: PowerMonitor, work: Callable[[], float]
    ) -> None:
        recording, joules = self._record(monitor, work)
        energy = recording.last_window()
        assert energy.uncertainty > 0
        assert abs(energy.joules - joules) <= energy.uncertainty + DIGITS * joules
        assert energy.samples > 10
        cost = energy.per(10)
        assert cost.value == pytest.approx(energy.joules / 10)
        assert cost.unit == "J"
        assert cost.low is not None
        assert cost.high is not None
        assert cost.low < cost.value < cost.high

    def test_a_recording_is_samples_and_marks_on_one_clock(
        self, monitor: PowerMonitor, work: Callable[[], float]
    ) -> None:
        recording, _ = self._record(monitor, work)
        assert recording.times.shape == recording.watts.shape
        assert (np.diff(recording.times) > 0).all()
        assert np.isfinite(recording.watts).all()
        assert (np.diff(recording.marks) >= 0).all()
        assert ((recording.times[0] <= recording.marks) & (recording.marks <= recording.times[-1])).all()

    def test_a_second_recording_begins_anew(self, monitor: PowerMonitor, work: Callable[[], float]) -> None:
        counts = []
        with monitor:
            for _ in range(2):
                monitor.start()
                work()
                counts.append(len(monitor.stop().marks))
        assert counts[0] == counts[1] >= 2

    def test_a_window_beyond_the_samples_has_no_energy(self, monitor: PowerMonitor, work: Callable[[], float]) -> None:
        recording, _ = self._record(monitor, work)
        end = float(recording.times[-1])
        with pytest.raises(AnswerError, match="samples reach from"):
            recording.energy(float(recording.times[0]), end + 1.0)
        with pytest.raises(AnswerError, match="samples reach from"):
            recording.energy(end, float(recording.times[0]))

    def test_it_can_be_closed_in_any_state_and_opened_again(
        self, monitor: PowerMonitor, work: Callable[[], float]
    ) -> None:
        monitor.close()
        monitor.open()
        monitor.start()
        monitor.close()
        monitor.close()
        recording, joules = self._record(monitor, work)
        assert recording.last_window().joules == pytest.approx(joules, rel=0.1)

    def _record(self, monitor: PowerMonitor, work: Callable[[], float]) -> tuple[Recording, float]:
        with monitor:
            monitor.start()
            joules = work()
            return monitor.stop(), joules
