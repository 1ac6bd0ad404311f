"""Whether the first line of a table names its columns or is a row: no row is lost, and no name becomes a class."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from edgerig.errors import DatasetError

Decimal = Literal["point", "comma"]

#: How numbers are written, by the mark before their decimals.
NUMBERS: dict[Decimal, re.Pattern[str]] = {
    "point": re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?"),
    "comma": re.compile(r"[-+]?(\d+,?\d*|,\d+)([eE][-+]?\d+)?"),
}
#: What stands for a value that nobody knows, in small letters.
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?"})
#: Rows below the first line that it is held against.
LOOKED_AT = 1000


def has_names(first: Sequence[str], rows: Sequence[Sequence[str]], path: Path) -> bool:
    """Whether the cells ``first`` of the first line are names of the columns, by the rows below.

    A text above numbers is a name. A number is a value, and so is a text that its column has again. Where there is
    neither, the line is one of names, unless it has a cell that stands for a missing value: such a row has no number.

    Raises:
        DatasetError: It has names and values, or nothing tells.

    >>> has_names(["width", "kind"], [["1", "cat"], ["2", "dog"]], Path("t.csv"))
    True
    >>> has_names(["?", "cat"], [["1", "cat"], ["2", "dog"]], Path("t.csv"))
    False
    """
    columns = [[row[index] for row in rows if len(row) == len(first)] for index in range(len(first))]
    pairs = [(cell, column) for cell, column in zip(first, columns, strict=True) if cell.lower() not in MISSING]
    names = any(_above_numbers(cell, column) for cell, column in pairs)
    values = any(_is_number(cell) or cell in column for cell, column in pairs)
    missing = len(pairs) < len(first)
    if names == values and (names or missing):
        raise _unclear(first, path)
    if values and any(_above_classes(cell, column) for cell, column in pairs):
        # Years may name columns, and 'kind' would be one more class.
        raise _unclear(first, path)
    return not values


def _above_numbers(cell: str, column: Sequence[str]) -> bool:
    """Whether a text stands above a column that holds numbers for the most part."""
    known = [other for other in column if other.lower() not in MISSING]
    return not _is_number(cell) and 2 * sum(map(_is_number, known)) > len(known)


def _above_classes(cell: str, column: Sequence[str]) -> bool:
    """Whether a text stands above others of which each occurs more than once, and it does not."""
    counts = Counter(column)
    return not _is_number(cell) and cell not in counts and min(counts.values(), default=1) > 1


def _is_number(cell: str) -> bool:
    return any(form.fullmatch(cell) for form in NUMBERS.values())


def _unclear(first: Sequence[str], path: Path) -> DatasetError:
    return DatasetError(
        f"{path}: is the first line, {', '.join(first)[:80]!r}, one of names or a row of values?",
        "Say it by 'header', true or false: --dataset-option header=true.",
    )
