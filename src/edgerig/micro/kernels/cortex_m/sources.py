"""The C and assembly files of the kernels for Arm, by name: some serve kernels of several folders."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from edgerig.micro.kernels.base import Lowered

_SUFFIXES = frozenset({".c", ".h", ".S", ".inc"})


@cache
def _by_name() -> dict[str, Path]:
    return {path.name: path for path in sorted(Path(__file__).parent.parent.rglob("*")) if path.suffix in _SUFFIXES}


def sources(*names: str) -> tuple[Path, ...]:
    """The files called ``names``, in that order. Names are unique, since a firmware has them all in one folder."""
    return tuple(_by_name()[name] for name in names)


def calling(body: str, header: str, *names: str, generated: Mapping[str, str] | None = None) -> Lowered:
    """A body that calls what ``header`` declares and the files ``names`` define; what they include comes with them."""
    return Lowered(body, sources(*names, header), (header,), dict(generated or {}))
