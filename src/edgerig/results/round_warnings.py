"""Warnings of several rounds, or of several variants, that differ in their numbers alone are one."""

from __future__ import annotations

import re
from collections.abc import Sequence

_NUMBER = re.compile(r"\d[\d.,]*(?:e[+-]?\d+)?")


def kind_of_warning(text: str) -> str:
    """The warning without its numbers.

    >>> kind_of_warning("Sent up to 3.2 ms late, 12% of it.") == kind_of_warning("Sent up to 13 ms late, 9% of it.")
    True
    """
    return _NUMBER.sub("#", text)


def round_warnings(warnings: Sequence[tuple[int, str]], rounds: int, where: str = "") -> list[str]:
    """The warnings of single rounds, each kind once.

    Args:
        warnings: The number of the round, and its warning. rounds: How many there are.
        where: What part of the round it is about, ``", under load"``.
    """
    if rounds == 1:
        return [text for _, text in warnings]
    kinds: dict[str, dict[int, str]] = {}
    for number, text in warnings:
        kinds.setdefault(kind_of_warning(text), {}).setdefault(number, text)
    lines = []
    for texts in kinds.values():
        number, text = next(iter(texts.items()))
        often = f" and {len(texts) - 1} more of {rounds}" if len(texts) > 1 else ""
        lines.append(f"Round {number}{often}{where}: {text}")
    return lines
