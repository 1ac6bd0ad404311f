"""Rows of a CSV file, whatever wrote it: its separator, header, encoding and line ends; every cell that is wrong has
its line."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal

import msgspec

from edgerig.datasets.table_header import LOOKED_AT, NUMBERS, Decimal, has_names
from edgerig.errors import DatasetError

#: Separators in the order in which they are looked for: a comma may stand within numbers where another one separates.
SEPARATORS = {"tab": "\t", "semicolon": ";", "comma": ","}
#: The largest number of float32, in which networks get all of them.
_LARGEST = 3.4028234e38
#: The line by which Excel is told the separator.
_SAID = re.compile(r"sep=(.)[ \t]*\r?\n", re.IGNORECASE)
_QUOTED = re.compile(r'"[^"]*"')
Separator = Literal["tab", "semicolon", "comma"]


class TableForm(msgspec.Struct, frozen=True):
    """How a file is written; None where the file itself shall tell."""

    separator: Separator | None = None
    decimal: Decimal = "point"
    header: bool | None = None
    encoding: str | None = None


class Table(msgspec.Struct, frozen=True):
    """The columns of a file by name, and its text.

    Attributes:
        columns: Their names: those of the header, else ``column 1``, ``column 2`` and so on.
    """

    path: Path
    columns: tuple[str, ...]
    form: TableForm
    text: str
    has_header: bool
    separator: str

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """The line of each row's end, from 1, and its cells, stripped. Empty lines are no rows.

        Raises:
            DatasetError: A row has more or fewer cells than there are columns.
        """
        rows = _cells(self.text, self.separator, self.path)
        if self.has_header:
            next(rows)
        for line, cells in rows:
            if len(cells) != len(self.columns):
                raise DatasetError(
                    f"{self.path}, line {line}: {len(cells)} cells, where there are {len(self.columns)} columns.",
                    "Texts that hold the separator stand in quotes; 'separator' names another one.",
                )
            yield line, cells

    def number(self, cell: str, line: int, column: str) -> float:
        """The finite number in a cell.

        Raises:
            DatasetError: It is none, or written otherwise than ``decimal`` says.
        """
        if NUMBERS[self.form.decimal].fullmatch(cell):
            value = float(cell.replace(",", "."))
            if abs(value) <= _LARGEST:
                return value
            raise DatasetError(
                f"{self.path}, line {line}, column {column!r}: {cell[:40]!r} is beyond what float32 holds.",
                "Give the column in another unit, or leave it out.",
            )
        other: Decimal = "comma" if self.form.decimal == "point" else "point"
        hint = f"Leave it out: without: [{column}]; or name those to use by 'features'."
        if NUMBERS[other].fullmatch(cell):
            hint = (
                f"Decimals have a {self.form.decimal} here, and thousands nothing between; else say decimal: {other}."
            )
        raise DatasetError(f"{self.path}, line {line}, column {column!r}: {cell[:40]!r} is no number.", hint)


def open_table(path: Path, form: TableForm) -> Table:
    """The table in a file, whose rows are yet to be read.

    Raises:
        DatasetError: It cannot be read, has no rows, or two columns of one name.
    """
    text = _text(path, form.encoding)
    said = _SAID.match(text)
    if said is not None:
        # An empty line in its place keeps the numbers of the others.
        text = "\n" + text[said.end() :]
    first = next((line for line in text.splitlines() if line.strip()), "")
    bare = _QUOTED.sub("", first)
    seen = next((mark for mark in SEPARATORS.values() if mark in bare), ",")
    seen = said[1] if said is not None and said[1] in SEPARATORS.values() else seen
    separator = SEPARATORS[form.separator] if form.separator else seen
    rows = (cells for _, cells in _cells(text, separator, path))
    cells = next(rows, [])
    named = form.header if form.header is not None else has_names(cells, list(islice(rows, LOOKED_AT)), path)
    columns = tuple(cells) if named else tuple(f"column {index + 1}" for index in range(len(cells)))
    if len(columns) < 2:
        raise DatasetError(
            f"{path} has {len(columns)} columns, separated by {separator!r}.",
            "It needs at least one of numbers and one of what is right; 'separator' names what stands between them.",
        )
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice is not None:
        raise DatasetError(
            f"{path} has two columns called {twice!r}.",
            "Give each a name of its own; where the first line is no header: header: false.",
        )
    return Table(path, columns, form, text, named, separator)


def chosen(table: Table, names: Sequence[str], setting: str) -> tuple[int, ...]:
    """Where the columns called ``names`` stand.

    Raises:
        DatasetError: There is no such column.
    """
    for name in names:
        if name not in table.columns:
            raise DatasetError(
                f"{table.path} has no column {name!r}, which {setting!r} names.", f"It has {', '.join(table.columns)}."
            )
    return tuple(table.columns.index(name) for name in names)


def _text(path: Path, encoding: str | None) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DatasetError(
            f"Cannot read {path}: {error.strerror}.", "Is the path right, and may you read it?"
        ) from error
    if encoding is None:
        encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except (UnicodeError, LookupError) as error:
        raise DatasetError(
            f"{path} is no text in {encoding.removesuffix('-sig')}.",
            "encoding: cp1252 is what Windows' programs write in the West.",
        ) from error
    if "\x00" in text:
        raise DatasetError(f"{path} is no text.", "It must be a CSV file.")
    # A mark of the byte order that the encoding does not take for one.
    return text.removeprefix("\ufeff")


def _cells(text: str, separator: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    # Strict: a quote that is not closed where its cell ends would take the rows behind it into the cell.
    lines = io.StringIO(text, newline="")
    reader, begin = csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True), 1
    try:
        for cells in reader:
            begin = reader.line_num + 1
            if any(map(str.strip, cells)):
                yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise DatasetError(
            f"{path}, line {begin}: a quote is not closed where its cell ends ({error}).",
            "Close it, or write two quotes for one that belongs to the text, and nothing between the last and the "
            "separator.",
        ) from error
