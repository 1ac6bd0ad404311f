"""The console of a board, wherever the board is: send a line, read what it answers."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import NamedTuple

from edgerig.boards.firmware import Firmware
from edgerig.errors import TargetError
from edgerig.simulator.cycles import cycle_model
from edgerig.simulator.native import native_library
from edgerig.simulator.simulator import CONSOLE, WIRE, Simulator
from edgerig.wire.link import Link


class Dialect(NamedTuple):
    """How a console is spoken to.

    Attributes:
        end: What ends a command.
        ready: What ends an answer: the firmware is ready for the next command.
        prompt: What a terminal shows then, where nothing was asked.
    """

    end: bytes
    ready: bytes
    prompt: str


#: The firmware's own console, and that of MLPerf Tiny's devices.
COMMANDS, MLPERF_TINY = Dialect(b"\n", b"\n> ", "> "), Dialect(b"%", b"m-ready\r\n", "")


class Terminal(ABC):
    """A line to a board's console.

    Attributes:
        dialect: How the console is spoken to.
        times: Explains the times that the firmware prints, if they are not a real chip's; else empty.
    """

    times: str = ""

    def __init__(self, dialect: Dialect = COMMANDS) -> None:
        self.dialect = dialect

    def greeting(self) -> str:
        """What the board says after its start; empty where it was running already."""
        return self._until_prompt()

    def ask(self, command: str) -> str:
        """What the board answers to one line, without its echo and the prompt after it.

        A command that its user has ended already, as with MLPerf Tiny's ``%``, is not ended twice: an empty command
        after it would be answered by an error.

        Raises:
            TargetError: It answers nothing, or crashed.
        """
        command = command.removesuffix(self.dialect.end.decode())
        self._send(command.encode(errors="replace") + self.dialect.end)
        answer = self._until_prompt()
        return answer.removeprefix(command).lstrip("\n")

    def close(self) -> None:  # noqa: B027 - not every board holds something
        """Let go of the board."""

    @abstractmethod
    def _send(self, data: bytes) -> None: ...

    @abstractmethod
    def _until_prompt(self) -> str: ...


class SimulatorTerminal(Terminal):
    """The console of a simulated board."""

    def __init__(self, simulator: Simulator, seconds: float, dialect: Dialect = COMMANDS) -> None:
        super().__init__(dialect)
        self._simulator, self._seconds = simulator, seconds
        self._resets = simulator.resets

    def _send(self, data: bytes) -> None:
        self._simulator.write(CONSOLE, data)

    def _until_prompt(self) -> str:
        simulator = self._simulator
        faults = len(simulator.faults)
        try:
            simulator.run(self._seconds)
        except TimeoutError as error:
            raise TargetError(f"The board does not answer: {error}.") from error
        simulator.read(WIRE)
        text = plain(simulator.read(CONSOLE))
        if len(simulator.faults) > faults:
            raise TargetError(f"The firmware crashed. {simulator.faults[-1]}.")
        return text


class LinkTerminal(Terminal):
    """The console at the end of a link: a serial port, a socket of QEMU.

    Args:
        who: The board, for messages.
        seconds: Timeout for an answer.
    """

    def __init__(self, link: Link, who: str, seconds: float, *, starts: bool, dialect: Dialect = COMMANDS) -> None:
        super().__init__(dialect)
        self._link, self._who, self._seconds, self._starts = link, who, seconds, starts

    def greeting(self) -> str:
        return super().greeting() if self._starts else ""

    def close(self) -> None:
        self._link.close()

    def _send(self, data: bytes) -> None:
        self._link.send([data])

    def _until_prompt(self) -> str:
        heard = bytearray()
        buffer = memoryview(bytearray(4096))
        self._link.set_timeout(self._seconds)
        end = time.monotonic() + self._seconds
        while not heard.endswith(self.dialect.ready):
            try:
                heard += buffer[: self._link.recv_into(buffer)]
            except OSError as error:
                raise TargetError(
                    f"{self._who} does not answer on its console: {plain(heard).strip()[-200:] or error}.",
                    "Is it the console's line, not the wire's, and its baud rate?",
                ) from error
            if time.monotonic() > end and not heard:
                break
        return plain(heard)


def dialect_of(firmware: Firmware) -> Dialect:
    """How the console of that firmware is spoken to."""
    return MLPERF_TINY if firmware.console else COMMANDS


def open_simulated(firmware: Firmware, seconds: float) -> Terminal:
    """The console of a simulated board that starts with ``firmware``."""
    from edgerig.boards.board import load_board

    simulator = Simulator(firmware.elf, load_board(firmware.board))
    # The console is used to try out modified firmware, so faults are checked.
    simulator.watch_alignment(native_library("alignment") is not None)
    terminal, cycles = SimulatorTerminal(simulator, seconds, dialect_of(firmware)), simulator.board.cycles
    terminal.times = (
        f"Times on this console are modelled, not measured: {cycle_model(cycles.core).short}."
        if cycles
        else "Times on this console count instructions: they are no times of any chip."
    )
    return terminal


def open_emulated(firmware: Firmware, who: str, seconds: float) -> Terminal:
    """The console of a board in QEMU that starts with ``firmware``."""
    from edgerig.boards.board import load_board
    from edgerig.targets.emulated.qemu_process import Emulator
    from edgerig.wire.link import PairLink

    emulator = Emulator(firmware, load_board(firmware.board))

    class Owning(LinkTerminal):
        def close(self) -> None:
            emulator.close()

    emulator.drain(emulator.wire)
    terminal = Owning(PairLink(emulator.console), who, seconds, starts=True, dialect=dialect_of(firmware))
    terminal.times = "Times on this console count instructions, one a nanosecond: they are no times of any chip."
    return terminal


def open_line(address: str, seconds: float, dialect: Dialect = COMMANDS) -> Terminal:
    """The console of a board at ``serial:///dev/ttyUSB0?baud=115200`` and the like.

    Raises:
        SpecError: The address is not well formed. TargetError: The port cannot be opened.
    """
    from edgerig.wire.serial import open_serial, parse_serial

    port = parse_serial(address)
    link = open_serial(port, port.line())
    link.discard()
    return LinkTerminal(link, address, seconds, starts=False, dialect=dialect)


def plain(data: bytes | bytearray) -> str:
    """Text as it is on this machine."""
    return bytes(data).decode(errors="replace").replace("\r\n", "\n").replace("\b \b", "")
