"""Remarks that a reader needs to interpret a cell's numbers correctly, and that are no warnings."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from edgerig.measure.kinds import Measurement, microseconds
from edgerig.results.types import CellResult

#: Largest number of outputs that are named.
MOST_NAMES = 5


def remarks(cells: Sequence[CellResult]) -> list[str]:
    """Each remark once, with its cells where it does not apply to all of them."""
    about: dict[str, list[str]] = {}
    for cell in cells:
        for text in (*_outputs(cell), *_batch(cell), *_layout(cell)):
            about.setdefault(text, []).append(cell.id)
    return [text if len(ids) == len(cells) else f"{', '.join(ids)}: {text}" for text, ids in about.items()]


def _outputs(cell: CellResult) -> list[str]:
    """Which of several outputs the quality refers to."""
    quality = cell.quality
    if quality.output is None:
        return []
    others = ", ".join(quality.others[:MOST_NAMES]) + (", .." if len(quality.others) > MOST_NAMES else "")
    what = "Quality and agreement are" if quality.metrics else "Agreement is"
    return [f"{what} of the output {quality.output!r} alone; the network also gives {others}."]


def _batch(cell: CellResult) -> list[str]:
    """How many samples a time covers, where an inference takes several."""
    in_turn = _in_turn(cell)
    if cell.batch == 1:
        return in_turn
    each = cell.latency.per_sample
    share = ""
    if isinstance(each, Measurement):
        share = f"; that is {microseconds(each)} a sample in the median"
    return [*in_turn, f"Times are of an inference, which takes a batch of {cell.batch} samples{share}."]


def _in_turn(cell: CellResult) -> list[str]:
    """Where a batch of the scenario offline takes several inferences."""
    offline = cell.offline
    if isinstance(offline, msgspec.UnsetType) or offline.in_turn is None:
        return []
    rate = offline.throughput
    speed = f"; {rate.value:,.0f} samples a second" if isinstance(rate, Measurement) else ""
    return [f"A batch of {offline.batch} samples is {offline.inferences} inferences in turn{speed}. {offline.in_turn}"]


def _layout(cell: CellResult) -> list[str]:
    """Whether images were transposed to the network's layout."""
    if not any(spec.layout == "nchw" for spec in cell.artifact.inputs):
        return []
    return ["The network takes images channels first (nchw); they are turned on the host, as part of preprocessing."]
