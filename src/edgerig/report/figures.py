"""From quantities to figures: the text, the exact value, the kind, and the method."""

from __future__ import annotations

import math

import msgspec

from edgerig.measure.judge import judge_build, judge_firmware
from edgerig.measure.kinds import Bounds, Kind, Measurement, Quantity, Unavailable
from edgerig.measure.stats import TAIL_SAMPLES
from edgerig.report.units import exact, show, show_interval
from edgerig.report.values import Figure
from edgerig.results.types import CellResult
from edgerig.tasks.judgement import MetricValue

#: Kinds of number that were computed by a model or a rule, not measured.
_COMPUTED: frozenset[Kind] = frozenset({"modelled", "estimated"})
_NO_TAIL = "a model has no tail: its times differ by the instructions that inputs take, not as measured ones do"
#: Metrics that are shares of correct predictions, whose interval follows from the count alone.
_SHARES_OF_RIGHT = frozenset({"accuracy", "top1", "top5", "top-1", "top-5"})


def build_warnings(cell: CellResult) -> tuple[str, ...]:
    """Warnings about the build of the cell's firmware: they apply to all times and counts of the cell, while its other
    warnings are about the steady state."""
    return tuple(judge_firmware(cell.machine))


def size_warnings(cell: CellResult) -> tuple[str, ...]:
    """Those of the build's warnings that apply to flash, RAM and stack, too."""
    return tuple(judge_build(cell.machine))


def figure(quantity: Quantity, warnings: tuple[str, ...] = ()) -> Figure:
    """A quantity as a figure, with ``warnings`` besides its own."""
    quantity = with_known_error(quantity)
    if isinstance(quantity, Unavailable):
        return unavailable(quantity.reason)
    count = f", {quantity.n:,} samples" if quantity.n > 1 else ""
    clock = f", clock {quantity.clock}" if quantity.clock else ""
    return number(
        quantity.value,
        quantity.unit,
        kind=quantity.kind,
        low=quantity.low,
        high=quantity.high,
        bounds=quantity.bounds,
        detail=f"{quantity.method}{clock}{count}",
        warnings=tuple(dict.fromkeys((*quantity.warnings, *warnings))),
    )


def with_known_error(quantity: Quantity) -> Quantity:
    """``quantity``; unavailable, with a reason, if it comes from a model whose error is unknown."""
    if isinstance(quantity, Unavailable) or quantity.kind not in _COMPUTED:
        return quantity
    if quantity.bounds == "model" and None not in (quantity.low, quantity.high):
        return quantity
    return Unavailable(f"it was {quantity.kind}, and nobody told with which error")


def has_samples(cell: CellResult) -> bool:
    """Whether the cell's times are samples of a clock, with spread and tails, and not computed by a model."""
    steady = cell.latency.steady
    return isinstance(steady, Measurement) and steady.kind not in _COMPUTED


def counted(quantity: Quantity | msgspec.UnsetType, warnings: tuple[str, ...] = ()) -> Figure | None:
    """A quantity that only emulators provide, as a figure; None where it was not reported."""
    return None if isinstance(quantity, msgspec.UnsetType) else figure(quantity, warnings)


def number(
    value: float,
    unit: str,
    *,
    kind: Kind = "measured",
    low: float | None = None,
    high: float | None = None,
    bounds: Bounds = "interval",
    detail: str = "",
    warnings: tuple[str, ...] = (),
) -> Figure:
    """A plain number as a figure; one that is not finite is unavailable."""
    if not math.isfinite(value):
        return unavailable(f"the result is {show(value, unit)}")
    bounded = low is not None and high is not None and math.isfinite(low) and math.isfinite(high)
    return Figure(
        text=show(value, unit),
        exact=exact(value, unit),
        value=value,
        unit=unit,
        kind=kind,
        low=low if bounded else None,
        high=high if bounded else None,
        interval=show_interval(low, high, unit, value) if bounded and low is not None and high is not None else None,
        bounds=bounds,
        detail=detail,
        warnings=warnings,
    )


def unavailable(reason: str) -> Figure:
    """A figure without a number, with the reason."""
    return Figure(text="unavailable", reason=reason or "no reason was given")


def kind_of(cell: CellResult) -> Kind | None:
    """The kind of a cell's latency, or None if it has none."""
    steady = with_known_error(cell.latency.steady)
    return None if isinstance(steady, Unavailable) else steady.kind


def metric_figure(metric: MetricValue, cell: CellResult) -> Figure:
    """A metric with its interval; for a share of correct predictions without an interval, Wilson's.

    Predictions of an emulator have the kind emulated, whatever clock was used.
    """
    low, high, detail = metric.low, metric.high, f"over {cell.quality.samples:,} samples"
    if (low is None or high is None) and metric.name.lower() in _SHARES_OF_RIGHT and cell.quality.samples > 0:
        low, high = wilson(metric.value, cell.quality.samples)
        detail += ", interval after Wilson"
    kind = _kind_of_predictions(cell)
    return number(
        metric.value, metric.unit, kind=kind, low=low, high=high, detail=detail, warnings=cell.quality.warnings
    )


def wilson(share: float, n: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a share of ``n`` (Wilson, 1927, J. Am. Stat. Assoc. 22, 209)."""
    z = 1.959963984540054
    middle = share + z * z / (2 * n)
    half = z * math.sqrt(max(share * (1 - share), 0.0) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


def percentile(cell: CellResult, name: str, beyond: float) -> Figure:
    """``p90`` or ``p99`` of the steady latency; ``beyond`` is the share of samples that lie above it."""
    steady, distribution = cell.latency.steady, cell.latency.distribution
    if isinstance(steady, Unavailable):
        return unavailable(steady.reason)
    if not has_samples(cell):
        return unavailable(_NO_TAIL)
    between: Quantity | msgspec.UnsetType = getattr(cell.latency, name)
    if isinstance(between, Measurement):
        return figure(between)
    if distribution is None:
        return unavailable("there are no single samples, only a summary")
    value = getattr(distribution, name)
    if value is None:
        need = math.ceil(TAIL_SAMPLES / beyond)
        return unavailable(f"{distribution.n:,} samples are too few for {name}; at least {need:,} are needed")
    detail = f"{steady.method}, {distribution.n:,} samples"
    return number(value, steady.unit, kind=steady.kind, detail=detail, warnings=steady.warnings)


def same_class(cell: CellResult) -> Figure:
    """The share of predictions that are the same as the float model's."""
    if isinstance(cell.agreement, Unavailable):
        return unavailable(cell.agreement.reason)
    detail = f"{cell.agreement.alike} as {cell.agreement.reference}, over {cell.agreement.samples:,} samples"
    kind = _kind_of_predictions(cell)
    return number(cell.agreement.same_class, "1", kind=kind, detail=detail, warnings=cell.agreement.warnings)


def _kind_of_predictions(cell: CellResult) -> Kind:
    """Without hardware an emulator made the predictions, however the times were computed."""
    return "emulated" if is_emulated(cell) else "measured"


def is_emulated(cell: CellResult) -> bool:
    """Whether the cell did not run on its hardware: its time is not measured, or its instructions were counted."""
    steady = cell.latency.steady
    counted_ = isinstance(cell.instructions, Measurement) and cell.instructions.kind == "emulated"
    return counted_ or (isinstance(steady, Measurement) and steady.kind != "measured")
