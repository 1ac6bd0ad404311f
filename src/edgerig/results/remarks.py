"""Remarks that a reader needs to interpret a cell's numbers correctly, and that are no warnings."""

from __future__ import annotations

from collections.abc import Sequence

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
    if cell.batch == 1:
        return []
    each = cell.latency.per_sample
    share = ""
    if isinstance(each, Measurement):
        share = f"; that is {microseconds(each)} a sample in the median"
    return [f"Times are of an inference, which takes a batch of {cell.batch} samples{share}."]


def _layout(cell: CellResult) -> list[str]:
    """Whether images were transposed to the network's layout."""
    if not any(spec.layout == "nchw" for spec in cell.artifact.inputs):
        return []
    return ["The network takes images channels first (nchw); they are turned on the host, as part of preprocessing."]
