"""The LPM01A's protocol against a simulated instrument that feeds a device with known energies."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from tests.power.meters import SimulatedLpm01a, Terminal

from edgerig.errors import AnswerError, SpecError, TargetError
from edgerig.plugins import make
from edgerig.power import lpm01a
from edgerig.power.base import PowerMonitor
from edgerig.power.lpm01a import Acquisition
from edgerig.testing.contracts.power_monitor import PowerMonitorContract


def monitor_of(meter: SimulatedLpm01a, **options: object) -> PowerMonitor:
    return make("power-monitor", "lpm01a", PowerMonitor, {"port": meter.terminal.name, **options})


@pytest.fixture
def meter() -> Iterator[SimulatedLpm01a]:
    with SimulatedLpm01a() as meter:
        yield meter


class TestLpm01a(PowerMonitorContract):
    @pytest.fixture
    def monitor(self, meter: SimulatedLpm01a) -> PowerMonitor:
        return monitor_of(meter)

    @pytest.fixture
    def work(self, meter: SimulatedLpm01a) -> Callable[[], float]:
        return meter.work


def test_the_commands_are_those_of_the_benchmark_and_the_device_is_fed_meanwhile(meter: SimulatedLpm01a) -> None:
    with monitor_of(meter) as monitor:
        assert meter.controlled
        assert meter.powered
        monitor.start()
        assert meter.acquiring
        monitor.stop()
        assert not meter.acquiring
    assert not meter.controlled
    assert meter.commands == [
        "htc", "pwr off", "acqtime inf", "trigdelay 0", "trigsrc sw", "eventsrc d7 fal", "output energy",
        "format ascii_dec", "freq 1k", "volt 1800m", "pwr on nostatus", "start", "stop", "pwr off", "hrc",
    ]  # fmt: skip


def test_a_sample_is_energy_of_its_period() -> None:
    data = Acquisition(500)
    for line in ("1234-05", "event 0 ris", "2000-06", "event 1 fal"):
        assert data.take(line)
    assert not data.take("12a4-05")
    recording = data.recording()
    assert recording.watts == pytest.approx([1234e-5 * 500, 2000e-6 * 500])
    assert recording.times == pytest.approx([0.002, 0.004])
    assert recording.marks == pytest.approx([0.003, 0.005])
    assert recording.mark_error == pytest.approx(0.001)


def test_voltage_and_frequency_are_set(meter: SimulatedLpm01a) -> None:
    with monitor_of(meter, voltage=3.3, frequency=200) as monitor:
        monitor.start()
        joules = meter.work()
        energy = monitor.stop().last_window()
    assert {"volt 3300m", "freq 200"} <= set(meter.commands)
    assert abs(energy.joules - joules) <= energy.uncertainty
    with pytest.raises(SpecError, match="voltage"):
        monitor_of(meter, voltage=5)


def test_the_prompt_of_a_successor_is_understood() -> None:
    with SimulatedLpm01a(prompt="stlp > ") as meter, monitor_of(meter) as monitor:
        monitor.start()
        assert monitor.stop().interval == pytest.approx(0.001)


@pytest.mark.parametrize("command", ["htc", "freq 1k", "pwr on nostatus", "start"])
def test_a_command_that_is_refused_is_named_and_control_given_back(command: str) -> None:
    with SimulatedLpm01a(refuse=command) as meter:
        monitor = monitor_of(meter)
        with pytest.raises(TargetError, match=f"refuses '{command}': error {command}, Error detail: out of order"):
            run(monitor)
        assert meter.commands[-2:] == ["pwr off", "hrc"]
        assert not meter.acquiring
        assert not meter.controlled


@pytest.mark.parametrize("command", ["htc", "volt 1800m", "start"])
def test_a_command_without_an_answer_is_named(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lpm01a, "_ANSWER_SECONDS", 0.2)
    with SimulatedLpm01a(silent=command) as meter:
        with pytest.raises(TargetError, match=f"does not answer '{command}'"):
            run(monitor_of(meter))
        assert meter.commands[-1] == "hrc"


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        ({"lose": 61}, "loses or damages bytes"),
        ({"skip": 40}, "60 samples of the power monitor came in 0.100 s of its clock, 100 should have"),
        ({"overrun": 1}, "buffer ran full after 300 samples"),
        ({"error": 1}, "says after 300 samples: error: sampling buffer overflow"),
    ],
)
def test_lost_samples_are_no_energy_and_the_instrument_is_left_in_order(faults: dict[str, int], words: str) -> None:
    with SimulatedLpm01a(**faults) as meter:
        with pytest.raises(TargetError, match=words):
            run(monitor_of(meter), meter.work)
        assert not meter.acquiring
        assert not meter.controlled
        assert meter.commands[-3:] == ["stop", "pwr off", "hrc"]


def test_garbage_is_told_with_the_line(meter: SimulatedLpm01a) -> None:
    monitor = monitor_of(meter)
    monitor.open()
    monitor.start()
    meter.terminal.write(b"12\x80\xff34\r\n")
    meter.work()
    with pytest.raises(AnswerError, match=r"no line of text: b'12\\x80"):
        monitor.stop()
    monitor.close()
    assert meter.commands[-1] == "hrc"
    assert not meter.acquiring


def test_what_ended_by_itself_is_no_recording(meter: SimulatedLpm01a) -> None:
    with monitor_of(meter) as monitor:
        monitor.start()
        meter.work()
        meter.terminal.write(b"end\r\n")
        monitor._ended.wait(5)  # type: ignore[attr-defined]
        with pytest.raises(TargetError, match="ended by itself after 520 samples"):
            monitor.stop()


def test_an_acquisition_that_another_program_left_running_is_ended_first() -> None:
    with SimulatedLpm01a(real_time=True) as meter:
        meter.obey("start")
        with monitor_of(meter) as monitor:
            assert meter.commands[:3] == ["start", "stop", "htc"]
            monitor.start()
            monitor.stop()


def test_an_error_in_the_work_leaves_the_instrument_stopped(meter: SimulatedLpm01a) -> None:
    with pytest.raises(RuntimeError, match="the device exploded"), monitor_of(meter) as monitor:  # noqa: PT012
        monitor.start()
        raise RuntimeError("the device exploded")
    assert not meter.acquiring
    assert meter.commands[-3:] == ["stop", "pwr off", "hrc"]


def test_a_port_where_nothing_is_gives_no_monitor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lpm01a, "_ANSWER_SECONDS", 0.2)
    with pytest.raises(TargetError, match="no serial port /dev/tty-that-is-not"):
        make("power-monitor", "lpm01a", PowerMonitor, {"port": "/dev/tty-that-is-not"}).open()
    terminal = Terminal()
    with pytest.raises(TargetError, match="does not answer 'htc'"):
        make("power-monitor", "lpm01a", PowerMonitor, {"port": f"serial://{terminal.name}?baud=115200"}).open()
    terminal.close()


def run(monitor: PowerMonitor, work: Callable[[], object] = lambda: None) -> None:
    with monitor:
        monitor.start()
        work()
        monitor.stop()
