"""A user's own table in a CSV file: columns of numbers, and one, or several, of what is right."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from itertools import compress
from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig import plugins
from edgerig.artifact import Preprocessing
from edgerig.datasets.npz import ANOMALY_CLASSES, ArraySettings, Npz, inputs_in
from edgerig.datasets.npz_file import Names
from edgerig.datasets.table_file import Separator, Table, TableForm, chosen, open_table
from edgerig.datasets.table_header import MISSING, Decimal
from edgerig.errors import DatasetError
from edgerig.progress import Progress

Array = NDArray[Any]

#: What the cells of a column of splits may be, in small letters.
SPLITS = {"train": "_train", "test": "_test"} | dict.fromkeys(("validation", "valid", "val"), "_validation")

#: In a table of fewer rows a column of ascending numbers may be one by chance.
FEWEST_COUNTED = 10


class TableSettings(ArraySettings, frozen=True, kw_only=True):
    """Settings of ``csv``."""

    label: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="column of the class; several for task multilabel; if not given, the last one not left out"
        ),
    ] = ()
    features: Annotated[
        tuple[str, ...],
        msgspec.Meta(description="columns that the network gets, in its order; all others if not given"),
    ] = ()
    without: Annotated[
        tuple[str, ...], msgspec.Meta(description="columns to leave out, such as numbers of rows and dates")
    ] = ()
    split: Annotated[
        str | None, msgspec.Meta(description="column that says train, validation or test; drawn if not given")
    ] = None
    normalize: Annotated[
        bool,
        msgspec.Meta(description="mean and std of each column of the training rows, in the place of those given here"),
    ] = False
    skip_missing: Annotated[
        bool, msgspec.Meta(description="leave out rows with an empty cell, and count them; else they are an error")
    ] = False
    separator: Annotated[
        Separator | None,
        msgspec.Meta(description="between cells: comma, semicolon or tab; by the first line if not given"),
    ] = None
    decimal: Annotated[Decimal, msgspec.Meta(description="mark before decimals: point or comma")] = "point"
    header: Annotated[
        bool | None, msgspec.Meta(description="the first line names the columns; if not given, the rows below it tell")
    ] = None
    encoding: Annotated[
        str | None, msgspec.Meta(description="UTF-8, or UTF-16 with its mark, if not given; such as cp1252")
    ] = None


class CsvTable(Npz):
    """Rows of a CSV file: a vector of numbers each, with a class, real targets, or several labels."""

    name: ClassVar[str] = "csv"
    summary: ClassVar[str] = (
        "your own table: a row a sample, columns of numbers and one of classes or values, in a CSV file"
    )
    Settings: ClassVar[type[plugins.Settings]] = TableSettings

    settings: TableSettings
    _normal: tuple[tuple[float, ...], tuple[float, ...]] | None = None

    @property
    def preprocessing(self) -> Preprocessing:
        given = super().preprocessing
        if self._normal is None:
            return given
        return Preprocessing(scale=given.scale, mean=self._normal[0], std=self._normal[1])

    def _read(self, path: Path, progress: Progress) -> tuple[Names, dict[str, Array]]:
        settings = self.settings
        form = TableForm(settings.separator, settings.decimal, settings.header, settings.encoding)
        table = open_table(path, form)
        right = self._columns_of_truth(table)
        left_out = {*right, *settings.without, *((settings.split,) if settings.split else ())}
        chosen(table, settings.without, "without")
        features = settings.features or tuple(name for name in table.columns if name not in left_out)
        both = sorted(left_out & set(features))
        if both or not features:
            what = f"uses {both[0]!r} twice" if both else "leaves no column for the network"
            raise DatasetError(f"{path}: the choice of columns {what}.", f"It has {', '.join(table.columns)}.")
        rows = _Rows(table, features, right, settings, self.task)
        if rows.skipped:
            progress.log(f"{path}: {rows.skipped:,} rows with an empty cell are left out, of {rows.total:,}")
        names, arrays = self._arrays(rows, path)
        for name in () if settings.features else _counting(rows):
            written = name or "''"
            progress.log(
                f"{path}: column {name!r} counts the rows, and a network would learn their order from it: leave it out "
                f"(without: [{written}]), or name the columns to use by 'features'"
            )
        return names, arrays

    def _columns_of_truth(self, table: Table) -> tuple[str, ...]:
        names = self.settings.targets if self.task == "regression" else ()
        settings = self.settings
        taken = {*settings.without, *settings.features, settings.split}
        names = names or settings.label or tuple(name for name in table.columns if name not in taken)[-1:]
        if not names:
            raise DatasetError(f"{table.path}: no column is left for what is right.", "Name it by 'label'.")
        if len(names) > 1 and self.task not in ("regression", "multilabel"):
            raise DatasetError(
                f"{table.path}: 'label' names {len(names)} columns, and a class stands in one.",
                "Several labels a sample are read with task multilabel, real values with task regression.",
            )
        return names

    def _arrays(self, rows: _Rows, path: Path) -> tuple[Names, dict[str, Array]]:
        x = np.frombuffer(rows.values, np.float64).reshape(-1, len(rows.features))
        if not len(x):
            raise DatasetError(f"{path} has no rows.")
        arrays: dict[str, Array] = {}
        if self.task == "regression":
            y: Array = np.array([[_target(rows, cell, i) for cell in row] for i, row in enumerate(rows.truth)])
            self._columns = rows.right
        elif self.task == "multilabel":
            y = np.array([[_present(rows, cell, i) for cell in row] for i, row in enumerate(rows.truth)], np.int64)
            arrays["classes"] = np.array(rows.right)
        else:
            names, y = _classes(rows, self.settings.classes, self.task)
            arrays["classes"] = np.array(names)
        if self.settings.split is None:
            return Names(("",), ("",)), {"x": x, "y": y, **arrays}
        parts = np.array(rows.parts)
        present = tuple(part for part in ("_train", "_test", "_validation") if part in rows.parts)
        if present[:2] != ("_train", "_test"):
            raise DatasetError(f"{path}: column {self.settings.split!r} has no row of train, or none of test.")
        for part in present:
            arrays[f"x{part}"], arrays[f"y{part}"] = x[parts == part], y[parts == part]
        return Names(present, ("",)), arrays

    def _prepare(self, progress: Progress) -> None:
        super()._prepare(progress)
        if self.settings.normalize:
            (values,) = inputs_in(self._splits["train"]).values()
            # Of the numbers that a network gets: those of a column far from 0 may differ by too little for float32.
            x = values.astype(np.float32).astype(np.float64) * (self.settings.scale or 1.0)
            mean, spread, constant = x.mean(axis=0), x.std(axis=0), np.ptp(x, axis=0) == 0
            # A column that never changes is 0 then; sums in floating point would leave it a tiny spread to divide by.
            mean[constant], spread[constant] = x[0, constant], 1.0
            self._normal = tuple(map(float, mean)), tuple(map(float, spread))


class _Rows:
    """What a table's rows hold: numbers, what is right as texts, splits, and the line of each."""

    def __init__(
        self, table: Table, features: tuple[str, ...], right: tuple[str, ...], settings: TableSettings, task: str
    ) -> None:
        self.table, self.features, self.right = table, features, right
        self.values = array("d")
        self.truth: list[tuple[str, ...]] = []
        self.parts: list[str] = []
        self.lines: list[int] = []
        self.skipped = self.total = 0
        columns, truth = chosen(table, features, "features"), chosen(table, right, "label")
        split = chosen(table, (settings.split,), "split")[0] if settings.split else None
        # A target or a label of several may be unknown; a class may not.
        needed = columns if task in ("regression", "multilabel") else (*columns, *truth)
        for line, cells in table.rows():
            self.total += 1
            missing = next((index for index in needed if cells[index].lower() in MISSING), None)
            if missing is not None:
                if not settings.skip_missing:
                    raise DatasetError(
                        f"{table.path}, line {line}, column {table.columns[missing]!r}: nothing stands there.",
                        "Fill it in, or leave such rows out: skip_missing: true.",
                    )
                self.skipped += 1
                continue
            self.values.extend(table.number(cells[i], line, table.columns[i]) for i in columns)
            self.truth.append(tuple(cells[index] for index in truth))
            self.lines.append(line)
            if split is not None:
                self.parts.append(self._part(cells[split], line, table.columns[split]))

    def _part(self, cell: str, line: int, column: str) -> str:
        if cell.lower() not in SPLITS:
            raise DatasetError(
                f"{self.table.path}, line {line}, column {column!r}: {cell[:40]!r} is no split.",
                f"Write one of {', '.join(SPLITS)}.",
            )
        return SPLITS[cell.lower()]


