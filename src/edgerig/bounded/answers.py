"""The program's side of the child's requests for progress and datasets."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from edgerig.progress import Task


class Answers:
    """Answers a child's requests during one call.

    Args:
        objects: The objects that stay in the program; samples that the child selects are appended to them.
    """

    def __init__(self, objects: list[Any]) -> None:
        self._kept = objects
        self._tasks: list[tuple[ExitStack, Task]] = []
        self._known: dict[str, Callable[..., Any]] = {
            "task": self._task,
            "advance": self._advance,
            "end": self._end,
            "log": self._log,
            "split": self._split,
            "take": self._take,
            "fingerprint": lambda key: self._kept[key].fingerprint,
            "raw": lambda key, index: self._kept[key].raw(index),
            "inputs": lambda key, indices, preprocessing: self._kept[key].inputs(indices, preprocessing),
            "names": lambda key: self._kept[key].names,
            "single_windows": lambda key: self._keep(self._kept[key].single_windows()),
            "windows": lambda key: self._kept[key].windows,
            "named_inputs": lambda key, indices, how: dict(self._kept[key].named_inputs(indices, how)),
            "truth": lambda key, indices, preprocessing: self._kept[key].truth(indices, preprocessing),
        }

    def __call__(self, question: str, *arguments: Any) -> Any:
        return self._known[question](*arguments)

    def close(self) -> None:
        """Close the tasks that the child left open."""
        while self._tasks:
            self._tasks.pop()[0].close()

    def _task(self, key: int, name: str, total: int | None) -> int:
        stack = ExitStack()
        self._tasks.append((stack, stack.enter_context(self._kept[key].task(name, total))))
        return len(self._tasks) - 1

    def _advance(self, number: int, steps: int, note: str | None) -> None:
        self._tasks[number][1].advance(steps, note)

    def _end(self, number: int) -> None:
        stack, _ = self._tasks[number]
        stack.close()

    def _log(self, key: int, message: str) -> None:
        self._kept[key].log(message)

    def _split(self, key: int, name: Any) -> tuple[int, Any]:
        return self._keep(self._kept[key].split(name))

    def _take(self, key: int, indices: Any) -> tuple[int, Any]:
        return self._keep(self._kept[key].take(indices))

    def _keep(self, samples: Any) -> tuple[int, Any]:
        self._kept.append(samples)
        return len(self._kept) - 1, samples.labels
