"""Progress and output on a terminal: everything for people goes to standard error, results to standard output.

All that a command prints goes through here, and is cleaned on its way (`edgerig.text`): names and messages come from
devices, files and bundles, and a terminal obeys what it is sent.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import click
import msgspec

from edgerig import logs
from edgerig.progress import Progress, Task
from edgerig.text import harmless, harmless_json, one_line


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(harmless_json(msgspec.json.format(msgspec.json.encode(value), indent=1).decode()) + "\n")


_logger = logging.getLogger(__name__)
#: Seconds from which on the end of a task gets a line of its own.
WORTH_A_LINE = 2.0
#: Seconds after which the end of any task gets one, so that work of many short tasks is seen to go on.
SILENCE = 10.0


class ConsoleProgress(Progress):
    """Progress bars on a terminal; elsewhere a line at the end of each task, and in a long one every ten seconds.

    All on standard error.
    """

    def __init__(self) -> None:
        from rich.console import Console

        self.console = Console(stderr=True, highlight=False)
        self.shown = not logs.quiet()
        self._spoke = time.monotonic()

    @contextmanager
    def task(self, name: str, total: int | None = None) -> Iterator[Task]:
        name = one_line(name)
        start = time.monotonic()
        _logger.debug("%s: begins", name)
        if not self.console.is_terminal or logs.quiet():
            task = _SpokenTask(name, total, self)
            yield task
            self._done(task, start)
            return
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
        )
        with Bars(*columns, console=self.console, transient=True) as bars:
            identity = bars.add_task(name, total=total, note="")

            class Shown(Task):
                def changed(self) -> None:
                    bars.update(identity, completed=self.done, note=one_line(self.note))

            shown = Shown(name, total)
            yield shown
        self._done(shown, start)

    def _done(self, task: Task, start: float) -> None:
        """Print a line for a task that took long, or where nothing was said for long."""
        end = time.monotonic()
        seconds = end - start
        text = f"{task.name}: done in {seconds:.1f} s{f' ({task.note})' if task.note else ''}"
        if seconds >= WORTH_A_LINE or self.silent_for() >= SILENCE:
            self.log(text)
        else:
            _logger.debug("%s", text)

    def silent_for(self) -> float:
        """Seconds since something was said."""
        return time.monotonic() - self._spoke

    def log(self, message: str) -> None:
        super().log(message)
        self._spoke = time.monotonic()
        # With -v it is a log line already.
        if not (logs.shows(logging.INFO) or logs.quiet()):
            self.console.print(harmless(message), markup=False, soft_wrap=True)


class _SpokenTask(Task):
    """A task off a terminal: how far it is and how long it still takes, where nothing was said for long."""

    def __init__(self, name: str, total: int | None, progress: ConsoleProgress) -> None:
        super().__init__(name, total)
        self._progress = progress
        self._first: tuple[float, int] | None = None

    def changed(self) -> None:
        now = time.monotonic()
        # What an earlier run has done is advanced at once, and tells nothing of the speed.
        began, before = self._first = self._first or (now, self.done)
        # Of the last step the end of the task tells.
        if self._progress.silent_for() < SILENCE or self.done == self.total:
            return
        of = f" of {self.total:,}" if self.total is not None else ""
        left = ""
        if self.total is not None and before < self.done < self.total:
            left = f", about {(now - began) / (self.done - before) * (self.total - self.done):.0f} s left"
        note = f" ({one_line(self.note)})" if self.note else ""
        self._progress.log(f"{self.name}: {self.done:,}{of}{left}{note}")


#: Characters of a line where its stream is no terminal: a log file has no width, and a table must not be squeezed.
FILE_WIDTH = 140


def terminal_width(stream: TextIO) -> int:
    """Characters that a line on ``stream``, standard error or output, can have; ``COLUMNS`` in the environment wins."""
    if os.environ.get("COLUMNS", "").isdigit():
        return max(1, int(os.environ["COLUMNS"]))
    try:
        return os.get_terminal_size(stream.fileno()).columns or FILE_WIDTH
    except (OSError, ValueError):
        return FILE_WIDTH


def echo(message: str = "") -> None:
    """A line for people, on standard error; not with ``--quiet``."""
    if not logs.quiet():
        click.echo(harmless(message), err=True)


def say(message: str = "", *, nl: bool = True, **style: Any) -> None:
    """A result on standard output; ``style`` as for `click.style`."""
    text = harmless(message)
    click.echo(click.style(text, **style) if style else text, nl=nl)


def say_raw(text: str) -> None:
    """Print text unchanged, control characters included."""
    click.echo(text, nl=False)
