"""A debugger on a firmware: a server that holds the processor, and gdb with the firmware's symbols."""

from __future__ import annotations

import contextlib
import logging
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from edgerig.boards.board import Board, load_board
from edgerig.boards.firmware import Firmware
from edgerig.errors import TargetError, UsageError
from edgerig.simulator.qemu_calls import find_qemu
from edgerig.targets.emulated.base import board_of
from edgerig.targets.emulated.qemu_process import line_words, machine_words, processor_of, with_us

_logger = logging.getLogger(__name__)

#: Debuggers that know ARM, the first that is installed is taken.
DEBUGGERS = ("gdb-multiarch", "arm-none-eabi-gdb")
#: What emulates the boards of an address, as board.toml calls it.
_SIMULATORS = {"qemu": "qemu", "sim": "unicorn"}
#: openocd's own port, for `--dry-run`.
PORT = 3333
#: Seconds in which a server that cannot work ends by itself, such as openocd without a board.
STARTS_WITHIN = 1.0


class Debugging(NamedTuple):
    """The commands of a server, which holds the processor, and of the debugger."""

    server: list[str]
    debugger: list[str]


def debugging(
    address: str, firmware: Firmware, port: int, commands: Sequence[str] = (), *, batch: bool = False, dry: bool = False
) -> Debugging:
    """What debugs ``firmware`` at ``address``.

    Args:
        address: ``sim:BOARD``, ``qemu:BOARD``, or the name or folder of a board that is plugged in, and has this
            firmware.
        port: Of this machine, on which the server listens.
        commands: For gdb, after it is connected.
        batch: Whether gdb ends after them.
        dry: Whether the programs need not be installed.

    Raises:
        UsageError: That address has no debugger, the firmware is for another board, or a program is not installed.
    """
    scheme, colon, _ = address.partition(":")
    if colon and scheme not in _SIMULATORS:
        raise UsageError(
            f"{address} is a line to a board, and a debugger comes to it by its probe.",
            f"Name the board that is plugged in: edgerig firmware gdb {firmware.board} FOLDER",
        )
    board = board_of(address, _SIMULATORS[scheme]) if colon else load_board(address)
    if board.name != firmware.board:
        raise UsageError(
            f"The firmware in {firmware.folder} is for {firmware.board}, not for {board.name}.",
            f"Build it for that: edgerig firmware build --board {board.name} --debug-build ..",
        )
    first = [f"target remote 127.0.0.1:{port}"]
    if scheme == "sim":
        server = [sys.executable, "-m", "edgerig.simulator.gdb_server", firmware.folder, str(port)]
    elif colon:
        processor = processor_of(board)
        server = [*machine_words(processor.program if dry else find_qemu(processor), board, firmware.elf), "-S"]
        for name in ("wire", "console"):
            server += ["-chardev", f"null,id={name}", *line_words(board, name)]
        server += ["-gdb", f"tcp:127.0.0.1:{port}"]
    else:
        server = _openocd(board, port, dry)
        first = [f"target extended-remote 127.0.0.1:{port}", "monitor reset halt"]
    words = [_debugger(dry), "-q", *(["-batch"] if batch else []), str(firmware.elf)]
    for command in (*first, *commands):
        words += ["-ex", command]
    return Debugging(server, words)


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def debug(commands: Debugging) -> int:
    """Start the server, run the debugger at this terminal, and end the server; the debugger's exit code.

    Raises:
        TargetError: One of them does not start, or the server ended by itself; with its last words.
    """
    with _served(commands.server) as server:
        try:
            debugger = subprocess.Popen(commands.debugger)
        except OSError as error:
            raise TargetError(f"{commands.debugger[0]} does not start: {error.strerror or error}.") from error
        # Ctrl-C stops the firmware, not the debugger, which gets it itself.
        before = signal.signal(signal.SIGINT, lambda number, frame: None)
        try:
            code = debugger.wait()
        finally:
            signal.signal(signal.SIGINT, before)
            if debugger.poll() is None:
                debugger.kill()
                debugger.wait()
        server.check(killed=True)
    return code


class _Server:
    def __init__(self, words: list[str], process: subprocess.Popen[bytes], output: Path) -> None:
        self.words, self.process, self.output = words, process, output

    def check(self, *, killed: bool = False) -> None:
        """Check that it has not failed. ``killed``: gdb may have ended it in peace."""
        code = self.process.poll()
        if code is None or (killed and code == 0):
            return
        said = "\n".join(self.output.read_text(errors="replace").strip().splitlines()[-6:])
        raise TargetError(
            f"{self.words[0]} ended with exit code {code}" + (f":\n{said}" if said else "."),
            "Is the board plugged in, and may you use it (udev rules)?" if "-gdb" not in self.words else None,
        )


@contextlib.contextmanager
def _served(words: list[str]) -> Iterator[_Server]:
    with tempfile.NamedTemporaryFile(prefix="edgerig-", suffix=".log") as output:
        _logger.debug("%s", shlex.join(words))
        try:
            process = subprocess.Popen(
                [*with_us(), *words],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # Ctrl-C is for the firmware.
                start_new_session=True,
            )
        except OSError as error:
            raise TargetError(f"{words[0]} does not start: {error.strerror or error}.") from error
        server = _Server(words, process, Path(output.name))
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STARTS_WITHIN)
            server.check()
            yield server
        finally:
            process.kill()
            process.wait()


def _openocd(board: Board, port: int, dry: bool) -> list[str]:
    words = board.flash.get("openocd")
    if words is None:
        emulated = f" Use qemu:{board.name}." if board.simulator == "qemu" else ""
        raise UsageError(
            f"The description of {board.title} names no openocd, which a debugger needs.",
            f"Give it in board.toml: [flash], openocd = [..].{emulated}",
        )
    program = words[0] if dry else shutil.which(words[0])
    if program is None:
        raise UsageError(
            f"Debugging {board.title} needs openocd, which is not installed.",
            "apt-get install --no-install-recommends openocd",
        )
    # What connects, without what flashes.
    files = [word for flag, name in pairwise(words) if flag == "-f" for word in (flag, name)]
    settings = (f"gdb_port {port}", "tcl_port disabled", "telnet_port disabled")
    return [program, *files, *(word for setting in settings for word in ("-c", setting))]


def _debugger(dry: bool) -> str:
    for name in DEBUGGERS:
        program = shutil.which(name)
        if program is not None:
            return name if dry else program
    if dry:
        return DEBUGGERS[0]
    raise UsageError(
        f"Debugging needs {' or '.join(DEBUGGERS)}, which is not installed.",
        "apt-get install --no-install-recommends gdb-multiarch",
    )
