"""A cell's own numbers by the names of gated metrics, and budgets on them."""

from __future__ import annotations

import msgspec

from edgerig.measure.kinds import Measurement, Quantity
from edgerig.results.compare.rounds import FEWEST_ROUNDS
from edgerig.results.compare.texts import amount_text
from edgerig.results.compare.types import MetricVerdict
from edgerig.results.energy import energy_of
from edgerig.results.gate.limits import HIGHER, TIMES, UNDER_LOAD, Limit
from edgerig.results.gate.outcomes import Outcome
from edgerig.results.gate.qualities import bound_of, is_quality, quality_value, why_unfit
from edgerig.results.types import CellResult


def budget_outcome(limit: Limit, cell: CellResult | None, verdict: MetricVerdict | None) -> tuple[Outcome, str]:
    """The new number itself against its limit, independent of the baseline."""
    if is_quality(limit.metric):
        return _quality_outcome(limit, cell)
    if limit.metric == "rate" and (lowest := _lowest_failed(cell)) is not None and lowest <= limit.value:
        return "regressed", f"No rate of arrivals held the latency bound, down to {lowest:.4g} a second."
    low, value, high, what = own_number(limit.metric, cell)
    if value is None and verdict is not None and verdict.b is not None and verdict.count == 0:
        low = value = high = verdict.b
    if value is None:
        return "inconclusive", f"There is no {limit.metric}: {what}."
    bound = limit.value
    if limit.metric in HIGHER:
        low, high, bound = None if high is None else -high, None if low is None else -low, -bound
    shown = _shown(limit.metric, value, what)
    if low is None or high is None:
        return "inconclusive", f"{limit.metric} is {shown}, of one process: there is no interval between processes."
    outcome: Outcome = "passed" if high < bound else "regressed" if low >= bound else "inconclusive"
    words = {"passed": "within", "regressed": "beyond", "inconclusive": "not certainly within"}[outcome]
    return outcome, f"{limit.metric} is {shown}, {words} the budget {limit.text}."


def _quality_outcome(limit: Limit, cell: CellResult | None) -> tuple[Outcome, str]:
    """A budget on a quality, whose interval is that over samples."""
    value = quality_value(limit.metric, cell)
    if isinstance(value, str):
        return "inconclusive", f"There is no {limit.metric}: {value}."
    if (why := why_unfit(limit, value.unit, value.higher_is_better)) is not None:
        return "inconclusive", why
    bound, shown = bound_of(limit, value.unit), f"{value.name} is {value.text}"
    if value.low is None or value.high is None:
        return "inconclusive", f"{shown}, and has no interval over samples."
    ends = (
        (bound - value.high, bound - value.low) if value.higher_is_better else (value.low - bound, value.high - bound)
    )
    outcome: Outcome = "passed" if ends[1] < 0 else "regressed" if ends[0] >= 0 else "inconclusive"
    words = {"passed": "within", "regressed": "beyond", "inconclusive": "not certainly within"}[outcome]
    return outcome, f"{shown}, {words} the budget {limit.text}."


def _shown(metric: str, value: float, unit: str) -> str:
    if unit in ("J", "1/s"):
        return amount_text(value, unit)
    digits = ",.0f" if unit in ("B", "instructions", "cycles") else ",.6g"
    return f"{value * 1e3:.4g} ms" if unit == "s" else f"{value:{digits}} {unit}".strip()


def own_number(metric: str, cell: CellResult | None) -> tuple[float | None, float | None, float | None, str]:
    """Low, value and high of a cell's own metric, and its unit, or why there is none."""
    if cell is None:
        return None, None, None, "the cell was not measured"
    if is_quality(metric):
        quality = quality_value(metric, cell)
        if isinstance(quality, str):
            return None, None, None, quality
        return quality.low, quality.value, quality.high, quality.unit
    if metric == "size":
        size = float(cell.artifact.size)
        return size, size, size, "B"
    quantity = _quantity(metric, cell)
    if not isinstance(quantity, Measurement):
        return None, None, None, getattr(quantity, "reason", "it was not measured").rstrip(".")
    if quantity.kind == "measured" and metric in TIMES and len(cell.rounds) < FEWEST_ROUNDS:
        return None, quantity.value, None, quantity.unit
    exact = quantity.unit in ("B", "instructions", "cycles") and metric != "peak_rss"
    low, high = (quantity.value, quantity.value) if exact and quantity.low is None else (quantity.low, quantity.high)
    return low, quantity.value, high, quantity.unit


def _quantity(metric: str, cell: CellResult) -> Quantity | None:
    times = {"latency": "steady", "p50": "steady", "p99": "p99", "load": "load", "first": "first"}
    if metric in UNDER_LOAD:
        return _under_load(metric, cell)
    if metric == "energy":
        return energy_of(cell)
    if metric in times:
        quantity = getattr(cell.latency, times[metric])
    else:
        quantity = cell.memory.get(metric, getattr(cell, metric, None))
    return None if isinstance(quantity, msgspec.UnsetType) else quantity


def _under_load(metric: str, cell: CellResult) -> Quantity | None:
    """A figure under load; None where the cell's scenario has none."""
    if metric == "throughput" and not isinstance(cell.offline, msgspec.UnsetType):
        return cell.offline.throughput
    load = cell.under_load
    if isinstance(load, msgspec.UnsetType):
        return None
    percentile, _, rest = metric.partition("_")
    if rest:
        quantity: Quantity = getattr(load.latency, percentile)
        return quantity
    if metric == "rate":
        # A rate that was asked for is no figure of the device.
        return None if isinstance(load.rate, msgspec.UnsetType) or not load.searched else load.rate
    return load.throughput


def _lowest_failed(cell: CellResult | None) -> float | None:
    """The lowest rate that was tried where no round held its bound at any; None where one did, or none was tried."""
    if cell is None or isinstance(cell.under_load, msgspec.UnsetType) or not cell.under_load.searched:
        return None
    rounds = cell.under_load.rounds
    if any(entry.rate is not None for entry in rounds):
        return None
    return min((trial.rate for entry in rounds for trial in entry.trials), default=None)
