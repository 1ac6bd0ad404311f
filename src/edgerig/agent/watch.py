"""Watches over a worker from a thread of its own: ends it with its host or its parent, and bounds what it prints."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import stat
import sys
from pathlib import Path
from typing import NoReturn

#: Output of engine and process is discarded when it exceeds so many bytes; checked every few seconds.
PRINTED_BYTES = 8 * 1024**2
_LOOK_SECONDS = 5.0


def watch(fileno: int, lifeline: int, folder: Path) -> None:
    """End the process at once, even in the middle of an inference, when the host or the parent is gone."""
    poll = select.poll()
    poll.register(fileno, getattr(select, "POLLRDHUP", 0) | select.POLLHUP)
    poll.register(lifeline, select.POLLHUP)
    while not (gone := poll.poll(_LOOK_SECONDS * 1000)):
        _cut_short(sys.stderr.fileno())
    end(folder, orphaned=any(which == lifeline for which, _ in gone))


def end(folder: Path, *, orphaned: bool = False) -> NoReturn:
    """End the process at once: taking the interpreter down takes about 8 % of the CPU time of a short session.

    What it has started, such as an engine's tool that measures or compiles, is ended by its parent, and by itself where
    it is ``orphaned``.

    Both threads may come here together. What is printed lies in the folder, so that nothing need be flushed, which can
    fail.
    """
    shutil.rmtree(folder, ignore_errors=True)
    if orphaned and os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(0)


def _cut_short(printed: int) -> None:
    """Truncate the output file if it is too long, so that an engine cannot fill the disk."""
    with contextlib.suppress(OSError):
        state = os.fstat(printed)
        if stat.S_ISREG(state.st_mode) and state.st_size > PRINTED_BYTES:
            os.ftruncate(printed, 0)
