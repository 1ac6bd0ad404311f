"""The times of a variant's operators, as its section of the report has them."""

from __future__ import annotations

from collections.abc import Sequence

from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.measure.profile import LayerTime
from edgerig.report.figures import build_warnings, counted, figure, number, with_known_error
from edgerig.report.limits import Limits
from edgerig.report.model import Layer, Layers, OperatorTime
from edgerig.report.values import Figure
from edgerig.results.types import CellResult

#: Difference between the sum of a profile and an inference, as a share, from which it is explained.
CLOSE = 0.1


def operator_times(cell: CellResult, limits: Limits) -> Layers:
    """The profile of a cell: times and shares of its operators, of the slowest where there are more than shown."""
    if isinstance(cell.layers, Unavailable):
        return Layers(reason=cell.layers.reason)
    if not cell.layers:
        return Layers(reason="the profile is empty")
    timed = [time for layer in cell.layers if not isinstance(time := with_known_error(layer.time), Unavailable)]
    total = sum(time.value for time in timed)
    rows = [_row(layer, total) for layer in cell.layers]
    note = _against_the_whole(cell, total) if timed else ""
    if len(rows) > limits.layers:
        note += f" The {limits.layers} slowest operators of {len(rows):,}; results.json has all."
        rows = sorted(sorted(rows, key=lambda row: -(row.share or 0))[: limits.layers], key=lambda row: row.index)
    return Layers(
        rows=tuple(rows),
        operators=_by_type(cell.layers, total),
        total=_total(timed),
        note=note.strip(),
        warnings=build_warnings(cell),
    )


def _row(layer: LayerTime, total: float) -> Layer:
    """An operator; ``total`` is the seconds of all that have a time."""
    seconds = _seconds(layer)
    return Layer(
        index=layer.index,
        name=layer.name,
        op=layer.op,
        time=figure(layer.time),
        share=seconds / total if seconds is not None and total > 0 else None,
        shape="" if layer.output_shape is None else "×".join(map(str, layer.output_shape)),
        instructions=counted(layer.instructions),
    )


def _by_type(layers: Sequence[LayerTime], total: float) -> tuple[OperatorTime, ...]:
    """Operators of one type together, the slowest first."""
    times: dict[str, list[float]] = {}
    for layer in layers:
        if (seconds := _seconds(layer)) is not None:
            times.setdefault(layer.op, []).append(seconds)
    rows = [OperatorTime(op, len(t), sum(t), sum(t) / total if total else 0.0) for op, t in times.items()]
    return tuple(sorted(rows, key=lambda row: -row.seconds))


def _seconds(layer: LayerTime) -> float | None:
    time = with_known_error(layer.time)
    return None if isinstance(time, Unavailable) else time.value


def _against_the_whole(cell: CellResult, total: float) -> str:
    """The sum of the operators' times compared with an inference without a profiler."""
    steady = with_known_error(cell.latency.steady)
    if isinstance(steady, Unavailable) or steady.value <= 0:
        return ""
    ratio = total / steady.value
    together = f"Together the operators take {ratio:.2f} times the median inference, {figure(steady).whole}"
    if ratio > 1 + CLOSE:
        cause = "the profiler's own work, or other work meanwhile, is in their times. Shares are truer than times"
        return f"{together}: {cause}."
    if ratio < 1 - CLOSE:
        return f"{together}: the rest passes between them, or in those that have no time."
    return f"{together}."


def _total(timed: list[Measurement]) -> Figure | None:
    """The sum of operators' times. A model's error has the same sign for all of them, so the bounds add up too."""
    if not timed:
        return None
    first = timed[0]
    banded = all(time.bounds == "model" for time in timed)
    low, high = (sum((getattr(time, end) or 0.0) for time in timed) for end in ("low", "high"))
    return number(
        sum(time.value for time in timed),
        first.unit,
        kind=first.kind,
        detail=first.method,
        low=low if banded else None,
        high=high if banded else None,
        bounds="model" if banded else "interval",
    )
