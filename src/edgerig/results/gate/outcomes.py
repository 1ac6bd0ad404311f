"""The outcome of a limit, and of a gate."""

from __future__ import annotations

from typing import Literal

Outcome = Literal["passed", "regressed", "inconclusive"]
#: Exit codes of ``edgerig gate``.
EXIT = {"passed": 0, "regressed": 1, "inconclusive": 2}


def worst(outcomes: list[Outcome]) -> Outcome:
    """``regressed`` before ``inconclusive`` before ``passed``; without checks ``inconclusive``."""
    if "regressed" in outcomes:
        return "regressed"
    return "inconclusive" if "inconclusive" in outcomes or not outcomes else "passed"
