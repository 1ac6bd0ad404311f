"""What is installed beside edgerig: entry points and versions.

They are those that `importlib.metadata` gives, from the same files. That module takes as long to import and to parse
what hundreds of packages bring as a fifth of the start of a process that runs a network; and each network runs in a
process of its own. Where packages lie elsewhere than in folders it is asked after all.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import sys
import time
from collections.abc import Iterator
from functools import lru_cache
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any, NamedTuple

_INFO = (".dist-info", ".egg-info")
_BACKPORT = ("importlib_metadata", "MetadataPathFinder")


class EntryPoint(NamedTuple):
    """A name in a group, and the ``package.module:attribute`` that it stands for."""

    name: str
    value: str
    group: str

    def load(self) -> Any:
        """Import what it stands for."""
        module, _, attributes = self.value.partition(":")
        loaded: Any = importlib.import_module(module.strip())
        # Extras in brackets are no part of the name.
        for attribute in filter(None, attributes.partition("[")[0].strip().split(".")):
            loaded = getattr(loaded, attribute)
        return loaded


#: The folders on the path when the entry points were read, and when each was changed last.
_entries_read: list[tuple[tuple[str, int], ...]] = [()]
#: When `importlib.metadata` was asked for them, in s of `time.monotonic`, and how long what it said is taken for true.
_asked: list[float] = [-1.0]
FRESH_SECONDS = 1.0


def entry_points(prefix: str = "edgerig.") -> tuple[EntryPoint, ...]:
    """The entry points of all groups whose name begins with ``prefix``; of a package that is there twice, of the first
    one on the path."""
    if not _in_folders():
        from importlib import metadata

        _asked[0] = time.monotonic()
        known = metadata.entry_points()
        groups = [group for group in known.groups if group.startswith(prefix)]
        return tuple(EntryPoint(p.name, p.value, p.group) for group in groups for p in known.select(group=group))
    _entries_read[0] = tuple(_entries())
    first = dict(reversed([*_folders()]))
    texts = (_text(folder / "entry_points.txt") for folder in first.values())
    return tuple(
        point for text in texts if f"[{prefix}" in text for point in _parsed(text) if point.group.startswith(prefix)
    )


def changed() -> bool:
    """Whether a package may have been installed or removed since the last call of `entry_points`.

    Of packages that lie elsewhere than in folders this is not known: they are looked at anew once a second.
    """
    if not _in_folders():
        return time.monotonic() - _asked[0] > FRESH_SECONDS
    return tuple(_entries()) != _entries_read[0]


def version(name: str) -> str | None:
    """The version of an installed package; None where it is not there."""
    if not _in_folders():
        from importlib import metadata

        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            return None
    folder = _folder_of(_key(name))
    if folder is None:
        return None
    # An old egg-info is a file that holds the headers itself.
    text = _text(folder / "METADATA") or _text(folder / "PKG-INFO") or _text(folder)
    headers = text.partition("\n\n")[0].splitlines()
    return next((line.partition(":")[2].strip() for line in headers if line.lower().startswith("version:")), None)


def _in_folders() -> bool:
    """Whether packages can be only where this module looks: in folders on the path."""
    finders = [finder for finder in sys.meta_path if hasattr(finder, "find_distributions")]
    return [*map(_looks_in_folders, finders)] == [True] and not any(
        entry.endswith(".egg") or os.path.isfile(entry)  # noqa: PTH113 - a call for each entry
        for entry in sys.path
    )


def _looks_in_folders(finder: Any) -> bool:
    """Whether a finder is Python's own, or the one that the backport of `importlib.metadata`, which mlflow imports,
    has put in its place: it takes `find_distributions` from Python's own."""
    return finder is PathFinder or (type(finder).__module__, type(finder).__name__) == _BACKPORT


def _folders() -> Iterator[tuple[str, Path]]:
    """The normalized name of each installed package and the folder that describes it, in the order of the path."""
    for entry, changed in _entries():
        yield from _folders_in(entry, changed)


def _folder_of(key: str) -> Path | None:
    """The folder that describes the first package of that normalized name on the path."""
    return next((folder for entry, changed in _entries() if (folder := _by_name(entry, changed).get(key))), None)


def _entries() -> Iterator[tuple[str, int]]:
    """The folders on the path, and when each was changed last."""
    for entry in sys.path:
        with contextlib.suppress(OSError):
            yield entry or ".", os.stat(entry or ".").st_mtime_ns  # noqa: PTH116


@lru_cache(maxsize=256)
def _by_name(entry: str, changed: int) -> dict[str, Path]:
    """The first package of each name in a folder."""
    return dict(reversed(_folders_in(entry, changed)))


@lru_cache(maxsize=256)
def _folders_in(entry: str, changed: int) -> tuple[tuple[str, Path], ...]:
    """The packages of a folder that was ``changed`` last then: it is read again only after it has changed."""
    try:
        names = os.listdir(entry)  # noqa: PTH208
    except OSError:
        return ()
    return tuple(
        (_key(name.rpartition(".")[0].partition("-")[0]), Path(entry, name))
        for name in names
        if name.lower().endswith(_INFO)
    )


def _key(name: str) -> str:
    """A package's name as it is compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _parsed(text: str) -> Iterator[EntryPoint]:
    """The entry points in a file of them."""
    group = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            group = line[1:-1].strip()
        elif line and not line.startswith("#"):
            name, _, value = line.partition("=")
            yield EntryPoint(name.strip(), value.strip(), group)
