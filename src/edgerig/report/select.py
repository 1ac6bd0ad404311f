"""What depends on all variants at once: headings and columns of the table of variants."""

from __future__ import annotations

from edgerig.report.model import Report


def metric_name(report: Report) -> str:
    """The heading of the quality column: the metric's name where all variants have the same."""
    names = {variant.metric for variant in report.variants if variant.quality.reason is None}
    return names.pop() if len(names) == 1 else "quality"


def has_counts(report: Report) -> bool:
    """Whether instructions were counted for any variant."""
    return any(one.instructions is not None for one in report.variants)


def has_arena(report: Report) -> bool:
    """Whether any variant knows its arena."""
    return any(variant.arena.reason is None for variant in report.variants)