def _counting(rows: _Rows) -> tuple[str, ...]:
    """The columns that count the rows, as programs write them beside their data."""
    x = np.frombuffer(rows.values, np.float64).reshape(-1, len(rows.features))
    if len(x) < FEWEST_COUNTED:
        return ()
    first = (x[0] == 0) | (x[0] == 1)
    return tuple(compress(rows.features, first & (np.diff(x, axis=0) == 1).all(axis=0)))


def _target(rows: _Rows, cell: str, index: int) -> float:
    return float("nan") if cell.lower() in MISSING else rows.table.number(cell, rows.lines[index], "targets")


def _present(rows: _Rows, cell: str, index: int) -> int:
    known = {"0": 0, "1": 1, "false": 0, "true": 1, "-1": -1, **dict.fromkeys(MISSING, -1)}
    if cell.lower() not in known:
        raise DatasetError(
            f"{rows.table.path}, line {rows.lines[index]}: {cell[:40]!r} does not say whether a label is present.",
            "Write 1 where it is, 0 where it is not, and nothing where that is not known.",
        )
    return known[cell.lower()]


def _classes(rows: _Rows, given: Sequence[str], task: str) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Names of the classes, and the number of each row's: whole numbers from 0 on are these numbers, else names."""
    cells = [row[0] for row in rows.truth]
    there = Counter(cells)
    whole = all(cell.isdecimal() and str(int(cell)) == cell for cell in there)
    if given and all(cell in given for cell in there):
        names = tuple(given)
    elif whole and min(map(int, there)) == 0 and not any(cell in given for cell in there):
        return tuple(given), np.array([int(cell) for cell in cells], np.int64)
    elif given:
        line, cell = next((rows.lines[i], cell) for i, cell in enumerate(cells) if cell not in given)
        raise DatasetError(
            f"{rows.table.path}, line {line}: {cell[:40]!r} is none of the classes {', '.join(given)}.",
            "Name all of them in 'classes', in the order of the network's outputs.",
        )
    else:
        names = _order(rows, there, whole, task)
    numbers = {name: index for index, name in enumerate(names)}
    return names, np.array([numbers[cell] for cell in cells], np.int64)


def _order(rows: _Rows, there: Counter[str], whole: bool, task: str) -> tuple[str, ...]:
    """The order of classes that nobody has named: by value, or by name."""
    path, column = rows.table.path, rows.right[0]
    if task == "anomaly":
        if set(there) <= set(ANOMALY_CLASSES):
            return ANOMALY_CLASSES
        raise DatasetError(
            f"{path}: which of {', '.join(sorted(there)[:10])} in column {column!r} is normal?",
            "Say it by 'classes', the normal one first.",
        )
    if not whole and all(_is_number(rows, cell) for cell in there):
        raise DatasetError(
            f"{path}: column {column!r} holds numbers that count no classes, such as {min(there)}.",
            "Real values to predict are read with --task regression; in a rig file, 'task: regression'.",
        )
    return tuple(sorted(there, key=int) if whole else sorted(there))


def _is_number(rows: _Rows, cell: str) -> bool:
    try:
        rows.table.number(cell, 0, "")
    except DatasetError:
        return False
    return True
