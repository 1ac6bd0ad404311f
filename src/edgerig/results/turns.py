"""Whether the rounds of two cells may be paired."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise


def took_turns(first: Sequence[str], second: Sequence[str]) -> bool:
    """Whether the rounds of two cells were measured in turns, so that the n-th of either met the same machine.

    They did where neither began a round before both had begun the one before. A cell that was measured anew, or whose
    rounds were made up after the others' had ended, did not, and its ratios to another are no pairs.

    >>> took_turns(["2026-01-01T10:00:00", "2026-01-01T10:03:00"], ["2026-01-01T10:01:00", "2026-01-01T10:02:00"])
    True
    >>> took_turns(["2026-01-01T10:00:00", "2026-01-01T10:01:00"], ["2026-01-02T10:00:00", "2026-01-02T10:01:00"])
    False

    Args:
        first, second: When the rounds of each began, in the order of their numbers: UTC, ISO 8601 of one form.
    """
    if not first or len(first) != len(second):
        return False
    turns = [sorted(pair) for pair in zip(first, second, strict=True)]
    return all(now[1] <= later[0] for now, later in pairwise(turns))
