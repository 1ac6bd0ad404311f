"""Boards that are simulated in this process, by unicorn: nothing to install but Python packages."""

from __future__ import annotations

from typing import ClassVar

from edgerig.artifact import Artifact
from edgerig.boards.firmware import Firmware
from edgerig.simulator.native import native_library
from edgerig.simulator.simulator import CONSOLE, WIRE, Simulator
from edgerig.targets.base import Session
from edgerig.targets.emulated.base import RUNTIME, BoardTarget
from edgerig.targets.emulated.session import SimulatedSession
from edgerig.targets.emulated.simulator_link import SimulatorLink
from edgerig.wire.client import WireClient


class Sim(BoardTarget):
    """An STM32F746 in software, at ``sim:stm32f746``.

    Instructions are counted exactly. Cycles and times are what a model makes of them, with the band of its error at
    real chips beside them; caches and the bus are part of that band only.
    """

    name = "sim"
    summary = "a simulated board, built and run here: sim:stm32f746"
    extra = "boards"
    modules: ClassVar[tuple[str, ...]] = ("unicorn", "elftools")
    simulator = "unicorn"
    kind = "modelled"
    address = "sim:stm32f746"

    @property
    def description(self) -> str:
        return f"{self.address}: {self.board.title}, simulated by unicorn"

    def _open(self, artifact: Artifact, firmware: Firmware) -> Session:
        simulator = Simulator(firmware.elf, self.board)
        # The counter in Python would take minutes.
        simulator.watch_alignment(native_library("alignment") is not None)
        simulator.run(self.settings.timeout)
        booted = simulator.instructions
        for line in (WIRE, CONSOLE):
            simulator.read(line)  # the console's greeting
        link = SimulatorLink(simulator)
        client = WireClient(link, who=self.address, timeout=self.settings.timeout, why_gone=link.why_gone)
        try:
            client.hello()
            return SimulatedSession(
                simulator, booted, client, artifact, RUNTIME, self.board, firmware, protocol=self.settings.protocol
            )
        except BaseException:
            client.close()
            raise
