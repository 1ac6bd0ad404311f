"""What is wrong with annotations, collected: all of it is an error, unless the user wants the bad ones left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from edgerig.errors import DatasetError
from edgerig.text import counted

Value = TypeVar("Value")
#: Problems that an error spells out.
SHOWN = 5


class Problems:
    """Annotations that cannot be used, and what was left out or changed of those that can.

    Args:
        skip: Whether bad annotations are left out and counted; else they are an error.
        noun: What is bad, where that is no annotation.
    """

    def __init__(self, *, skip: bool = False, noun: str = "annotation") -> None:
        self.skip, self._noun = skip, noun
        self._errors: list[DatasetError] = []
        self._changes: Counter[tuple[str, str]] = Counter()

    def guard(self, read: Callable[[], Value]) -> Value | None:
        """What ``read`` returns; None where it raises a `DatasetError`, which is kept."""
        try:
            return read()
        except DatasetError as error:
            self.add(error)
            return None

    def add(self, error: DatasetError) -> None:
        """Keep what is wrong with an annotation."""
        self._errors.append(error)

    def change(self, sentence: str, count: int = 1, noun: str = "object") -> None:
        """Count what is left out or changed; ``{}`` in ``sentence`` stands for the count in words."""
        if count:
            self._changes[sentence, noun] += count

    def notes(self) -> tuple[str, ...]:
        """What has been left out and changed, a sentence each.

        Raises:
            DatasetError: Something is wrong, and is not to be skipped; names the first ones.
        """
        notes = [sentence.format(counted(count, noun)) for (sentence, noun), count in self._changes.items()]
        if not self._errors:
            return tuple(notes)
        number = len(self._errors)
        shown = [error.message for error in self._errors[:SHOWN]]
        if self.skip:
            more = " .." if number > SHOWN else ""
            return (*notes, f"Left out as unusable: {counted(number, self._noun)}. {' '.join(shown)}{more}")
        first = self._errors[0]
        if number == 1:
            raise DatasetError(first.message, _or_without(first.hint or "Mend it.", "it"))
        rest = f"\n.. and {number - SHOWN:,} more." if number > SHOWN else ""
        raise DatasetError(
            f"{counted(number, self._noun)} cannot be used:\n" + "\n".join(shown) + rest,
            _or_without(first.hint or "Mend them.", "them"),
        )


def _or_without(hint: str, what: str) -> str:
    return hint if "--skip-bad" in hint else f"{hint} Or leave {what} out: --skip-bad."
