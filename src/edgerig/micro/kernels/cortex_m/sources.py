"""The C and assembly files of this CPU's kernels, by name: some serve kernels of several folders."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_SUFFIXES = frozenset({".c", ".h", ".S", ".inc"})


@cache
def _by_name() -> dict[str, Path]:
    return {path.name: path for path in sorted(Path(__file__).parent.rglob("*")) if path.suffix in _SUFFIXES}


def sources(*names: str) -> tuple[Path, ...]:
    """The files called ``names``, in that order. Names are unique, since a firmware has them all in one folder."""
    return tuple(_by_name()[name] for name in names)
