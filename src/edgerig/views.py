"""What a task wants shown of its results: tables, matrices, curves and galleries, which know no task.

Who judges makes views, the report renders them. In the order of packages they stand above both, right below the kinds
of number, so that neither has to import the other; and they are plain data, so that a bundle can hold them.

>>> from edgerig.views import Heading, Table
>>> table = Table("By class", (Heading("class"), Heading("recall", "1"), Heading("samples")), (("cat", 0.75, 40),))
>>> table.rows[0][1]
0.75
"""

from __future__ import annotations

from typing import Literal

import msgspec

from edgerig.measure.kinds import Measurement, Unavailable

#: A cell of a table: a number with its kind and method, the reason why there is none, a text, or a plain number in the
#: unit of its column. None: there is no such thing.
Cell = Measurement | Unavailable | str | int | float | None
#: Whether what a picture shows is good or bad news.
Tone = Literal["good", "bad", "neutral"]


class Heading(msgspec.Struct, frozen=True, omit_defaults=True):
    """A column of a `Table`; ``unit`` is that of its plain numbers, in SI: ``"1"`` is a share, none is a count."""

    label: str
    unit: str = ""


class Table(msgspec.Struct, frozen=True, omit_defaults=True, tag="table", tag_field="view"):
    """Rows of cells, one for each heading; the first column names the row.

    Attributes:
        title: What it shows.
        headings: The columns.
        rows: Each as long as ``headings``.
        note: What a reader must know.
        order: Row numbers, the most telling first: those that are left where there is no room for all.
        ordered_by: What that order is, such as ``classes of lowest F1``.
    """

    title: str
    headings: tuple[Heading, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    order: tuple[int, ...] = ()
    ordered_by: str = "first rows"


class Matrix(msgspec.Struct, frozen=True, omit_defaults=True, tag="matrix", tag_field="view"):
    """Counts of two things together, such as true class and prediction; shaded by their share of the row.

    Attributes:
        title: What it shows.
        rows: The names of the rows.
        columns: The names of the columns; a cell whose row and column have one name is a hit.
        counts: ``counts[i][j]`` belongs to row i and column j.
        row_title: What the rows are.
        column_title: What the columns are.
        relation: The words between a row's name and a column's: ``cat taken for dog``.
        note: What a reader must know.
    """

    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    row_title: str = "true"
    column_title: str = "predicted"
    relation: str = "taken for"
    note: str = ""


class Axis(msgspec.Struct, frozen=True, omit_defaults=True):
    """An axis of a `Curve`: its title, the SI unit of its values, and whether it is logarithmic."""

    title: str
    unit: str = ""
    log: bool = False


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of a `Curve`: ``x`` and ``y`` are equally long, in the units of the axes.

    Between two points it is straight, or holds the first one's value where it is ``stepped``. Where a value is not
    finite the line is broken.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    stepped: bool = False


class Curve(msgspec.Struct, frozen=True, omit_defaults=True, tag="curve", tag_field="view"):
    """One or several lines over one another, such as precision over recall."""

    title: str
    x: Axis
    y: Axis
    lines: tuple[Line, ...]
    note: str = ""


class Item(msgspec.Struct, frozen=True, omit_defaults=True):
    """One sample of a `Gallery`: a text for each of its labels, and a PNG in base64 where there is a picture."""

    texts: tuple[str, ...]
    picture: str | None = None
    tone: Tone = "neutral"


class Gallery(msgspec.Struct, frozen=True, omit_defaults=True, tag="gallery", tag_field="view"):
    """Samples with their pictures and a few words to each.

    Attributes:
        title: What it shows.
        labels: What the texts of each item are, such as truth, prediction; the first stands out.
        items: The most telling first, for there may not be room for all.
        total: How many there are in all, where ``items`` are the first of them.
        note: What a reader must know.
    """

    title: str
    labels: tuple[str, ...]
    items: tuple[Item, ...]
    total: int = 0
    note: str = ""


View = Table | Matrix | Curve | Gallery
