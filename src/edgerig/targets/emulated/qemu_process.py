"""QEMU as a board: started with a firmware, with sockets as its UARTs."""

from __future__ import annotations

import contextlib
import logging
import re
import shlex
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from edgerig.boards.board import Board
from edgerig.boards.firmware import Firmware
from edgerig.boards.sizes import functions, open_elf
from edgerig.errors import EdgerigError, TargetError
from edgerig.measure.kinds import Measurement, Quantity, Unavailable
from edgerig.measure.profile import LayerTime
from edgerig.simulator.qemu_calls import CLOCK, CORTEX_M55, RV32IMC, Processor, find_qemu
from edgerig.targets.base import Array, DeviceRun
from edgerig.targets.emulated.session import BoardSession
from edgerig.wire.client import WireClient
from edgerig.wire.frame import Frame, FrameReader, Kind, Limits
from edgerig.wire.link import Link, PairLink
from edgerig.wire.messages import Hello, unpack

_logger = logging.getLogger(__name__)

#: Seconds that QEMU and the firmware's start may take.
START_SECONDS = 30.0
#: The largest share of an inference that a tick of the counter may be without a word of warning.
LARGEST_TICK = 0.02
_FAULT = re.compile(r"fault before: pc ([0-9a-f]{8}) (?:lr|ra) [0-9a-f]{8} (CFSR|mcause) ([0-9a-f]{8})")


class Emulator:
    """A QEMU that runs a firmware.

    Attributes:
        wire, console: Our ends of the board's two UARTs.

    Raises:
        UsageError: QEMU is not installed. TargetError: It does not start.
    """

    def __init__(self, firmware: Firmware, board: Board) -> None:
        program = find_qemu(processor_of(board))
        self.wire, theirs = socket.socketpair()
        self.console, terminal = socket.socketpair()
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - QEMU writes to it
        words = [*with_us(), *machine_words(program, board, firmware.elf)]
        ends: tuple[tuple[Literal["wire", "console"], socket.socket], ...] = (("wire", theirs), ("console", terminal))
        for name, end in ends:
            words += ["-chardev", f"socket,id={name},fd={end.fileno()}", *line_words(board, name)]
        try:
            self.process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=self._errors,
                stderr=self._errors,
                start_new_session=True,
                pass_fds=(theirs.fileno(), terminal.fileno()),
            )
            _logger.debug("process %d: %s", self.process.pid, shlex.join(words))
        except OSError as error:
            self.wire.close()
            self.console.close()
            raise TargetError(f"{program} does not start: {error.strerror or error}.") from error
        finally:
            theirs.close()
            terminal.close()

    def drain(self, end: socket.socket) -> None:
        """Discard the output of an unused UART: a full buffer would block the firmware."""

        def read() -> None:
            with contextlib.suppress(OSError):
                while end.recv(65536):
                    pass

        threading.Thread(target=read, name="edgerig drain", daemon=True).start()

    def why_dead(self) -> str | None:
        """How QEMU ended and its last words, if it has by itself."""
        if self._errors.closed:
            return None
        try:
            code = self.process.wait(0.5)
        except subprocess.TimeoutExpired:
            return None
        self._errors.seek(0)
        words = self._errors.read().decode(errors="replace").strip().splitlines()[-3:]
        return f"QEMU ended with exit code {code}" + (f"; its last words: {' | '.join(words)}" if words else ".")

    def close(self) -> None:
        """End it."""
        with contextlib.suppress(OSError):
            self.process.kill()
        self.process.wait()
        for end in (self.wire, self.console):
            # A thread may be reading it.
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._errors.close()


def machine_words(program: str, board: Board, elf: Path) -> list[str]:
    """The command of QEMU that runs ``elf`` on ``board``, without its lines."""
    nothing = ("-display", "none", "-monitor", "none", "-nodefaults")
    return [program, "-M", board.machine, *board.qemu, "-kernel", str(elf), *nothing, *CLOCK]


