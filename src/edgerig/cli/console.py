"""Progress and output on a terminal: everything for people goes to standard error, results to standard output."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import click
import msgspec

from edgerig.progress import Progress, Task


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=1).decode() + "\n")


#: Seconds from which on the end of a task gets a line of its own.
WORTH_A_LINE = 2.0


class ConsoleProgress(Progress):
    """Progress bars on a terminal, one line at the end of each task elsewhere; all on standard error."""

    def __init__(self) -> None:
        from rich.console import Console

        self.console = Console(stderr=True, highlight=False)

    @contextmanager
    def task(self, name: str, total: int | None = None) -> Iterator[Task]:
        start = time.monotonic()
        if not self.console.is_terminal:
            task = Task(name, total)
            yield task
            self._done(task, start)
            return
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        columns = (
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )  # fmt: skip
        with Bars(*columns, console=self.console, transient=True) as bars:
            identity = bars.add_task(name, total=total, note="")

            class Shown(Task):
                def changed(self) -> None:
                    bars.update(identity, completed=self.done, note=self.note)

            shown = Shown(name, total)
            yield shown
        self._done(shown, start)

    def _done(self, task: Task, start: float) -> None:
        """A line for what took long enough to be wondered about."""
        seconds = time.monotonic() - start
        if seconds >= WORTH_A_LINE:
            self.log(f"{task.name}: done in {seconds:.1f} s{f' ({task.note})' if task.note else ''}")

    def log(self, message: str) -> None:
        self.console.print(message, markup=False, soft_wrap=True)


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
    """A line for people, on standard error."""
    click.echo(message, err=True)
