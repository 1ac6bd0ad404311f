"""Boards that QEMU emulates: ``qemu:mps2-an500`` and others."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
from msgspec.structs import replace

from edgerig.artifact import Artifact
from edgerig.boards.board import Board
from edgerig.boards.firmware import Firmware
from edgerig.files import sha256_file
from edgerig.simulator.qemu_calls import find_qemu
from edgerig.targets.base import Session
from edgerig.targets.emulated.base import RUNTIME, BoardTarget
from edgerig.targets.emulated.clock_readings import without_network
from edgerig.targets.emulated.qemu_process import EmulatedSession, Emulator, connect, processor_of

#: Silence in a message, in ms of the board's time, which goes on while this machine is too busy to send the rest: 200
#: pass in a few seconds. Nothing is ever lost on this line, and who waits too long for an answer is told by `timeout`.
SILENCE_MS = 120_000
#: Inferences over which the reading of a firmware's clock is counted, and bytes of their inputs.
FEWEST, MOST, LARGEST = 8, 64, 1 << 18
#: What it takes, by the firmware's SHA-256.
_readings: dict[str, float] = {}


class Qemu(BoardTarget):
    """A board in QEMU, at ``qemu:mps2-an500``. Needs Debian's ``qemu-system-arm``, or
    ``qemu-system-misc`` for RISC-V.

    QEMU's own time goes by one nanosecond an instruction, so that the board's timer counts instructions. There are no
    cycles and no times: QEMU does not tell which instructions they were.
    """

    name = "qemu"
    summary = (
        "a board that QEMU emulates: qemu:mps2-an500, mps2-an386, mps2-an385, mps2-an383, mps2-an505, mps3-an547, "
        "netduinoplus2, virt-rv32imc"
    )
    extra = "boards"
    modules: ClassVar[tuple[str, ...]] = ("elftools",)
    simulator = "qemu"
    address = "qemu:mps2-an500"

    @property
    def board(self) -> Board:
        board = super().board
        return replace(board, lines=replace(board.lines, silence_ms=SILENCE_MS))

    @property
    def description(self) -> str:
        return f"{self.address}: {self.board.title}, emulated by QEMU"

    def _check_simulator(self) -> None:
        find_qemu(processor_of(self.board))

    def _open(self, artifact: Artifact, firmware: Firmware) -> Session:
        return self._start(artifact, firmware, lambda: self._reading(artifact, firmware))

    def _reading(self, artifact: Artifact, firmware: Firmware) -> float:
        """Instructions that a firmware takes beside its network in every inference that it times, counted once."""
        key = sha256_file(firmware.elf)
        if key not in _readings:
            sample = [np.zeros((1, *spec.shape[1:]), spec.dtype) for spec in artifact.inputs]
            count = max(FEWEST, min(MOST, LARGEST // max(1, sum(x.nbytes for x in sample))))
            with tempfile.TemporaryDirectory(prefix="edgerig-clock-") as folder:
                without_network(firmware.elf, self.board, Path(folder) / firmware.elf.name)
                session = self._start(artifact, replace(firmware, folder=folder), lambda: 0.0)
                try:
                    session.run([np.repeat(x, count, axis=0) for x in sample])
                finally:
                    session.close()
                _readings[key] = float(np.mean(session.counted))
        return _readings[key]

    def _start(self, artifact: Artifact, firmware: Firmware, reading: Callable[[], float]) -> EmulatedSession:
        emulator = Emulator(firmware, self.board)
        try:
            client = connect(emulator, firmware, self.address, self.settings.timeout)
            try:
                return EmulatedSession(
                    client,
                    artifact,
                    RUNTIME,
                    self.board,
                    firmware,
                    protocol=self.settings.protocol,
                    on_close=emulator.close,
                    reading=reading,
                )
            except BaseException:
                client.close()
                raise
        except BaseException:
            emulator.close()
            raise
