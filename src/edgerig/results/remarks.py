"""Remarks that a reader needs to interpret a cell's numbers correctly, and that are no warnings."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from edgerig.measure.kinds import Measurement, Unavailable, microseconds
from edgerig.results.types import CellResult

#: Largest number of outputs that are named.
MOST_NAMES = 5


def remarks(cells: Sequence[CellResult]) -> list[str]:
    """Each remark once, with its cells where it does not apply to all of them."""
    about: dict[str, list[str]] = {}
    for cell in cells:
        for text in (*_outputs(cell), *_batch(cell), *_under_load(cell), *_layout(cell)):
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
    in_turn = [*_in_turn(cell), *_windows(cell)]
    if cell.batch == 1:
        return in_turn
    each = cell.latency.per_sample
    share = ""
    if isinstance(each, Measurement):
        share = f"; that is {microseconds(each)} a sample in the median"
    return [*in_turn, f"Times are of an inference, which takes a batch of {cell.batch} samples{share}."]


def _windows(cell: CellResult) -> list[str]:
    """That a sample takes several inferences."""
    if isinstance(cell.windows, msgspec.UnsetType):
        return []
    fewest, most = cell.windows
    count = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    return [f"Times are of an inference, of which a sample takes {count}, one for each of its windows."]


def _in_turn(cell: CellResult) -> list[str]:
    """Where a batch of the scenario offline takes several inferences."""
    offline = cell.offline
    if isinstance(offline, msgspec.UnsetType) or offline.in_turn is None:
        return []
    rate = offline.throughput
    speed = f"; {rate.value:,.0f} samples a second" if isinstance(rate, Measurement) else ""
    return [f"A batch of {offline.batch} samples is {offline.inferences} inferences in turn{speed}. {offline.in_turn}"]


def _under_load(cell: CellResult) -> list[str]:
    """What the device did with several requests under way."""
    load = cell.under_load
    if isinstance(load, msgspec.UnsetType):
        return []
    sessions = "1 session" if load.streams == 1 else f"{load.streams} sessions"
    rate, throughput, tail = load.rate, load.throughput, load.latency
    if isinstance(rate, Unavailable):
        return [f"Under load, {sessions}: {rate.reason}."]
    texts = [f"p50 {microseconds(tail.p50)}"] if isinstance(tail.p50, Measurement) else []
    texts += [f"p99 {microseconds(tail.p99)}"] if isinstance(tail.p99, Measurement) else []
    latency = f"; latency {', '.join(texts)} by the host's clock" if texts else ""
    if isinstance(rate, Measurement):
        what = f"Poisson arrivals at {_count(rate.value)} a second"
        if load.bound is not None:
            bound = f"{load.bound * 1e3:g} ms at p{load.percentile:g}"
            verdict = f"the highest rate that holds {bound}" if load.searched else _verdict(load.holds, bound)
            what += f", {verdict}"
        return [f"Under load, {sessions}: {what}{latency}."]
    if isinstance(throughput, Measurement):
        return [f"Under load, {sessions} at once: {_count(throughput.value)} requests a second{latency}."]
    return []


def _count(value: float) -> str:
    """A rate without a power of ten: four figures, or the whole number where it has more."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def _verdict(holds: bool | None, bound: str) -> str:
    return f"which hold {bound}" if holds else f"which do not hold {bound}"


def _layout(cell: CellResult) -> list[str]:
    """Whether images were transposed to the network's layout."""
    # With one channel, wherever its axis lies, nothing is turned.
    if not any(spec.layout == "nchw" and 1 not in (spec.shape[1], spec.shape[-1]) for spec in cell.artifact.inputs):
        return []
    return ["The network takes images channels first (nchw); they are turned on the host, as part of preprocessing."]
