"""Shows what the device did while a cell ran: load, memory, clock, temperature and power over time."""

from __future__ import annotations

import math

from edgerig.measure.kinds import Unavailable
from edgerig.measure.utilisation import MACHINE, PROCESS, Series, Utilisation
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
_NOTES = {
    "1": "Of the CPU over the time since the sample before; of the process 100 % is one core, of the machine all its "
    "cores.",
    "W": "Rails may overlap, such as a board's input and the processor behind it.",
}
#: Quantities of a chart: as many as it has colours.
_MOST = 6


def utilisation_views(cell: CellResult) -> tuple[Curve, ...]:
    """A chart for each unit, with a line for each quantity and round, a colour for each quantity; none without samples.

    A quantity that was not told at a sample leaves a gap.
    """
    sampled = sampled_rounds(cell)
    views = []
    for unit, (title, axis) in _CHARTS.items():
        lines = [
            (series, _line(series, utilisation, f", round {number}" if len(cell.rounds) > 1 else ""))
            for number, utilisation in sampled
            for series in utilisation.series
            if series.unit == unit and any(value is not None for value in series.values)
        ]
        highest: dict[str, float] = {}
        for series, line in lines:
            most = max(value for value in series.values if value is not None)
            highest[line.group] = max(highest.get(line.group, most), most)
        shown = sorted(highest, key=lambda name: -highest[name])[:_MOST]
        if not shown:
            continue
        notes = [f"Each of the {len(sampled)} rounds is a line."] if len(sampled) > 1 else []
        notes += [_NOTES[unit]] if unit in _NOTES else []
        notes += [f"The {_MOST} highest of {len(highest)}; results.json has all."] if len(highest) > _MOST else []
        drawn = tuple(line for _, line in lines if line.group in shown)
        views.append(Curve(title, Axis("time in the round", "s"), Axis(axis, unit), drawn, " ".join(notes)))
    return tuple(views)


def _line(series: Series, utilisation: Utilisation, suffix: str) -> Line:
    name = series.name.partition("/")[2] or series.name
    values = [math.nan if value is None else value for value in series.values]
    if series.name in (PROCESS, MACHINE):
        # A load is of the time up to its sample, so that it holds from the sample before on.
        return Line(name + suffix, utilisation.seconds, (*values[1:], values[-1]), stepped=True, group=name)
    return Line(name + suffix, utilisation.seconds, tuple(values), group=name)


def utilisation_notes(cell: CellResult) -> tuple[str, ...]:
    """What sampling cost, and what could not be sampled, in sentences; empty for a bundle from before."""
    sampled = sampled_rounds(cell)
    reasons = dict.fromkeys(
        f"No utilisation: {entry.utilisation.reason}."
        for entry in cell.rounds
        if isinstance(entry.utilisation, Unavailable)
    )
    for _, utilisation in sampled:
        reasons |= dict.fromkeys(
            f"No {name.replace('/', ' of ')}: {reason}." for name, reason in utilisation.unavailable.items()
        )
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
