"""Short, unique names for model files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePath


def distinct_names(paths: Sequence[str]) -> list[str]:
    """A name for each file: its stem, or where several have the same, the shortest unique end of the path.

    ``a.tflite`` and ``a.onnx`` keep their suffixes; ``x/a.tflite`` and ``y/a.tflite`` are ``x/a`` and ``y/a``. The
    names are also unique as parts of cell ids, where ``/`` is written ``-``.

    Args:
        paths: Different files; the same path twice gets the same name twice.

    >>> distinct_names(["runs/a.tflite", "b.onnx"])
    ['a', 'b']
    >>> distinct_names(["one/net.tflite", "two/net.tflite", "two/net.onnx"])
    ['one/net.tflite', 'two/net.tflite', 'two/net.onnx']
    """
    whole = [Path(path).parent.resolve() / Path(path).name for path in paths]
    groups: dict[str, list[Path]] = {}
    for path in dict.fromkeys(whole):
        groups.setdefault(id_part(path.stem), []).append(path)
    names: dict[Path, str] = {}
    for group in groups.values():
        names |= dict(zip(group, _unique_path_ends(group), strict=True))
    taken: set[str] = set()
    for path, name in names.items():
        number = 1
        while id_part(names[path]) in taken:
            number += 1
            names[path] = f"{name}-{number}"
        taken.add(id_part(names[path]))
    return [names[path] for path in whole]


def id_part(name: str) -> str:
    """``name`` as a part of a cell's id, which is the name of a folder."""
    return re.sub(r"[/\\]+", "-", name)


def _unique_path_ends(group: list[Path]) -> list[str]:
    """Names for different files that share their stem."""
    if len(group) == 1:
        return [group[0].stem]
    deepest = max(len(path.parts) for path in group)
    for depth in range(1, deepest + 1):
        for tails in (
            [PurePath(*path.parts[-depth:]).with_suffix("").as_posix() for path in group],
            [PurePath(*path.parts[-depth:]).as_posix() for path in group],
        ):
            if len({id_part(tail) for tail in tails}) == len(group):
                return tails
    return [path.as_posix() for path in group]
