"""The lines of boards that run here: their timeouts count seconds of the board, not of this machine."""

from __future__ import annotations

import re

from edgerig.simulator.simulator import CONSOLE, WIRE
from edgerig.suites.mlperf_tiny import grammar
from edgerig.suites.mlperf_tiny.device.console import CLOCK_PERIOD
from edgerig.targets.emulated.qemu_process import Emulator
from edgerig.targets.emulated.simulator_link import SimulatorLink
from edgerig.wire.link import PairLink

#: Seconds of this machine's time after which a simulation looks whether the device's time is up.
_LOOK_SECONDS = 30.0
#: How much longer QEMU may take for a second of its own time, which is 10^9 instructions, on a busy machine.
_SLOWER = 60.0
#: A window as a device tells of it: inferences, and two timestamps in microseconds; and no fewer bytes than that.
_WINDOW = re.compile(rb"m-infer-start-(\d+)\r\nm-lap-us-(\d+)\r\nm-lap-us-(\d+)\r\n")
_LONGEST_WINDOW = 200


class SimulatedLink(SimulatorLink):
    """The line of a simulated board, which goes on after a restart that it told of.

    A timeout counts seconds of the device. It is looked at twice a minute only, since what interrupts the simulation
    counts some instructions twice.
    """

    def _awaited(self, most: int) -> bytes:
        self._see_it_lives()
        simulator, start = self.simulator, self.simulator.cycles
        while True:
            try:
                simulator.run(_LOOK_SECONDS)
            except TimeoutError as error:
                seconds = (simulator.cycles - start) / simulator.clock_hz
                if self._timeout is not None and seconds > self._timeout:
                    raise TimeoutError(f"the board was busy for {seconds:.1f} s of its own time") from error
                continue
            reason = self.why_gone()
            if reason is not None:
                self._resets = simulator.resets
                raise ConnectionResetError(reason.removesuffix("."))
            simulator.read(CONSOLE)
            data = simulator.read(WIRE, most)
            if grammar.INFER_DONE.encode() in data:
                # What the first inferences did right the others do, and looking makes them slow.
                simulator.watch_alignment(False)
            return data

    def _see_it_lives(self) -> None:
        if self._closed:
            raise ConnectionResetError("the connection is closed")


class EmulatedLink(PairLink):
    """The line of a board in QEMU, which ends with it. A timeout counts seconds of QEMU's own time, or about that."""

    def __init__(self, emulator: Emulator) -> None:
        super().__init__(emulator.wire)
        self.emulator = emulator
        self._recent = b""
        self._windows: list[tuple[int, int]] = []

    def recv_into(self, view: memoryview) -> int:
        try:
            count = super().recv_into(view)
        except ConnectionError as error:
            raise ConnectionResetError(self.emulator.why_dead() or str(error)) from error
        self._recent += bytes(view[:count])
        parsed = 0
        for window in _WINDOW.finditer(self._recent):
            inferences, begin, end = map(int, window.groups())
            self._windows.append((inferences, (end - begin) % CLOCK_PERIOD))
            parsed = window.end()
        # The rest may be the beginning of another.
        self._recent = self._recent[parsed:][-_LONGEST_WINDOW:]
        return count

    def take_windows(self) -> list[tuple[int, int]]:
        """Inferences and microseconds of each window since this was asked last."""
        windows, self._windows = self._windows, []
        return windows

    def set_timeout(self, seconds: float | None) -> None:
        super().set_timeout(None if seconds is None else seconds * _SLOWER)

    def close(self) -> None:
        super().close()
        self.emulator.close()
