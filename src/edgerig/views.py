"""Task-independent views of results: tables, matrices, curves and galleries.

Metrics of a task create views, the report renders them. In the order of packages they stand above both, right below the
kinds of number, so that neither has to import the other; and they are plain data, so that a bundle can store them.

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
#: unit of its column. None: not applicable.
Cell = Measurement | Unavailable | str | int | float | None
#: Whether the content of a picture is good or bad news.
Tone = Literal["good", "bad", "neutral"]


class Heading(msgspec.Struct, frozen=True, omit_defaults=True):
    """A column of a `Table`; ``unit`` is the SI unit of its plain numbers: ``"1"`` for a share, none for a count."""

    label: str
    unit: str = ""


class Table(msgspec.Struct, frozen=True, omit_defaults=True, tag="table", tag_field="view"):
    """Rows of cells, one for each heading; the first column names the row.

    Attributes:
        title: The caption.
        headings: The columns.
        rows: Each as long as ``headings``.
        note: An explanation that the reader needs.
        order: Row numbers, the most important first: the rows that are kept where there is no room for all.
        ordered_by: A description of that order, such as ``classes of lowest F1``.
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
        title: The caption.
        rows: The names of the rows.
        columns: The names of the columns; a cell whose row and column have one name is a hit.
        counts: ``counts[i][j]`` belongs to row i and column j.
        row_title: A title for the rows.
        column_title: A title for the columns.
        relation: The words between a row's name and a column's: ``cat taken for dog``.
        note: An explanation that the reader needs.
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
    """An axis of a `Curve`: its title, the SI unit of its values, whether it is logarithmic, and whether its values
    count something, so that it is labelled at ``whole`` numbers alone."""

    title: str
    unit: str = ""
    log: bool = False
    whole: bool = False


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of a `Curve`: ``x`` and ``y`` are equally long, in the units of the axes.

    Between two points it is straight, or holds the first one's value where it is ``stepped``. At a value that is not
    finite the line is interrupted. Lines of one ``group`` have one colour and, in the legend, the group's name.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    stepped: bool = False
    group: str = ""


class Curve(msgspec.Struct, frozen=True, omit_defaults=True, tag="curve", tag_field="view"):
    """One or several lines in one chart, such as precision over recall."""

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
        title: The caption.
        labels: Titles for the texts of each item, such as truth, prediction; the first is highlighted.
        items: The most important first, since there may not be room for all.
        total: The total number, where ``items`` are the first of them.
        note: An explanation that the reader needs.
    """

    title: str
    labels: tuple[str, ...]
    items: tuple[Item, ...]
    total: int = 0
    note: str = ""


View = Table | Matrix | Curve | Gallery
