"""A comparison of layers on the terminal: cells by letters, reasons as footnotes."""

from __future__ import annotations

import sys
from collections import Counter

import msgspec

from edgerig.cli.console import say, terminal_width
from edgerig.cli.tables import Column, render_table
from edgerig.engine.layers import LayerComparison, ProfiledCell
from edgerig.measure.kinds import Measurement, microseconds
from edgerig.measure.layer_cut import LayerCuts
from edgerig.measure.layer_error import LayerErrors
from edgerig.report.layer_table import CUT, LARGEST, OTHERS, cell_label, layers_table
from edgerig.report.tables import Heading
from edgerig.report.values import Figure

#: What stands over a column, where that is shorter than its name.
SHORT = {"time": "us", CUT: "cut us", "instructions": "instr.", "SQNR": "dB", "own SQNR": "own dB", LARGEST: "max err"}


class _Cell(msgspec.Struct, frozen=True):
    """A cell as it is shown; ``band``: the error of its times as factors, where the legend tells it."""

    letter: str
    index: int
    band: tuple[float, float] | None


def show_layers(comparison: LayerComparison) -> None:
    """Print the table, what its letters are, and why a number is missing. Cells without a profile have no column."""
    table = layers_table(comparison)
    cells = {
        cell_label(cell, comparison): _Cell(letter_of(index), index, _band(comparison, index))
        for index, cell in enumerate(comparison.cells)
    }
    for label, cell in cells.items():
        say(f"{cell.letter}  {label}: {_kind(comparison, cell)}")
    say()
    absent = {label for label, cell in cells.items() if _is_absent(comparison.cells[cell.index])}
    shown = [index for index, heading in enumerate(table.headings) if heading.group not in absent]
    headings = [table.headings[index] for index in shown]
    footnotes: dict[str, int] = {}
    rows = [
        [_text(line.cells[index], table.headings[index], cells, footnotes) for index in shown] for line in table.lines
    ]
    for text in render_table([_column(heading, cells) for heading in headings], rows, terminal_width(sys.stdout)):
        say(text)
    if footnotes:
        say()
    for reason, number in footnotes.items():
        say(f"[{number}] unavailable: {reason}")
    _notes(comparison)


def _is_absent(cell: ProfiledCell) -> bool:
    """Whether nothing is known of a cell: neither times nor errors."""
    return cell.reason is not None and not isinstance(cell.errors, LayerErrors) and not isinstance(cell.cuts, LayerCuts)


def _notes(comparison: LayerComparison) -> None:
    say()
    for note in comparison.notes:
        say(note)
    for index, cell in enumerate(comparison.cells):
        if isinstance(cell.errors, LayerErrors):
            errors = cell.errors
            say(
                f"{letter_of(index)}: errors against {errors.reference} on {errors.samples} samples, {errors.engine}. "
                + " ".join(errors.notes)
            )
        if isinstance(cell.cuts, LayerCuts):
            cuts = cell.cuts
            say(
                f"{letter_of(index)}: times by cutting, {cuts.rounds} fresh processes of each cut in turns, their 95 % "
                f"intervals in brackets; the whole network takes {_whole(cuts)} so. " + " ".join(cuts.notes)
            )
    warnings = dict.fromkeys(
        (index, warning if time is cell.time else f"{row.name}, by cutting: {warning}")
        for row in comparison.rows
        for index, cell in enumerate(row.cells)
        for time in (cell.time, cell.cut)
        if isinstance(time, Measurement)
        for warning in time.warnings
    )
    for index, warning in sorted(warnings):
        say(f"* {letter_of(index)}: {warning}", fg="yellow")
    reasons = Counter((operator.cell, operator.reason) for operator in comparison.unmapped)
    if reasons:
        say(f"{OTHERS}:")
    for (index, reason), count in reasons.items():
        say(f"  {letter_of(index)}: {count} operator{'s' * (count != 1)}; {reason}")


def _whole(cuts: LayerCuts) -> str:
    return microseconds(cuts.whole) if isinstance(cuts.whole, Measurement) else "an unknown time"


def letter_of(index: int) -> str:
    """``A`` to ``Z``, then ``AA``.

    >>> letter_of(0), letter_of(25), letter_of(26)
    ('A', 'Z', 'AA')
    """
    return ("" if index < 26 else letter_of(index // 26 - 1)) + chr(ord("A") + index % 26)


def _kind(comparison: LayerComparison, shown: _Cell) -> str:
    cell = comparison.cells[shown.index]
    if cell.reason is not None:
        return f"unavailable, {cell.reason}"
    times = [row.cells[shown.index].time for row in comparison.rows]
    kinds = ", ".join(dict.fromkeys(time.kind for time in times if isinstance(time, Measurement)))
    if shown.band is not None:
        kinds += f", and with the model's error {shown.band[0]:.2f} to {shown.band[1]:.2f} times as long"
    counts = [row.cells[shown.index].instructions for row in comparison.rows]
    counted = ", ".join(dict.fromkeys(count.kind for count in counts if isinstance(count, Measurement)))
    ran_by = ", ".join(comparison.placements(shown.index))
    return (
        (kinds or "no layer has a time")
        + (f"; instructions {counted}" if counted else "")
        + (f"; ran by {ran_by}" if ran_by else "")
    )


def _band(comparison: LayerComparison, index: int) -> tuple[float, float] | None:
    """The error of the model that made a cell's times, as factors, where it is the same for all of them."""
    times = [row.cells[index].time for row in comparison.rows]
    bands = {
        (round(time.low / time.value, 4), round(time.high / time.value, 4))
        if time.bounds == "model" and time.low is not None and time.high is not None and time.value > 0
        else None
        for time in times
        if isinstance(time, Measurement)
    }
    return bands.pop() if len(bands) == 1 else None


def _column(heading: Heading, cells: dict[str, _Cell]) -> Column:
    if not heading.group:
        return Column(heading.label, heading.align == "right", 0 if heading.label in ("layer", "MACs") else 1)
    cell = cells[heading.group]
    name, _, where = heading.label.partition(", ")
    label = f"{SHORT.get(name, name)} {where}".rstrip()
    return Column(f"{cell.letter} {label}", True, 2 + cell.index)


def _text(figure: Figure | None, heading: Heading, cells: dict[str, _Cell], footnotes: dict[str, int]) -> str:
    if figure is None:
        return heading.absent or "-"
    if figure.reason is not None:
        return f"- [{footnotes.setdefault(figure.reason, len(footnotes) + 1)}]"
    if figure.value is None:
        return figure.text
    mark = "*" if figure.warnings else ""
    if figure.unit == "dB":
        return f"{figure.value:.1f}"
    if heading.label == LARGEST:
        return f"{figure.value:.3g}"
    if figure.unit != "s":
        return f"{figure.value:,.0f}{mark}"
    text = _microseconds(figure.value)
    banded = figure.banded and cells[heading.group].band is None
    if figure.low is not None and figure.high is not None and (banded or heading.label == CUT):
        to = " to " if figure.low < 0 else "-"
        text += f" ({_microseconds(figure.low)}{to}{_microseconds(figure.high)})"
    return text + mark


def _microseconds(seconds: float) -> str:
    value = seconds * 1e6
    return f"{value:,.1f}" if abs(value) >= 1 else f"{value:.3g}"
