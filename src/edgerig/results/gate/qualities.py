"""Limits on qualities: what is known of a metric before anything is measured, and what only its cell tells.

A task of the user's has metrics of its own: ``quality_NAME`` is the one of that name, ``quality`` the main one of
whatever task judges. Their direction and unit are those of the result.
"""

from __future__ import annotations

from typing import NamedTuple

from edgerig.results.compare.types import MetricVerdict
from edgerig.results.gate.limits import MAIN, QUALITIES, QUALITY, Limit
from edgerig.results.types import CellResult
from edgerig.tasks.judgement import MetricValue


class Bounds(NamedTuple):
    """A number with its bounds, in the limit's direction: more is worse."""

    low: float
    high: float
    limit: float


def is_quality(metric: str) -> bool:
    """Whether a limit's metric is a quality."""
    return metric in QUALITIES or metric == MAIN or metric.startswith(QUALITY)


def quality_name(metric: str, cell: CellResult | None) -> str:
    """The name that a limit's metric has in results."""
    if metric == MAIN:
        main = cell.quality.main if cell is not None else None
        return main.name if main is not None else MAIN
    return metric.removeprefix(QUALITY)


def quality_value(metric: str, cell: CellResult | None) -> MetricValue | str:
    """The quality of a cell that a limit is about, or why there is none, for the middle of a sentence."""
    if cell is None:
        return "the cell was not measured"
    value = cell.quality.value_of(quality_name(metric, cell))
    if value is not None:
        return value
    names = ", ".join(each.name for each in cell.quality.metrics)
    return f"its quality is told by {names}" if names else "it was not judged"


def why_unfit(limit: Limit, unit: str, higher_is_better: bool) -> str | None:
    """Why a limit cannot be held against a quality of ``unit`` and direction, in a sentence; None where it can."""
    if limit.sign and (limit.sign == ">") != higher_is_better:
        return f"{limit.metric} {limit.text} would keep it from getting better."
    if limit.kind == "relative" and unit == "1":
        return f"{limit.metric} is a share: write the limit in points, as {limit.value * 100:g} points."
    if limit.unit in ("", unit) or (unit == "1" and limit.unit in ("points", "%")) or limit.kind == "relative":
        return None
    return f"{limit.metric} is in {unit or 'no unit'}, and the limit {limit.text} is not."


def bound_of(limit: Limit, unit: str) -> float:
    """A budget in the unit of the quality that it is held against."""
    percent = limit.unit == "%" and unit == "1" and QUALITIES.get(limit.metric) != "1"
    return limit.value / 100 if percent else limit.value


def loss_of(limit: Limit, verdict: MetricVerdict) -> Bounds | None:
    """What B has lost, with its bounds, and the limit on that in the same unit; None where there is no interval."""
    if verdict.low is None or verdict.high is None or verdict.a is None:
        return None
    low, high = (-verdict.high, -verdict.low) if verdict.higher_is_better else (verdict.low, verdict.high)
    return Bounds(low, high, limit.value * abs(verdict.a) if limit.kind == "relative" else limit.value)
