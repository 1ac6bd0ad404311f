"""Shows what the device did while a cell ran: load, memory, clock, temperature and power over time."""

from __future__ import annotations

from edgerig.measure.kinds import Unavailable
from edgerig.report.units import show
from edgerig.results.energy import sampled_rounds
from edgerig.results.types import CellResult
from edgerig.views import Axis, Curve, Line

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
    sampled = sampled_rounds(cell)
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
    sampled = sampled_rounds(cell)
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
