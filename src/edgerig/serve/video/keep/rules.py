"""Which frames are stored: ``uncertain:0.6,every:60s``."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from typing import ClassVar

from edgerig.errors import UnknownNameError, UsageError

#: Seconds between two uncertain frames that are stored: those between them look the same.
GAP = 1.0
_UNITS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_SIZES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
_NUMBER = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*([A-Za-z]*)")


class KeepRule(ABC):
    """A reason to store a frame.

    Attributes:
        text: As the user wrote it.
    """

    name: ClassVar[str]
    example: ClassVar[str]

    def __init__(self, value: str) -> None:
        self.text = f"{self.name}:{value}"
        self._last = -math.inf

    @abstractmethod
    def wants(self, seconds: float, confidence: float | None) -> bool:
        """Whether a frame is to be stored.

        Args:
            seconds: When it was captured; never less than before.
            confidence: Of the network's answer; None where it has none.
        """

    def stored(self, seconds: float) -> None:
        """A frame was stored by this rule."""
        self._last = seconds


class Uncertain(KeepRule):
    """Frames of a lower confidence than this, one a second at most."""

    name: ClassVar[str] = "uncertain"
    example: ClassVar[str] = "uncertain:0.6"

    def __init__(self, value: str) -> None:
        super().__init__(value)
        try:
            self.below = float(value)
        except ValueError:
            self.below = math.nan
        if not 0 < self.below <= 1:
            raise UsageError(
                f"--keep-rule {self.text}: {value or 'nothing'!r} is no confidence above 0 and up to 1.",
                f"Write {self.example}.",
            )

    def wants(self, seconds: float, confidence: float | None) -> bool:
        return confidence is not None and confidence < self.below and seconds - self._last >= GAP


class Every(KeepRule):
    """A frame after each span of time."""

    name: ClassVar[str] = "every"
    example: ClassVar[str] = "every:60s"

    def __init__(self, value: str) -> None:
        super().__init__(value)
        match = _NUMBER.fullmatch(value.strip())
        unit = match[2].lower() if match else ""
        if match is None or unit not in _UNITS or float(match[1]) <= 0:
            raise UsageError(
                f"--keep-rule {self.text}: {value or 'nothing'!r} is no time.",
                f"Write a number and a unit ({', '.join(_UNITS)}): {self.example}.",
            )
        self.seconds = float(match[1]) * _UNITS[unit]

    def wants(self, seconds: float, confidence: float | None) -> bool:
        return seconds - self._last >= self.seconds


RULES: dict[str, type[KeepRule]] = {rule.name: rule for rule in (Uncertain, Every)}


def parse_rules(text: str) -> list[KeepRule]:
    """The rules of a list with commas; a frame is stored where any of them wants it.

    Raises:
        UsageError: A rule is not known, is there twice, or has no usable value.

    >>> [rule.text for rule in parse_rules("uncertain:0.6, every:60s")]
    ['uncertain:0.6', 'every:60s']
    """
    rules: list[KeepRule] = []
    for part in text.split(","):
        name, colon, value = part.strip().partition(":")
        if name not in RULES:
            raise UnknownNameError("rule of --keep-rule", name or part, RULES)
        if any(rule.name == name for rule in rules):
            raise UsageError(f"--keep-rule {text}: {name} is there twice.", "Give each rule once.")
        if not colon:
            raise UsageError(f"--keep-rule {part.strip()}: it has no value.", f"Write {RULES[name].example}.")
        rules.append(RULES[name](value.strip()))
    return rules


def parse_size(text: str) -> int:
    """A size in bytes.

    Raises:
        UsageError: It is none, or 0.

    >>> parse_size("1GB"), parse_size("512 MiB"), parse_size("2000")
    (1000000000, 536870912, 2000)
    """
    match = _NUMBER.fullmatch(text.strip())
    factor = _SIZES.get(match[2].upper()) if match else None
    if match is None or factor is None or int(float(match[1]) * factor) < 1:
        raise UsageError(f"--keep-max {text}: that is no size.", "Write a number and a unit: 500MB, 1GB, 2GiB.")
    return int(float(match[1]) * factor)
