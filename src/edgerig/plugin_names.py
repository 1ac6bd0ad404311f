"""What a plugin may be named by: its entry point, ``package.module:Class``, or the address of what it holds."""

from __future__ import annotations

import sys
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from edgerig.errors import SpecError, UsageError
from edgerig.installed import EntryPoint, changed, entry_points

#: Nouns whose plugins may be named by the address of what they hold: the plugin, and its setting with the address.
ADDRESSED = {"dataset": ("stored", "address")}
#: Files that may be named in the place of the plugin that reads them as its setting ``file``, by suffix.
READ_BY_SUFFIX = {"dataset": {".npz": "npz", ".csv": "csv", ".tsv": "csv"}}
NOUNS = ("task", "dataset", "model", "format", "compiler", "runtime", "target", "power-monitor", "conversion")


def by_address(noun: str, name: str, options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The plugin that an address or a file stands for, with it as a setting; any other name as it is.

    >>> by_address("dataset", "s3://lab/street@7", {"size": 96})
    ('stored', {'address': 's3://lab/street@7', 'size': 96})
    >>> by_address("dataset", "mine.csv", {})
    ('csv', {'file': 'mine.csv'})
    """
    reader = READ_BY_SUFFIX.get(noun, {}).get(PurePosixPath(name).suffix.lower())
    if reader is not None and not is_class(name):
        return reader, {"file": name, **options}
    if noun not in ADDRESSED or "/" not in name:
        return name, options
    plugin, setting = ADDRESSED[noun]
    return plugin, {setting: name, **options}


def names(noun: str) -> list[str]:
    """The registered names of a noun, sorted."""
    return sorted({point.name for point in _points(noun)})


def point_of(noun: str, name: str) -> EntryPoint | None:
    """The entry point of the plugin called ``name``; None where there is none."""
    return next((point for point in _points(noun) if point.name == name), None)


def _points(noun: str) -> tuple[EntryPoint, ...]:
    if noun not in NOUNS:
        raise UsageError(f"{noun!r} is not a noun of edgerig.", f"Nouns: {', '.join(NOUNS)}.")
    return points(group_of(noun))


def group_of(noun: str) -> str:
    """The group of entry points of a noun.

    >>> group_of("power-monitor")
    'edgerig.power_monitors'
    """
    return f"edgerig.{noun.replace('-', '_')}s"


def plural(noun: str) -> str:
    """A noun in plural for a heading.

    >>> plural("power-monitor")
    'Power monitors'
    """
    return f"{noun.replace('-', ' ')}s".capitalize()


def points(group: str) -> tuple[EntryPoint, ...]:
    """The entry points of a group, of all installed packages; none of them is imported."""
    return _points_on(group, tuple(sys.path))


@lru_cache(maxsize=64)
def _points_on(group: str, path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """The entry points of a group on ``path``: a plan of thousands of cells needs them thousands of times."""
    return tuple(point for point in _all_points_on(path) if point.group == group)


@lru_cache(maxsize=4)
def _all_points_on(path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """The entry points of all groups on ``path``, read once: every installed distribution's would be read again for
    each group."""
    return entry_points()


def look_again() -> None:
    """Clear the cached entry points if packages have changed: an unknown plugin may be there now, or thousands not."""
    if changed():
        _points_on.cache_clear()
        _all_points_on.cache_clear()


def is_class(name: str) -> bool:
    """Whether ``name`` is a ``package.module:Class``, or an address of a target that looks alike (``sim:BOARD``)."""
    return ":" in name and "/" not in name


def import_beside(name: str, folder: Path) -> bool:
    """Let ``package.module:Class`` be found in ``folder``, such as the rig file's own, after everything that is
    installed; whether its module lies there.

    Raises:
        SpecError: Another module of that name is loaded already, such as one beside another rig file.
    """
    top = name.partition(":")[0].partition(".")[0]
    own = next((path for path in (folder / top / "__init__.py", folder / f"{top}.py") if path.is_file()), None)
    if own is None:
        return False
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    loaded = getattr(sys.modules.get(top), "__file__", None)
    if loaded is not None and Path(loaded).resolve() != own.resolve():
        raise SpecError(
            f"{name!r} is ambiguous: {own} lies beside the rig file, and {loaded} is loaded under that name already.",
            f"Give {own.name} another name.",
        )
    return True
