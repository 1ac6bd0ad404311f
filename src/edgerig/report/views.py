"""Views reduced to the limits of a report, and converted to tables for formats without drawings."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Sequence

import msgspec

from edgerig.measure.kinds import Kind, Measurement, Unavailable
from edgerig.report.figures import figure
from edgerig.report.limits import Budget, Limits
from edgerig.report.tables import Column, make_table, share
from edgerig.report.tables import Table as PageTable
from edgerig.report.units import exact, show
from edgerig.report.values import Figure
from edgerig.views import Cell, Curve, Gallery, Heading, Item, Matrix, Table, View

_PNG = b"\x89PNG\r\n\x1a\n"
#: Points of a curve that are listed where it is not drawn.
_WRITTEN_POINTS = 11


def fit(view: View, limits: Limits, budget: Budget) -> View:
    """``view`` within the limits of a report; its note says what was left out."""
    if isinstance(view, Table):
        return _fit_table(view, limits.classes)
    if isinstance(view, Matrix):
        return _fit_matrix(view, limits.classes)
    if isinstance(view, Curve):
        lines = tuple(msgspec.structs.replace(line, **_thinned(line.x, line.y, limits.points)) for line in view.lines)
        return msgspec.structs.replace(view, lines=lines)
    return _fit_gallery(view, limits.mismatches, budget)


def _noted(note: str, *more: str) -> str:
    return " ".join(part for part in (note, *more) if part)


def _fit_table(view: Table, most: int) -> Table:
    if len(view.rows) <= most:
        return view
    order = view.order or range(len(view.rows))
    rows = tuple(view.rows[index] for index in order[:most] if index < len(view.rows))
    note = f"The {most} {view.ordered_by}, out of {len(view.rows):,}; results.json has all."
    return msgspec.structs.replace(view, rows=rows, order=(), note=_noted(view.note, note))


def _fit_matrix(view: Matrix, most: int) -> Matrix:
    if max(len(view.rows), len(view.columns)) <= most:
        return view
    note = f"{len(view.rows):,} classes are too many for a matrix; results.json has it."
    return msgspec.structs.replace(view, rows=(), columns=(), counts=(), note=_noted(view.note, note))


def _thinned(x: Sequence[float], y: Sequence[float], most: int) -> dict[str, tuple[float, ...]]:
    """About ``most`` points at equal steps, the first and the last among them, and the first of each gap."""
    count = min(len(x), len(y))
    if count <= most or most < 2:
        return {"x": tuple(x[:count]), "y": tuple(y[:count])}
    steps = {round(index * (count - 1) / (most - 1)) for index in range(most)}
    gaps = {index for index in range(1, count) if math.isfinite(y[index - 1]) and not math.isfinite(y[index])}
    chosen = sorted(steps | gaps)
    return {"x": tuple(x[index] for index in chosen), "y": tuple(y[index] for index in chosen)}


def _fit_gallery(view: Gallery, most: int, budget: Budget) -> Gallery:
    items, left_out = list[Item](), 0
    for item in view.items[:most]:
        picture = checked_picture(item.picture)
        if picture is not None and not budget.take(len(picture)):
            picture, left_out = None, left_out + 1
        items.append(msgspec.structs.replace(item, picture=picture))
    total = max(view.total, len(view.items))
    first = f"The first {len(items):,} are shown." if len(items) < total else ""
    pictures = f"{left_out:,} pictures are left out to keep the report small." if left_out else ""
    note = _noted(view.note, first, pictures)
    return msgspec.structs.replace(view, items=tuple(items), total=total, note=note)


def checked_picture(picture: str | None) -> str | None:
    """The picture if it is a PNG in base64; anything else must not reach a page."""
    if not picture:
        return None
    try:
        data = base64.b64decode(picture, validate=True)
    except (binascii.Error, ValueError):
        return None
    return picture if data.startswith(_PNG) else None


def cell_figure(cell: Cell, unit: str) -> Figure | None:
    """A cell of a view's table as a figure; plain numbers take the unit of their column."""
    if cell is None:
        return None
    if isinstance(cell, Measurement | Unavailable):
        return figure(cell)
    if isinstance(cell, str):
        return Figure(text=cell)
    if unit == "1":
        return share(float(cell))
    if not math.isfinite(cell):
        return Figure(text="–", exact=repr(cell))
    if unit:
        return Figure(text=show(cell, unit), exact=exact(cell, unit), value=cell, unit=unit)
    return Figure(text=f"{cell:,}" if isinstance(cell, int) else f"{cell:.4g}", value=cell)


def page_table(view: Table) -> PageTable:
    """A view's table for the writers; columns of texts are left-aligned."""

    def column(index: int, heading: Heading) -> Column[tuple[Cell, ...]]:
        def value(row: tuple[Cell, ...]) -> Figure | None:
            return cell_figure(row[index], heading.unit) if index < len(row) else None

        texts = all(isinstance(row[index], str) for row in view.rows if index < len(row))
        return Column(heading.label, value, align="left" if texts else "right", head=texts and index == 0)

    columns = [column(index, heading) for index, heading in enumerate(view.headings)]
    name = re.sub(r"[^a-z0-9]+", "-", view.title.lower()).strip("-")[:40] or "view"
    return make_table(columns, view.rows, name=name, title=view.title, note=view.note, reasons=True)


def kinds_of(view: View) -> set[Kind]:
    """The kinds of the numbers in a view."""
    rows = view.rows if isinstance(view, Table) else ()
    return {cell.kind for row in rows for cell in row if isinstance(cell, Measurement)}


def matrix_table(view: Matrix) -> Table:
    """A matrix as a table, for formats without shading."""
    corner = Heading(f"{view.row_title} \\ {view.column_title}")
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (name, *counts) for name, counts in zip(view.rows, view.counts, strict=False)
    )
    return Table(view.title, (corner, *(Heading(name) for name in view.columns)), rows, view.note)


def curve_table(view: Curve) -> Table:
    """A curve as a table of a few of its points, for formats without drawings."""
    rows: list[tuple[Cell, ...]] = []
    for line in view.lines:
        points = _thinned(line.x, line.y, _WRITTEN_POINTS)
        rows += [(line.name, x, y) for x, y in zip(points["x"], points["y"], strict=True)]
    headings = (Heading("line"), Heading(view.x.title, view.x.unit), Heading(view.y.title, view.y.unit))
    return Table(view.title, headings, tuple(rows), view.note)


def gallery_table(view: Gallery) -> Table:
    """A gallery as a table of its texts, for formats without pictures."""
    return Table(view.title, tuple(Heading(label) for label in view.labels), tuple(item.texts for item in view.items))


def text_table(view: View) -> Table:
    """Any view as a table of texts and numbers."""
    if isinstance(view, Table):
        return view
    if isinstance(view, Matrix):
        return matrix_table(view)
    return curve_table(view) if isinstance(view, Curve) else gallery_table(view)
