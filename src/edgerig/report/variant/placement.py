"""What of a variant's network ran where and in which type, as the report shows it."""

from __future__ import annotations

import msgspec

from edgerig.measure.census import Census, verdicts
from edgerig.measure.kinds import Unavailable
from edgerig.report.model import PlacementRow, PlacementView
from edgerig.report.values import Figure
from edgerig.results.types import CellResult

#: Instead of an unknown placement or type.
UNTOLD = "not told"


def placement_view(cell: CellResult) -> PlacementView:
    """The operators of ``cell`` in groups, and how far what was asked for is met."""
    census = cell.census
    if isinstance(census, msgspec.UnsetType):
        return PlacementView(reason="the bundle is from before engines were asked")
    if isinstance(census, Unavailable):
        return PlacementView(reason=census.reason)
    total = sum(group.count for group in census.operators)
    return PlacementView(
        rows=tuple(
            PlacementRow(
                op=group.op,
                placement=group.placement or UNTOLD,
                dtype=group.dtype or UNTOLD,
                count=group.count,
                share=group.count / total,
            )
            for group in census.operators
        ),
        note=_note(census),
        warnings=tuple(verdict.text for verdict in verdicts(census) if verdict.text),
    )


def ran_otherwise(cell: CellResult) -> Figure | None:
    """What was asked for and did not run so: ``17 of 52 convolutions ran in float32``; None where all did, or where
    the engine tells nothing."""
    census = cell.census
    texts = [verdict.text for verdict in verdicts(census) if verdict.text] if isinstance(census, Census) else []
    if not texts:
        return None
    return Figure(text=" ".join(texts))


def _note(census: Census) -> str:
    """What was asked for, and how the engine was asked."""
    met = [verdict.request.name for verdict in verdicts(census) if verdict.outcome == "met" and not verdict.text]
    asked = f"Asked for, and met: {', '.join(met)}. " if met else ""
    return f"{asked}By {census.method}."
