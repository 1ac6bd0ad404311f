"""Verdicts on exact figures: sizes, planned memory, instructions of an emulator."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from edgerig.measure.kinds import Measurement, Quantity
from edgerig.results.compare.types import MetricVerdict, Verdict
from edgerig.results.types import CellResult

#: Memory that is planned or linked, and so equal in every process.
PLANNED = ("arena", "arena_activations", "arena_persistent", "tensor_sum", "constants", "flash", "ram")


def exact_verdicts(a: CellResult, b: CellResult) -> dict[str, MetricVerdict]:
    """Size, planned memory, instructions and cycles, by name; those that both have."""
    verdicts = {"size": exact(float(a.artifact.size), float(b.artifact.size), "B", "bytes of the file")}
    for name, first, second in _counted(a, b):
        if first.kind != second.kind or first.unit != second.unit:
            verdicts[name] = _unlike(first, second)
            continue
        ticks = [cell.tick for cell in (a, b) if not isinstance(cell.tick, msgspec.UnsetType)]
        if name == "instructions" and max(ticks, default=1.0) > 1 and first.value != second.value:
            verdicts[name] = _to_a_tick(first, second, max(ticks))
            continue
        verdicts[name] = exact(first.value, second.value, first.unit, first.method, first)
    return verdicts


def exact(a: float, b: float, unit: str, method: str, like: Measurement | None = None) -> MetricVerdict:
    """More is worse, less is better; without a margin, since these figures are not random."""
    verdict: Verdict = "same" if a == b else "worse" if b > a else "better"
    value = b / a if a else None
    change = f"{b - a:+,.0f} {unit}" if a != b else f"{b:,.0f} {unit}"
    words = {"same": "The same", "worse": "More", "better": "Less"}[verdict]
    times = f", {value:.3f} times A's" if value is not None and a != b else ""
    return MetricVerdict(
        verdict=verdict,
        sentence=f"{words}: {change}{times}; exact.",
        a=a,
        b=b,
        unit=unit,
        value=value,
        low=value,
        high=value,
        kind=like.kind if like is not None else "measured",
        method=method,
    )


def _to_a_tick(a: Measurement, b: Measurement, tick: float) -> MetricVerdict:
    """Counts that differ, each known to one tick of its counter: their ratio lies between bounds, if they exceed it."""
    verdict = exact(a.value, b.value, a.unit, a.method, a)
    low = max(0.0, b.value - tick) / (a.value + tick)
    high = (b.value + tick) / (a.value - tick) if a.value > tick else None
    certain = low > 1 or (high is not None and high < 1)
    ending = f"counted in ticks of {tick:,.0f} instructions{'' if certain else ', which do not tell them apart'}."
    return msgspec.structs.replace(
        verdict,
        verdict=verdict.verdict if certain else "inconclusive",
        sentence=f"{verdict.sentence.removesuffix('exact.')}{ending}",
        low=None if high is None else low,
        high=high,
    )


def _counted(a: CellResult, b: CellResult) -> Iterator[tuple[str, Measurement, Measurement]]:
    for name in PLANNED:
        first, second = a.memory.get(name), b.memory.get(name)
        if isinstance(first, Measurement) and isinstance(second, Measurement):
            yield name, first, second
    if "flash" not in a.memory and a.firmware is not msgspec.UNSET and b.firmware is not msgspec.UNSET:
        yield "flash", _bytes(a.firmware.flash), _bytes(b.firmware.flash)
        yield "ram", _bytes(a.firmware.ram), _bytes(b.firmware.ram)
    for name in ("instructions", "cycles", "load_instructions", "first_instructions"):
        first, second = (_quantity(getattr(cell, name)) for cell in (a, b))
        if isinstance(first, Measurement) and isinstance(second, Measurement):
            yield name, first, second


def _quantity(value: Quantity | msgspec.UnsetType) -> Quantity | None:
    return None if isinstance(value, msgspec.UnsetType) else value


def _bytes(count: int) -> Measurement:
    return Measurement(value=float(count), unit="B", kind="measured", method="as the linker placed it")


def _unlike(a: Measurement, b: Measurement) -> MetricVerdict:
    return MetricVerdict(
        verdict="inconclusive",
        sentence=f"A's is {a.kind} in {a.unit}, B's {b.kind} in {b.unit}: not comparable.",
        a=a.value,
        b=b.value,
        unit=a.unit,
        kind=b.kind,
    )