def line_words(board: Board, name: Literal["wire", "console"]) -> list[str]:
    """Words that connect one of the board's lines to QEMU's character device of that name; in the lines' order."""
    device = (board.lines.wire if name == "wire" else board.lines.console).device
    return ["-device", f"{device},chardev={name}"] if device else ["-serial", f"chardev:{name}"]


def processor_of(board: Board) -> Processor:
    """What QEMU has for processors like the board's."""
    return RV32IMC if board.architecture == "riscv32" else CORTEX_M55


def with_us() -> list[str]:
    """The prefix for a command so that it is killed together with this process."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL"] if setpriv is not None else []


class EmulatorClient(WireClient):
    """A client for a board that may restart at any time, and sends a HELLO then."""

    def __init__(self, link: Link, emulator: Emulator, firmware: Firmware, *, who: str, timeout: float) -> None:
        super().__init__(link, who=who, timeout=timeout, why_gone=self._why)
        self._emulator, self._firmware = emulator, firmware
        self._restarted = False
        self._reader = _Reader(link, self.limits, self._on_restart)

    def wait_for_start(self) -> None:
        """Receive the HELLO that a board sends after power-on.

        Raises:
            TargetError: None arrives.
        """
        self.link.set_timeout(START_SECONDS)
        try:
            frame = FrameReader(self.link, self.limits).read()
        except OSError as error:
            raise TargetError(
                f"{self.who} does not start: {self._emulator.why_dead() or error}.",
                "Is this QEMU older than 7.2, or does its board have other addresses?",
            ) from error
        if frame.kind != Kind.HELLO:
            raise TargetError(f"{self.who} does not say hello after its start.")
        self.link.set_timeout(self.timeout)

    def _on_restart(self, frame: Frame) -> None:
        self._restarted = True
        hello: Hello = unpack(frame.header, Hello)
        raise ConnectionResetError(f"it restarted ({hello.reset_cause or 'unknown cause'})")

    def _why(self) -> str | None:
        if not self._restarted:
            return self._emulator.why_dead()
        # After the restart, the board reports what happened.
        with contextlib.suppress(EdgerigError, OSError):
            again = WireClient(self.link, who=self.who, timeout=5.0)
            again.hello()
            fault = _FAULT.search(bytes(again.request(Kind.LOG).payload).decode(errors="replace"))
            if fault:
                pc = int(fault[1], 16)
                kind = "HardFault" if fault[2] == "CFSR" else "Trap"
                return f"its firmware crashed. {kind} at {pc:#010x} in {self._function(pc)}, {fault[2]} {fault[3]}."
        return "it restarted."

    def _function(self, pc: int) -> str:
        for start, size, name in functions(open_elf(self._firmware.elf)):
            if start <= pc < start + max(size, 1):
                return name
        return "no function"


class _Reader(FrameReader):
    def __init__(self, link: Link, limits: Limits, on_restart: Callable[[Frame], None]) -> None:
        super().__init__(link, limits)
        self._on_restart = on_restart

    def read(self) -> Frame:
        frame = super().read()
        if frame.kind == Kind.HELLO and frame.request == 0:
            self._on_restart(frame)
        return frame


class EmulatedSession(BoardSession):
    """A network on QEMU.

    The firmware's clock, on QEMU's own time, counts instructions: one is a nanosecond. So its nanoseconds are
    instructions, as exactly as its timer ticks. Which instructions they are QEMU does not tell, so that there are no
    cycles, and no times: those in a run are instructions over the board's clock, good for nothing but to end it.
    """

    client: EmulatorClient

    def __init__(self, *arguments: Any, reading: Callable[[], float] = lambda: 0.0, **options: Any) -> None:
        """``reading``: Instructions that the firmware takes beside the network in what it times."""
        self._reading = cache(reading)
        super().__init__(*arguments, **options)

    @property
    def counted(self) -> list[int]:
        """Instructions of each inference, as the firmware's clock tells them."""
        return self._instructions

    def _middle(self, counted: NDArray[np.int64]) -> tuple[float, str]:
        # Each count wavers by a tick, with the moment at which the inference began; their mean does far less.
        reading = self._reading()
        value = max(1.0, round(float(np.mean(counted)) - reading))
        return value, f"less {reading:,.0f} of reading the clock; mean"

    def _doubts(self, instructions: float) -> tuple[str, ...]:
        if self._tick <= instructions * LARGEST_TICK:
            return ()
        return (
            f"QEMU's counter ticks every {self._tick:.0f} instructions, which is {self._tick / instructions:.0%} of an "
            "inference: a simulated board (sim:stm32f746) counts each.",
        )

    def _as_reported(self, run: DeviceRun) -> DeviceRun:
        counted = run.times_ns
        self._instructions += [int(count) for count in counted]
        times = self._seconds(1e-9) * 1e9 * counted
        return self._on_the_board(replace(run, times_ns=np.maximum(1, np.rint(times)).astype(np.int64)))

    def profile(self, inputs: Sequence[Array]) -> list[LayerTime] | Unavailable:
        layers = super().profile(inputs)
        if isinstance(layers, Unavailable):
            return layers
        measured = [layer.time for layer in layers]
        counts = [time.value * 1e9 if isinstance(time, Measurement) else 0.0 for time in measured]
        if self._instructions and counts:
            # The clock is read after each layer: what they have more than the network itself is that.
            whole, _ = self._middle(np.array(self._instructions))
            each = max(0.0, (sum(counts) - whole) / len(counts))
            counts = [max(0.0, count - each) for count in counts]
        return self._layers(
            layers, counts, None, max((time.n for time in measured if isinstance(time, Measurement)), default=1)
        )

    def _seconds(self, clock_seconds: float) -> float:
        return clock_seconds * 1e9 / self.built.clock_hz

    @property
    def _tick(self) -> float:
        # One instruction is a nanosecond.
        return max(1.0, 1e9 / self.built.clock_hz)

    def _boot_seconds(self) -> float:
        seconds = super()._boot_seconds()
        self._boot_count = round(seconds * self.built.clock_hz)
        return seconds

    def _load_count(self) -> Quantity:
        if self._tick > 1:
            return self._too_coarse("once a session")
        return _counted(self._boot_count, f"from the reset to where the firmware listens, {self._counted_by}")

    def _first_count(self) -> Quantity:
        if self._tick > 1:
            return self._too_coarse("in a single inference")
        first = max(1, self._instructions[0] - round(self._reading()))
        return _counted(first, f"the first inference, {self._counted_by}")

    def _too_coarse(self, when: str) -> Unavailable:
        return Unavailable(
            f"QEMU's counter, which ticks every {self._tick:.0f} instructions and wavers, is not exact {when}: a "
            "simulated board (sim:stm32f746) counts each instruction"
        )

    @property
    def _no_times(self) -> str:
        return "QEMU tells how many instructions ran, not which, and no model of cycles was held against this board"

    @property
    def _counted_by(self) -> str:
        counter, tick = self.board.counter.name, self._tick
        exact = f"ticks every {tick:.0f} instructions" if tick > 1 else "counts each of them"
        return f"by QEMU's -icount and the board's {counter}, which {exact}"


def _counted(instructions: int, method: str) -> Measurement:
    return Measurement(value=float(instructions), unit="instructions", kind="emulated", method=method)


def connect(emulator: Emulator, firmware: Firmware, who: str, timeout: float) -> EmulatorClient:
    """A client that has received the board's first HELLO and sent its own."""
    emulator.drain(emulator.console)
    link: Any = PairLink(emulator.wire)
    client = EmulatorClient(link, emulator, firmware, who=who, timeout=timeout)
    try:
        client.wait_for_start()
        client.hello()
    except BaseException:
        client.close()
        raise
    return client
