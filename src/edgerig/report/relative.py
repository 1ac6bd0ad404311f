"""Ratios of latencies, as numbers or in words, only where the two are comparable."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgerig.measure.comparison import estimate, estimate_apart
from edgerig.report.figures import figure, is_emulated, number
from edgerig.report.units import times
from edgerig.report.values import Figure
from edgerig.results.turns import took_turns
from edgerig.results.types import CellResult
from edgerig.tensors import ORIGINAL_SCHEMES

#: Latencies whose ratio is closer to 1 than this are about the same.
SAME_SPEED = 1.02


def device_of(cell: CellResult) -> tuple[str, ...]:
    """The identity of a cell's device: the machine, and for an emulator the emulated device."""
    emulated = (cell.target,) if is_emulated(cell) else ()
    return (cell.machine.host, cell.machine.cpu, *emulated)


def relative_speed(cell: CellResult, cells: Sequence[CellResult]) -> Figure | None:
    """The speed of a cell relative to the first float variant of its device, a number of unit ``times``.

    None without a float variant of the same device, batch, and kind of number.
    """
    baseline = _float_variant(cell, cells)
    if baseline is None:
        return None
    before, after = figure(baseline.latency.steady), figure(cell.latency.steady)
    if not before.value or not after.value:
        return None
    if baseline.id == cell.id:
        detail = "the others of this device are compared with it"
        return Figure(text="baseline", value=1.0, unit="times", kind=after.kind, detail=detail)
    low, high = _bounds(baseline, cell, before, after)
    name = f"{baseline.variant} · {baseline.runtime}"
    return number(
        before.value / after.value,
        "times",
        kind=after.kind or "measured",
        low=low,
        high=high,
        bounds=after.bounds,
        detail=f"median latency of {name} divided by this one's",
        warnings=tuple(dict.fromkeys((*before.warnings, *after.warnings))),
    )


def _bounds(baseline: CellResult, cell: CellResult, before: Figure, after: Figure) -> tuple[float | None, float | None]:
    """The interval of the ratio over the rounds, in pairs where both took turns; for modelled latencies the widest
    ratios that both errors allow. None where each was measured in one process."""
    if after.banded and before.banded:
        return (before.low or 0.0) / (after.high or 1.0), (before.high or 0.0) / (after.low or 1.0)
    ours, theirs = (_round_medians(measured) for measured in (cell, baseline))
    if after.kind != "measured" or min(ours.size, theirs.size) < 2 or min(ours.min(), theirs.min()) <= 0:
        return None, None
    paired = took_turns(_round_starts(cell), _round_starts(baseline))
    ratio = estimate(np.log(theirs) - np.log(ours)) if paired else estimate_apart(ours, theirs)
    return ratio.low, ratio.high


def _round_medians(cell: CellResult) -> NDArray[np.float64]:
    return np.array([entry.steady.median for entry in cell.rounds if entry.steady is not None], np.float64)


def _round_starts(cell: CellResult) -> list[str]:
    return [entry.started for entry in cell.rounds if entry.steady is not None]


def if_compared(figures: Sequence[Figure | None]) -> bool:
    """Show the column where a variant is compared with a baseline."""
    return sum(figure is not None for figure in figures) > 1


def words_of_change(figures: Sequence[Figure | None]) -> str:
    """The last latency relative to the first, in words; only between numbers of one kind and unit."""
    known = [(figure, figure.value) for figure in figures if figure is not None and figure.value is not None]
    if len(known) < 2:
        return "not comparable: a latency is unavailable"
    (first, before), (last, after) = known[0], known[-1]
    if (first.kind, first.unit) != (last.kind, last.unit):
        return f"not comparable: {first.kind} against {last.kind}"
    if _overlap(first, last):
        if first.banded or last.banded:
            return "not told apart: the error of the model is larger"
        return "about the same (intervals overlap)"
    if before <= 0 or after <= 0:
        return "not comparable"
    ratio = before / after
    if 1 / SAME_SPEED < ratio < SAME_SPEED:
        return "about the same"
    return f"{times(ratio)} times as fast" if ratio > 1 else f"{times(1 / ratio)} times slower"


def _overlap(first: Figure, last: Figure) -> bool:
    """Whether both have bounds, and these overlap."""
    if first.low is None or first.high is None or last.low is None or last.high is None:
        return False
    return first.low <= last.high and last.low <= first.high


def _float_variant(cell: CellResult, cells: Sequence[CellResult]) -> CellResult | None:
    """The first float variant of a cell's device with a latency of the same kind."""
    shown = figure(cell.latency.steady)
    candidates = (
        other
        for other in cells
        if other.artifact.scheme in ORIGINAL_SCHEMES
        and (device_of(other), other.batch, other.model) == (device_of(cell), cell.batch, cell.model)
        and (figure(other.latency.steady).kind, figure(other.latency.steady).unit) == (shown.kind, shown.unit)
    )
    return next(candidates, None)
