"""Progress of long work, reported by the code that does it to the front end that shows it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

_logger = logging.getLogger(__name__)


class Progress:
    """Progress that is only logged; a front end subclasses it to show something."""

    #: Whether log messages are shown to the user immediately.
    shown = False

    @contextmanager
    def task(self, name: str, total: int | None = None) -> Iterator[Task]:
        """Announce a task of ``total`` steps (None if unknown) for the duration of the block."""
        yield Task(name, total)

    def log(self, message: str) -> None:
        """Log a message through Python's `logging`."""
        _logger.info("%s", message)


class Task:
    """One task in progress."""

    def __init__(self, name: str, total: int | None) -> None:
        self.name, self.total, self.done, self.note = name, total, 0, ""

    def advance(self, steps: int = 1, note: str | None = None) -> None:
        """Report ``steps`` more as done; ``note`` is a short text to show beside, such as the loss."""
        self.done += steps
        if note is not None:
            self.note = note
        self.changed()

    def changed(self) -> None:
        """Called after every change; a front end overrides it."""
