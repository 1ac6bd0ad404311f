"""``y_labels.csv`` of an official sample folder: which file is of which class."""

from __future__ import annotations

import csv
from pathlib import Path, PurePosixPath

import msgspec

from edgerig.errors import DatasetError

#: The file's name in a folder of samples.
LABELS_FILE = "y_labels.csv"
#: Fields of a line: file, number of classes, label; and for windows their bytes and the stride in bytes.
FIELDS, WINDOW_FIELDS = 3, 5
_FORM = "A line is `file,classes,label`, and for samples cut into windows `file,classes,label,window_bytes,stride`."


class Label(msgspec.Struct, frozen=True):
    """A line of the file.

    Attributes:
        file: The sample's file, relative to the folder.
        classes: Number of classes; ``label`` counts them from 0.
        window_bytes, stride_bytes: How the file is cut into windows; None where it is one sample.
        line: Number of the line, from 1.
    """

    file: str
    classes: int
    label: int
    window_bytes: int | None
    stride_bytes: int | None
    line: int


def read_labels(path: Path) -> list[Label]:
    """The labels in a ``y_labels.csv``, in the order of its lines.

    The official files differ from one another: spaces after the commas, blank lines, with or without a header, line
    ends of either kind, a comma at the end. All of that is accepted.

    Raises:
        DatasetError: The file cannot be read, holds no label, a line is not of the form, or a file is listed twice;
            names the line.
    """
    labels: list[Label] = []
    seen: dict[str, Label] = {}
    for number, fields in _rows(path):
        if not labels and _is_header(fields):
            continue
        label = _label(fields, number, f"{path}, line {number}")
        first = seen.setdefault(str(PurePosixPath(label.file)), label)
        if first is not label:
            raise _repeated(label, first, path)
        labels.append(label)
    if not labels:
        raise DatasetError(f"{path} holds no label.", _FORM)
    return labels


def _repeated(label: Label, first: Label, path: Path) -> DatasetError:
    """What is wrong with a second line of one file, which would count twice in every average."""
    where = f"{path}, line {label.line}: {label.file}"
    if first.label != label.label:
        return DatasetError(
            f"{where} has label {label.label} here and {first.label} in line {first.line}.",
            "Keep the line that is right.",
        )
    return DatasetError(f"{where} is listed already in line {first.line}, and would count twice.", "Take out one line.")


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """The lines that are not blank, with their numbers from 1, as stripped fields without empty ones at the end."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DatasetError(f"Cannot read {path}: {error.strerror}.", "Give the folder that holds it.") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} is no text: {error}.", _FORM) from error
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            fields = [field.strip() for field in next(csv.reader([line], skipinitialspace=True), [])]
        except csv.Error as error:
            raise DatasetError(f"{path}, line {number}: {error}.", _FORM) from error
        while fields and not fields[-1]:
            fields.pop()
        if fields:
            rows.append((number, fields))
    return rows


def _is_header(fields: list[str]) -> bool:
    """Whether a line names the columns: a label's line has a number in every field but the first."""
    return len(fields) >= FIELDS and not any(field.lstrip("+-").isdigit() for field in fields[1:])


def _label(fields: list[str], number: int, where: str) -> Label:
    if len(fields) not in (FIELDS, WINDOW_FIELDS):
        raise DatasetError(f"{where}: there are {len(fields)} fields, not {FIELDS} or {WINDOW_FIELDS}.", _FORM)
    file = PurePosixPath(fields[0])
    if not fields[0] or file.is_absolute() or ".." in file.parts:
        raise DatasetError(f"{where}: {fields[0]!r} is no file within the folder.", _FORM)
    numbers = []
    for field in fields[1:]:
        try:
            numbers.append(int(field))
        except ValueError as error:
            raise DatasetError(f"{where}: {field!r} is no whole number.", _FORM) from error
    classes, label = numbers[:2]
    window, stride = numbers[2:] or (None, None)
    if not 0 <= label < classes:
        raise DatasetError(
            f"{where}: the label {label} of {fields[0]} is none of {classes} classes.", "Labels count from 0."
        )
    if window is not None and stride is not None and min(window, stride) < 1:
        raise DatasetError(f"{where}: windows of {window} bytes every {stride} bytes cannot be cut.", _FORM)
    return Label(fields[0], classes, label, window, stride, number)
