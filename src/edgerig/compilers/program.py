"""Converters of engines that run as a program of their own: bounded in time and memory, gone when this process is."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from edgerig.bounded.limits import MEMORY_SHARE, TIMEOUT_VARIABLE, limits_of_environment
from edgerig.errors import CompileError

#: It is given up before this process is, which is silent meanwhile, so that its last words are told.
_SHARE_OF_TIME = 0.75
#: Bytes at the end of its output that are read.
_LONGEST_OUTPUT = 1 << 24
#: Characters of its output that are told.
LONGEST = 400
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_WARNING = "[W:onnxruntime"
#: What the kernel is asked for first: to kill it with this process, and to let it have no more memory than that.
_LAUNCH = """
import ctypes, os, resource, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 9)
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]),) * 2)
"""
_PROGRAM = _LAUNCH + "os.execv(sys.argv[2], sys.argv[2:])"


class Ended(NamedTuple):
    """What a program said, and how it ended: empty if well, or in words."""

    text: str
    fault: str

    @property
    def last_words(self) -> str:
        """The end of what it said, in one line, without colours and the warnings of libraries."""
        lines = _COLOUR.sub("", self.text).splitlines()
        return (
            " ".join(" ".join(line for line in lines if _WARNING not in line).split())[-LONGEST:] or "it said nothing"
        )


def run_program(command: Sequence[str], folder: Path) -> Ended:
    """Run a program to its end, in ``folder``.

    Raises:
        CompileError: It takes too long; with its last words.
    """
    return _run([sys.executable, "-I", "-c", _PROGRAM, str(_memory()), *command], command[0], folder)


def run_python(code: str, arguments: Sequence[str], folder: Path, what: str) -> Ended:
    """Run ``code`` in a Python of this environment, which finds ``arguments`` from ``sys.argv[2]`` on.

    Raises:
        CompileError: It takes too long; with its last words.
    """
    return _run([sys.executable, "-P", "-c", _LAUNCH + code, str(_memory()), *arguments], what, folder)


def _run(command: Sequence[str], what: str, folder: Path) -> Ended:
    seconds = limits_of_environment().silence * _SHARE_OF_TIME
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=folder)
        try:
            code: int | None = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            process.kill()
            process.wait()
        output.seek(max(0, output.seek(0, os.SEEK_END) - _LONGEST_OUTPUT))
        ended = Ended(output.read(_LONGEST_OUTPUT).decode(errors="replace"), "" if code is None else _ending(code))
    if code is None:
        raise CompileError(
            f"{Path(what).name} had not ended after {seconds:g} s; its last words: {ended.last_words}",
            f"Give it longer: {TIMEOUT_VARIABLE}={seconds * 10:g} (seconds).",
        )
    return ended


def _ending(code: int) -> str:
    if code >= 0:
        return "" if code == 0 else f"it ended with exit code {code}"
    try:
        return f"it died of {signal.Signals(-code).name}"
    except ValueError:
        return f"it died of signal {-code}"


def _memory() -> int:
    """Bytes that it may have: as a stage may, or else that share of the machine's."""
    limit = limits_of_environment().memory
    return limit or int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * MEMORY_SHARE)
