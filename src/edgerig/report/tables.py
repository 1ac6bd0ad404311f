"""Tables of the report: declared as columns, built once, rendered by every writer (HTML, Markdown, terminal, CSV)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Generic, Literal, TypeAlias, TypeVar

import msgspec

from edgerig.measure.kinds import Measurement, Quantity, Unavailable, microseconds
from edgerig.report.figures import figure
from edgerig.report.units import percent
from edgerig.report.values import Figure

T = TypeVar("T")

#: The value of a column for a row. A float without a unit is a share of 1; None: not applicable to the row.
Value: TypeAlias = "Figure | Quantity | msgspec.UnsetType | str | int | float | None"
#: The output formats that show a table. ``text`` is Markdown and reStructuredText.
Page = Literal["html", "text", "csv"]
PAGES: tuple[Page, ...] = ("html", "text", "csv")
Align = Literal["left", "right"]


class Heading(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A column of a `Table` as the writers need it; see `Column` for the fields. ``unit`` is that of all its numbers,
    empty where they have none, or several."""

    label: str
    key: str
    unit: str = ""
    align: Align = "right"
    sort: bool = True
    interval: bool = False
    head: bool = False
    shown: bool = True
    bare: bool = False
    absent: str = ""
    style: str = ""
    group: str = ""
    of: str = ""
    pages: tuple[Page, ...] = PAGES

    @property
    def full_label(self) -> str:
        """The label, prefixed with that of its group."""
        return f"{self.group}: {self.label}" if self.group else self.label


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """A row of a `Table`: a cell for each heading, None where it does not apply.

    ``anchor`` is that of the variant that the row is about; ``marked`` rows are highlighted. The numbers of a row
    ``apart`` are of unlike things, and not compared with one another.
    """

    cells: tuple[Figure | None, ...]
    anchor: str = ""
    marked: bool = False
    apart: bool = False


