"""Folders within a folder, also where links lead."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def folders_below(folder: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """``folder`` and all folders below it, links followed, in a fixed order: each with its folders and its files.

    None is entered twice, as links may lead in a circle. Who takes names out of the list of folders keeps these from
    being entered, as with `os.walk`.
    """
    entered: set[Path] = set()
    for where, inner, names in os.walk(folder, followlinks=True):
        real = Path(where).resolve()
        if real in entered:
            inner[:] = []
            continue
        entered.add(real)
        inner.sort()
        yield Path(where), inner, names
