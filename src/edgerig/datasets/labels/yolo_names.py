"""Names of classes beside YOLO's labels: in ``data.yaml``, ``classes.txt`` or ``obj.names``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from edgerig.datasets.labels.checks import check_name
from edgerig.errors import DatasetError

#: Files of names, a line a class.
LISTS = ("classes.txt", "labels/classes.txt", "obj.names")
#: Longest file that is read, in bytes.
LONGEST = 2**20


def read_names(root: Path, others: Sequence[str] = ()) -> tuple[str, ...]:
    """Names of classes by number.

    Args:
        root: A YAML file with ``names``, or a folder with such a file or a list.
        others: The names where there is neither.

    Raises:
        DatasetError: There is none, or it has another form.
    """
    sheets = [root] if root.is_file() else sorted([*root.glob("*.yaml"), *root.glob("*.yml")])
    for path in sheets:
        document = _load(path)
        if isinstance(document, dict) and "names" in document:
            return _checked(_listed(document["names"], path), path)
    for path in (root / name for name in LISTS):
        if path.is_file():
            lines = _text(path).splitlines()
            return _checked([line.strip() for line in lines if line.strip()], path)
    if others:
        return tuple(others)
    raise DatasetError(
        f"{root} names no classes: it has no data.yaml with 'names' and no classes.txt.",
        "Name them in order: --classes classes.json, a list.",
    )


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > LONGEST:
            raise DatasetError(f"{path} is longer than {LONGEST:,} bytes.", "Is it the file of the classes' names?")
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise DatasetError(f"Cannot read {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} is no text in UTF-8: {error}.") from error


def _load(path: Path) -> Any:
    """What a YAML file holds; one with aliases, which may multiply, is refused."""
    text = _text(path)
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise DatasetError(f"{path} has YAML aliases.", "Write the names out.")
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DatasetError(f"{path} is no YAML: {str(error).splitlines()[0]}.") from error


def _listed(names: object, path: Path) -> list[str]:
    """Names in a list, or in a mapping of the numbers from 0."""
    if isinstance(names, dict):
        if set(names) != set(range(len(names))):
            numbers = ", ".join(map(str, list(names)[:10]))
            raise DatasetError(f"{path}: 'names' has the numbers {numbers}.", "Number the classes from 0 without gaps.")
        names = [names[number] for number in range(len(names))]
    if not isinstance(names, list) or not names:
        raise DatasetError(f"{path}: 'names' is no list of names.", "As in: names: {0: cat, 1: dog}")
    return [str(name) for name in names]


def _checked(names: list[str], path: Path) -> tuple[str, ...]:
    for name in names:
        check_name(name, str(path))
    if not names or len(set(names)) < len(names):
        raise DatasetError(f"{path} names no classes, or one of them twice.", "Give each class its own name.")
    return tuple(names)
