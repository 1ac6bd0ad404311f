"""Bundles from before rounds: each cell was measured in one process, whose interval does not cover other processes."""

from __future__ import annotations

from msgspec import UNSET
from msgspec.structs import replace

from edgerig.measure.kinds import Measurement, Quantity
from edgerig.results.types import CellResult, Repetition, RunResult

#: Warning of a cell with a single round.
NO_INTERVAL = "Measured in one round: there is no interval between processes, which differ more than it would show."
#: The first version of a bundle's layout with rounds.
FIRST_WITH_ROUNDS = 2


def with_honest_intervals(result: RunResult) -> RunResult:
    """``result``; for a layout without rounds, without the intervals of cells, which cover only one process."""
    if result.version >= FIRST_WITH_ROUNDS:
        return result
    return replace(result, cells=tuple(_one_round(cell) for cell in result.cells))


def _one_round(cell: CellResult) -> CellResult:
    latency = cell.latency
    each = latency.per_sample
    honest = replace(
        latency,
        steady=_without_interval(latency.steady),
        throughput=_without_interval(latency.throughput),
        per_sample=UNSET if each is UNSET else _without_interval(each),
    )
    repetition = Repetition(planned=1, complete=True, reason="an earlier edgerig measured one round", within=None)
    if isinstance(latency.steady, Measurement) and latency.steady.kind == "measured":
        return replace(cell, latency=honest, repetition=repetition, warnings=(*cell.warnings, NO_INTERVAL))
    return replace(cell, latency=honest, repetition=repetition)


def _without_interval(quantity: Quantity) -> Quantity:
    if not isinstance(quantity, Measurement) or quantity.bounds != "interval" or quantity.kind != "measured":
        return quantity
    method = quantity.method.replace(", 95 % bootstrap interval", "")
    return replace(quantity, low=None, high=None, method=method)
