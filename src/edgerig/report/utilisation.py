"""Shows what the device did while a cell ran: load, memory, clock, temperature and power over time, and energy."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from edgerig.measure.intervals import round_interval
from edgerig.measure.kinds import Measurement, Quantity, Unavailable
from edgerig.measure.utilisation import Utilisation
from edgerig.report.units import show
from edgerig.results.types import CellResult
from edgerig.views import Axis, Curve, Line

#: Least samples of a round from which its energy is made: fewer tell the power of a moment.
FEWEST = 5
#: Title of the chart, and of its axis, by unit.
_CHARTS = {
    "1": ("Load over time", "load"),
    "B": ("Memory over time", "memory"),
    "Hz": ("Clock frequency over time", "clock"),
    "°C": ("Temperature over time", "temperature"),
    "W": ("Power over time", "power"),
}


def utilisation_views(cell: CellResult) -> tuple[Curve, ...]:
    """A chart for each unit, with a line for each quantity and round; without samples, none."""
    sampled = list(_sampled(cell))
    views = []
    for unit, (title, axis) in _CHARTS.items():
        lines = [
            Line(
                series.name if len(cell.rounds) == 1 else f"{series.name}, round {number}",
                utilisation.seconds,
                tuple(float("nan") if value is None else value for value in series.values),
            )
            for number, utilisation in sampled
            for series in utilisation.series
            if series.unit == unit
        ]
        if any(value == value for line in lines for value in line.y):
            note = _NOTES.get(unit, "")
            views.append(Curve(title, Axis("time in the round", "s"), Axis(axis, unit), tuple(lines), note))
    return tuple(views)


_NOTES = {
    "1": "Of the process in cores (2 is two cores fully), of the machine as a share of all its cores; over the time "
    "since the sample before.",
    "W": "Rails may overlap, such as a board's input and the processor behind it.",
}


def utilisation_notes(cell: CellResult) -> tuple[str, ...]:
    """What sampling cost, and what could not be sampled, in sentences; empty for a bundle from before."""
    sampled = list(_sampled(cell))
    reasons = dict.fromkeys(
        f"No utilisation: {entry.utilisation.reason}."
        for entry in cell.rounds
        if isinstance(entry.utilisation, Unavailable)
    )
    for _, utilisation in sampled:
        reasons |= dict.fromkeys(f"No {name}: {reason}." for name, reason in utilisation.unavailable.items())
    if not sampled:
        return tuple(reasons)
    samples = sum(len(utilisation.seconds) for _, utilisation in sampled)
    took = sum(utilisation.sampling_seconds for _, utilisation in sampled)
    cpu = sum(utilisation.cpu_seconds for _, utilisation in sampled)
    whole = sum(utilisation.seconds[-1] for _, utilisation in sampled if utilisation.seconds)
    share = f", {took / whole:.2%} of the time" if whole > 0 else ""
    cost = (
        f"{samples:,} samples between requests, outside of timed inferences, took {show(took, 's')}{share}, and "
        f"{show(cpu, 's')} of CPU time."
    )
    return (cost, *reasons)


def energy_of(cell: CellResult) -> Quantity:
    """Joules per inference: energy of the rail that tells most / inferences; median of the rounds with its interval.

    Rails overlap; the one with most energy feeds the others. What else the machine does is in it, as is the time
    between the inferences.
    """
    if cell.under_load:
        return cell.under_load.energy
    steady = cell.latency.steady
    if isinstance(steady, Measurement) and steady.kind != "measured":
        return Unavailable("an emulator uses the host's energy, not the board's")
    sampled = [utilisation for _, utilisation in _sampled(cell)]
    if not sampled:
        reasons = [entry.utilisation.reason for entry in cell.rounds if isinstance(entry.utilisation, Unavailable)]
        return Unavailable(reasons[0] if reasons else "no power meter was read during this run")
    rails = [rail for rail in sampled[0].joules if all(rail in utilisation.joules for utilisation in sampled)]
    if not rails:
        return Unavailable(sampled[0].unavailable.get("power", "no sensor told its power in all rounds"))
    if any(len(utilisation.seconds) < FEWEST for utilisation in sampled):
        return Unavailable(
            f"a round was too short for its power: fewer than {FEWEST} samples; a longer `measure.seconds` has more"
        )
    rail = max(rails, key=lambda name: sum(utilisation.joules[name] for utilisation in sampled))
    each = [utilisation.joules[rail] / utilisation.inferences for utilisation in sampled if utilisation.inferences]
    if not each:
        return Unavailable("no inference ran while the power was sampled")
    interval = round_interval(each)
    return Measurement(
        value=interval.value,
        unit="J",
        kind="measured",
        n=len(each),
        low=None if interval.low is None else max(0.0, interval.low),
        high=interval.high,
        method=f"energy of {rail} over the measured inferences / their number, whatever else it feeds",
    )


def _sampled(cell: CellResult) -> Iterator[tuple[int, Utilisation]]:
    """Round numbers with their samples."""
    for entry in cell.rounds:
        if not isinstance(entry.utilisation, Unavailable | msgspec.UnsetType):
            yield entry.number, entry.utilisation
