"""Energy mode as users run it: a device, a runner and an instrument, each on a line of its own, and nothing shared."""

from __future__ import annotations

import contextlib
import json
import math
import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.power.meters import RATE, SimulatedLpm01a, Terminal, joules_between
from tests.suites.mlperf_tiny.tiny_networks import seeded_sample, tiny_network

from edgerig.datasets.mlperf_tiny.benchmarks import BENCHMARKS

KWS = BENCHMARKS["kws01"]
#: Share by which the instrument's four digits may be off: half of the last one, of 2000 and more.
HALF_A_DIGIT = 0.5 / 2000
EDGERIG = [sys.executable, "-m", "edgerig", "mlperf-tiny"]


def power(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Watts: a load that repeats every 70 ms, and grows from window to window."""
    return 0.020 + 0.015 * (times % 0.07 < 0.03) + 0.002 * np.minimum(times, 10)


class PinMeter(SimulatedLpm01a):
    """An instrument whose event input is a pin that a process sets by a file: a FIFO."""

    def __init__(self, pin: Path) -> None:
        super().__init__(power, real_time=True)
        os.mkfifo(pin)
        self.falls: list[float] = []
        # Open for writing, too, so that the device may come and go.
        self._pin = os.open(pin, os.O_RDWR | os.O_NONBLOCK)
        self._watching = threading.Thread(target=self._watch)

    def __enter__(self) -> PinMeter:
        super().__enter__()
        self._watching.start()
        return self

    def __exit__(self, *reason: object) -> None:
        self._stopping.set()
        self._watching.join()
        os.close(self._pin)
        super().__exit__(*reason)

    def see(self) -> None:
        with self._lock:
            while select.select([self._pin], [], [], 0)[0]:
                for level in os.read(self._pin, 4096):
                    if level == ord("0") and self.acquiring:
                        self.falls.append(self.fall())

    def _watch(self) -> None:
        while not self._stopping.is_set():
            if select.select([self._pin], [], [], 0.05)[0]:
                self.see()


class InterfaceBoard:
    """Between the runner and the device: takes ``dut ..``, and marks what comes back."""

    def __init__(self, device: str) -> None:
        self.terminal = Terminal()
        self.name = self.terminal.name
        self._device = os.open(device, os.O_RDWR | os.O_NOCTTY)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._relay)

    def __enter__(self) -> InterfaceBoard:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        os.close(self._device)
        self.terminal.close()

    def _relay(self) -> None:
        command, answer = b"", b""
        while not self._stopping.is_set():
            ready, _, _ = select.select([self.terminal.ours, self._device], [], [], 0.05)
            if self.terminal.ours in ready:
                *commands, command = (command + os.read(self.terminal.ours, 4096)).split(b"%")
                for text in commands:
                    assert text.startswith(b"dut "), text
                    os.write(self._device, text.removeprefix(b"dut ") + b"%")
            if self._device in ready:
                *lines, answer = (answer + os.read(self._device, 4096)).split(b"\r\n")
                self.terminal.write(b"".join(b"[dut]: " + line + b"\r\n" for line in lines))


@contextlib.contextmanager
def device(folder: Path, pin: Path) -> Iterator[str]:
    """A keyword network that serves on a pseudo-terminal of its own; its name."""
    (folder / "kws.tflite").write_bytes(tiny_network(KWS))
    words = ["dut", "--benchmark", "kws01", "--model", str(folder / "kws.tflite"), "--line", "pty"]
    process = subprocess.Popen(
        [*EDGERIG, *words, "--mode", "energy", "--pin", str(pin)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        yield process.stdout.readline().decode().strip()
    finally:
        process.terminate()
        process.communicate(timeout=20)


def samples(folder: Path) -> Path:
    (folder / "kws01").mkdir(parents=True)
    rows = []
    for index in range(6):
        (folder / "kws01" / f"tst_{index:06}.bin").write_bytes(seeded_sample(KWS, index))
        rows.append(f"tst_{index:06}.bin,12,{index}\n")
    (folder / "kws01" / "y_labels.csv").write_text("".join(rows))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("behind_board", [False, True])
def test_the_energy_of_an_inference_is_what_the_instrument_fed(tmp_path: Path, behind_board: bool) -> None:
    data, pin = samples(tmp_path / "data"), tmp_path / "pin"
    with PinMeter(pin) as meter, device(tmp_path, pin) as line, contextlib.ExitStack() as stack:
        port, extra = line, []
        if behind_board:
            port, extra = stack.enter_context(InterfaceBoard(line)).name, ["--behind-board"]
        words = ["run", "--benchmark", "kws01", "--device", f"serial://{port}", "--mode", "energy", "--json"]
        words += ["--data", str(data), "--out", str(tmp_path / "out"), "--window", "0.4", *extra]
        words += ["--power", "lpm01a", "--power-option", f"port={meter.terminal.name}"]
        done = subprocess.run([*EDGERIG, *words], capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    windows = summary["windows"]
    assert len(windows) == 5
    # Marks come in pairs, each of an acquisition of its own. A window that was too short is tried again: the last five
    # that are long enough, on the clock of the samples, are the windows.
    pairs = list(zip(meter.falls[::2], meter.falls[1::2], strict=True))
    periods = [math.floor(end * RATE) - math.floor(start * RATE) for start, end in pairs]
    measured = [(pair, count) for pair, count in zip(pairs, periods, strict=True) if count >= 0.4 * RATE][-5:]
    for window, (marks, count) in zip(windows, measured, strict=True):
        energy = window["energy"]
        assert energy["seconds"] == pytest.approx(count / RATE)
        rounding = HALF_A_DIGIT * energy["joules"]
        assert abs(energy["joules"] - joules_between(*marks, power)) <= energy["uncertainty"] + rounding
        assert energy["seconds"] >= 0.4
        assert energy["samples"] == pytest.approx(energy["seconds"] * 1000, abs=2)
    each = sorted(window["energy"]["joules"] / window["iterations"] for window in windows)
    assert summary["energy"]["value"] == pytest.approx(each[2])
    assert summary["energy"]["unit"] == "J"
    uncertainties = sorted(
        (window["energy"]["joules"] - window["energy"]["uncertainty"]) / window["iterations"] for window in windows
    )
    assert summary["energy"]["low"] == pytest.approx(uncertainties[2])
    assert summary["energy"]["low"] < summary["energy"]["value"] < summary["energy"]["high"]
    assert summary["power"] == f"lpm01a (port={meter.terminal.name})"
    page = (tmp_path / "out" / "edgerig" / "report.html").read_text()
    assert summary["power"] in page
    assert "by the sample rate), measured, median of 5 windows" in page
    assert "mean power" in page
    assert not meter.powered
    assert meter.commands[-2:] == ["pwr off", "hrc"]
    text = (tmp_path / "out" / "results.txt").read_text()
    assert "Energy/Inf" in text
    # Windows of less than 10 s are no result.
    assert "Median energy cost is" not in text
