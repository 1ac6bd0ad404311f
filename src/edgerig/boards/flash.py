"""Putting a firmware onto a real board, by the tools that its description names."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Sequence

from edgerig.boards.board import Board
from edgerig.boards.firmware import BIN, Firmware
from edgerig.boards.programs import call
from edgerig.errors import TargetError, UnknownNameError, UsageError

#: Characters without a special meaning in Tcl.
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+.,/:=@%")
#: Seconds that a tool may take.
PATIENCE = 180.0


def flash_command(board: Board, firmware: Firmware, tool: str | None = None, *, installed: bool = True) -> list[str]:
    """The command that flashes ``firmware``: of ``tool``, or of the first in the board's description that is installed.

    Where none of them is and ``installed`` is false, the command of the first.

    Raises:
        UnknownNameError: The description knows no such tool.
        UsageError: None is installed, or the board is one that no tool flashes.
    """
    if not board.flash:
        raise UsageError(
            f"Nothing flashes {board.title}: it is there in an emulator only.",
            f"Use the target {'sim' if board.simulator == 'unicorn' else 'qemu'}:{board.name}.",
        )
    if tool is not None and tool not in board.flash:
        raise UnknownNameError(f"tool that flashes {board.name}", tool, board.flash)
    names = [tool] if tool is not None else list(board.flash)
    for name in names:
        words = board.flash[name]
        program = shutil.which(words[0])
        if program is not None:
            return [program, *_filled(words[1:], firmware)]
    if not installed:
        return _filled(board.flash[names[0]], firmware)
    raise UsageError(
        f"Flashing {board.title} needs {' or '.join(board.flash[name][0] for name in names)}, "
        f"which {'is' if len(names) == 1 else 'are'} not installed.",
        "apt-get install openocd, or apt-get install stlink-tools, or pip install pyocd",
    )


def _filled(words: Sequence[str], firmware: Firmware) -> list[str]:
    paths = {"elf": _FilePath(firmware.elf), "bin": _FilePath(firmware.elf.with_name(BIN))}
    return [word.format(**paths) for word in words]


class _FilePath(str):
    """A path that ``{elf:tcl}`` in a board's description writes as one word of Tcl."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        return tcl_word(self) if spec == "tcl" else super().__format__(spec)


def tcl_word(text: str) -> str:
    """``text`` as one word of a Tcl script, in which openocd takes its commands.

    In braces where it holds a blank or another character that Tcl looks at; braces, backslashes and ends of lines,
    which braces do not hide, are escaped instead (Tcl's rules 6 and 9, ``man n Tcl``).
    """
    if not set(text) - _PLAIN:
        return text
    if not set(text) & set("{}\\\n"):
        return f"{{{text}}}"
    return "".join(char if char in _PLAIN else "\\n" if char == "\n" else f"\\{char}" for char in text)


def flash(board: Board, firmware: Firmware, tool: str | None = None) -> str:
    """Flash ``firmware`` onto the board that is plugged in; the command that did it.

    Raises:
        UsageError: See `flash_command`. TargetError: The tool failed; its own words are in the message.
    """
    words = flash_command(board, firmware, tool)
    try:
        done = call(words, PATIENCE)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TargetError(f"{words[0]} does not work: {error}.") from error
    if done.returncode != 0:
        output = "\n".join((done.stdout + done.stderr).strip().splitlines()[-6:])
        raise TargetError(
            f"{shlex.join(words)} failed:\n{output}", "Is the board plugged in, and may you use it (udev rules)?"
        )
    return shlex.join(words)
