"""Progress on long work, told by whoever works to whoever watches."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

_logger = logging.getLogger(__name__)


class Progress:
    """Progress that is logged and not shown; a front end subclasses it to show something."""

    #: Whether somebody reads what is logged when it is logged.
    shown = False

    @contextmanager
    def task(self, name: str, total: int | None = None) -> Iterator[Task]:
        """Announce a piece of work of ``total`` steps (None if unknown) for the length of the block."""
        yield Task(name, total)

    def log(self, message: str) -> None:
        """Say something worth keeping: it goes to Python's `logging`."""
        _logger.info("%s", message)


class Task:
    """One piece of work under way."""

    def __init__(self, name: str, total: int | None) -> None:
        self.name, self.total, self.done, self.note = name, total, 0, ""

    def advance(self, steps: int = 1, note: str | None = None) -> None:
        """``steps`` more are done; ``note`` is a short text to show beside, such as the loss."""
        self.done += steps
        if note is not None:
            self.note = note
        self.changed()

    def changed(self) -> None:
        """Called after every change; a front end overrides it."""