class Table(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A table, for every writer.

    Attributes:
        title: The caption; ``name`` is short, and names its CSV file.
        note: A sentence after the title.
        warnings: Warnings that apply to all its numbers.
        reasons: Whether the text formats write the reason of a missing number into its cell.
    """

    name: str
    title: str
    headings: tuple[Heading, ...]
    lines: tuple[Line, ...]
    note: str = ""
    warnings: tuple[str, ...] = ()
    reasons: bool = False

    def on(self, page: Page) -> Table:
        """The table with only the columns that ``page`` shows."""
        chosen = [index for index, heading in enumerate(self.headings) if page in heading.pages]
        return msgspec.structs.replace(
            self,
            headings=tuple(self.headings[index] for index in chosen),
            lines=tuple(
                msgspec.structs.replace(line, cells=tuple(line.cells[index] for index in chosen)) for line in self.lines
            ),
        )

    @property
    def grouped(self) -> bool:
        """Whether some of its columns stand under a heading of their own."""
        return any(heading.group for heading in self.headings)

    @property
    def groups(self) -> tuple[tuple[str, int], ...]:
        """Neighbouring headings of one group, with their number."""
        runs: list[tuple[str, int]] = []
        for heading in self.headings:
            if heading.group and runs and runs[-1][0] == heading.group:
                runs[-1] = (heading.group, runs[-1][1] + 1)
            else:
                runs.append((heading.group, 1))
        return tuple(runs)


def always(figures: Sequence[Figure | None]) -> bool:
    """Show the column in any case."""
    return True


def if_any(figures: Sequence[Figure | None]) -> bool:
    """Show the column where a row has a value or a reason why there is none."""
    return any(figure is not None for figure in figures)


def if_known(figures: Sequence[Figure | None]) -> bool:
    """Show the column where a row has a number in it."""
    return any(figure is not None and figure.value is not None for figure in figures)


def terminal_text(figure: Figure, row: object = None) -> str:
    """A figure as the terminal shows it: times in microseconds, sizes in bytes, shares in percent."""
    if figure.reason is not None or figure.value is None:
        return figure.text
    if figure.unit == "s":
        kind = figure.kind or "measured"
        time = Measurement(
            value=figure.value, unit="s", kind=kind, method="", low=figure.low, high=figure.high, bounds=figure.bounds
        )
        return microseconds(time)
    if figure.unit == "1":
        return f"{figure.value:.2%}"
    return f"{figure.value:,.0f} B" if figure.unit == "B" else figure.whole


class Column(msgspec.Struct, Generic[T], frozen=True):
    """A column, declared once for all formats.

    Attributes:
        label: The heading, or a function that derives it from the rows.
        value: The value of a row: a quantity, a figure, a text, a count (int) or a share (float).
        when: Whether the column is shown, by its own figures: `always`, `if_any`, `if_known`.
        align: Numbers to the right, texts to the left.
        sort: Whether the page sorts by it.
        key: Its name in the JSON document; the label by default.
        interval: Whether the 95 % interval is shown under the number.
        head: Whether its cells name their rows.
        shown: Whether the page shows it initially; the reader may choose otherwise.
        bare: Whether the page leaves out the unit, because the heading has it.
        absent: The text where the column does not apply to a row; the page shows it as a tooltip.
        pages: The formats that show it.
        style: A CSS class of its cells.
        group: A heading over several neighbouring columns.
        of: The anchor of the variant that the column is about.
        rank: The terminal leaves out columns of high rank first, and shows none of rank None.
        short: The heading in the terminal, where it differs.
        terminal: The text in the terminal, from figure and row.
    """

    label: str | Callable[[Sequence[T]], str]
    value: Callable[[T], Value]
    when: Callable[[Sequence[Figure | None]], bool] = always
    align: Align = "right"
    sort: bool = True
    key: str = ""
    interval: bool = False
    head: bool = False
    shown: bool = True
    bare: bool = False
    absent: str = ""
    pages: tuple[Page, ...] = PAGES
    style: str = ""
    group: str = ""
    of: str = ""
    rank: int | None = None
    short: str = ""
    terminal: Callable[[Figure, T], str] = terminal_text

    @property
    def name(self) -> str:
        """Its name in the JSON document and in CSV."""
        return self.key or (self.label if isinstance(self.label, str) else "")

    def heading(self, rows: Sequence[T], figures: Sequence[Figure | None] = ()) -> Heading:
        """The heading over ``rows`` with ``figures``."""
        label = self.label if isinstance(self.label, str) else self.label(rows)
        units = {figure.unit for figure in figures if figure is not None and figure.value is not None}
        return Heading(
            label=label,
            key=self.name or label,
            unit=units.pop() if len(units) == 1 else "",
            align=self.align,
            sort=self.sort,
            interval=self.interval,
            head=self.head,
            shown=self.shown,
            bare=self.bare,
            absent=self.absent,
            style=self.style,
            group=self.group,
            of=self.of,
            pages=self.pages,
        )

    def figure(self, row: T) -> Figure | None:
        """The figure of ``row`` in this column."""
        return as_figure(self.value(row))


def as_figure(value: Value) -> Figure | None:
    """Any value of a column as a figure; None for None."""
    if value is None or isinstance(value, msgspec.UnsetType | Figure):
        return None if isinstance(value, msgspec.UnsetType) else value
    if isinstance(value, Measurement | Unavailable):
        return figure(value)
    if isinstance(value, str):
        return Figure(text=value)
    if isinstance(value, int):
        return Figure(text=f"{value:,}", value=value)
    return share(value)


def share(value: float) -> Figure:
    """A share of 1 in percent; ``–`` where it is not a number, such as the recall of a class without samples."""
    known = value if math.isfinite(value) else None
    return Figure(text=percent(value), exact=repr(value), value=known)


def fill(columns: Sequence[Column[T]], rows: Sequence[T]) -> list[list[Figure | None]]:
    """The figures of each column, row by row: each column's value is computed once per row."""
    return [[column.figure(row) for row in rows] for column in columns]


def make_table(
    columns: Sequence[Column[T]],
    rows: Sequence[T],
    *,
    name: str,
    title: str,
    figures: Sequence[Sequence[Figure | None]] | None = None,
    note: str = "",
    warnings: tuple[str, ...] = (),
    reasons: bool = False,
    anchors: Sequence[str] = (),
    marked: Sequence[str] = (),
) -> Table:
    """The table of ``rows``.

    Args:
        columns: The columns, in order; those whose ``when`` is False are left out.
        rows: The objects that the columns read.
        name: A short name, for the CSV file.
        title: The caption.
        figures: The result of `fill`, if it was called before.
        note: A sentence after the caption.
        warnings: Warnings that apply to all numbers of the table.
        reasons: Whether the text formats write reasons into the cells.
        anchors: The variant that each row is about.
        marked: Anchors of the rows to highlight.
    """
    figures = fill(columns, rows) if figures is None else figures
    shown = [(column, cells) for column, cells in zip(columns, figures, strict=True) if column.when(cells)]
    anchors = anchors or [""] * len(rows)
    return Table(
        name=name,
        title=title,
        headings=tuple(column.heading(rows, cells) for column, cells in shown),
        lines=tuple(
            Line(tuple(cells[index] for _, cells in shown), anchor, bool(anchor) and anchor in marked)
            for index, anchor in enumerate(anchors)
        ),
        note=note,
        warnings=warnings,
        reasons=reasons,
    )
