"""Progress that remembers: what was logged, and with `Steps` every task and step as well."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from edgerig.progress import Progress, Task


class Heard(Progress):
    """Progress that remembers what was logged."""

    def __init__(self) -> None:
        self.lines: list[Any] = []

    def log(self, message: str) -> None:
        self.lines.append(message)


class Steps(Heard):
    """Also what tasks there were and how they went on: ``(name, total)``, ``(done, note)`` for each step, ``"end"``."""

    @contextmanager
    def task(self, name: str, total: int | None = None) -> Iterator[Task]:
        lines = self.lines
        lines.append((name, total))

        class Written(Task):
            def changed(self) -> None:
                lines.append((self.done, self.note))

        yield Written(name, total)
        lines.append("end")
