"""Shows the rounds of a cell, each a separate process: their number, their spread, and their order in time."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from edgerig.measure.kinds import Measurement
from edgerig.report.figures import kind_of, number, unavailable
from edgerig.report.units import percent
from edgerig.report.values import Fact, Figure
from edgerig.results.types import CellResult, Repetition
from edgerig.views import Axis, Curve, Line


def round_count(cell: CellResult) -> Figure:
    """The number of rounds of a cell, and why it is that; a bundle from before rounds existed has one."""
    count = max(1, len(cell.rounds))
    repetition = _repetition(cell)
    detail = repetition.reason if repetition else "measured before there were rounds"
    planned = f" of {repetition.planned}" if repetition and repetition.planned and not repetition.complete else ""
    return Figure(text=f"{count}{planned}", value=count, detail=detail)


def if_several(figures: Sequence[Figure | None]) -> bool:
    """Show the count where a cell has more than one round, or lacks some."""
    return any(figure is not None and (figure.text != "1" or (figure.value or 0) > 1) for figure in figures)


def half_width(cell: CellResult) -> Figure:
    """Half of the interval between rounds of the median latency, relative to the median."""
    repetition, kind = _repetition(cell), kind_of(cell)
    if kind is None:
        return unavailable("there is no latency")
    if repetition is None or repetition.half_width is None:
        return unavailable(repetition.reason if kind != "measured" and repetition else "one round has no interval")
    detail = f"half of the 95 % interval between {len(cell.rounds)} rounds / median latency"
    return number(repetition.half_width, "1", kind=kind, detail=detail)


def round_facts(cell: CellResult) -> tuple[Fact, ...]:
    """The number of rounds, and the spread within rounds and between them."""
    repetition = _repetition(cell)
    if repetition is None:
        return ()
    count = round_count(cell)
    facts = [Fact("rounds (fresh processes)", count.text, count.detail)]
    if kind_of(cell) != "measured":
        return tuple(facts)
    if repetition.within is not None:
        what = "spread within a round, (p90 − p10) / median"
        facts.append(Fact(what, percent(repetition.within), repr(repetition.within), "measured"))
    if repetition.between is not None:
        what = "spread between rounds, standard deviation / mean"
        facts.append(Fact(what, percent(repetition.between), repr(repetition.between), "measured"))
    return tuple(facts)


def round_curve(cell: CellResult) -> Curve | None:
    """The median latency of each round in the order of time, with the interval of their median; None for one round."""
    medians = [entry.steady.median for entry in cell.rounds if entry.steady is not None]
    steady = cell.latency.steady
    if len(medians) < 2 or not isinstance(steady, Measurement):
        return None
    numbers = tuple(float(entry.number) for entry in cell.rounds if entry.steady is not None)
    ends = (numbers[0], numbers[-1])
    lines = [
        Line("median of a round", numbers, tuple(medians)),
        Line("median of the rounds", ends, (steady.value,) * 2),
    ]
    if steady.low is not None and steady.high is not None:
        lines += [Line("its 95 % interval", (*ends, float("nan"), *ends), (steady.low,) * 3 + (steady.high,) * 2)]
    return Curve(
        "Rounds",
        Axis("round", whole=True),
        Axis("median latency", "s"),
        tuple(lines),
        "Each round is a process of its own; the cells of a device take turns.",
    )


def _repetition(cell: CellResult) -> Repetition | None:
    return None if isinstance(cell.repetition, msgspec.UnsetType) else cell.repetition
