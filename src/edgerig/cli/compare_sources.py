"""What the two arguments of ``edgerig compare`` are: network files, rig files, bundles or cells of bundles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from edgerig.errors import IncompatibleError, UnknownNameError, UsageError
from edgerig.results.bundle import Bundle
from edgerig.results.compare.artifacts import kept_file
from edgerig.results.types import CellResult
from edgerig.rig.plan import Plan

RIGS = (".yaml", ".yml")


class Source(msgspec.Struct, frozen=True):
    """One argument: as the user wrote it, and either a file or a bundle, perhaps one cell of it."""

    name: str
    file: Path | None = None
    bundle: Path | None = None
    cell: str | None = None

    @property
    def is_rig(self) -> bool:
        """Whether it is a rig file."""
        return self.file is not None and self.file.suffix in RIGS


def read_source(text: str) -> Source:
    """What ``text`` names.

    Raises:
        UsageError: There is nothing of that name, or no bundle in the folder.
    """
    path = Path(text)
    if path.is_file():
        return Source(text, file=path)
    folder, separator, cell = text.partition("#")
    if not separator and path.parent.name == "cells" and Bundle(path.parent.parent).exists:
        folder, cell = str(path.parent.parent), path.name
    if Path(folder).is_dir():
        if not Bundle(folder).exists:
            raise UsageError(f"{folder} is no bundle.", "Give the folder that `edgerig run --out` wrote.")
        return Source(text, bundle=Path(folder), cell=cell or None)
    raise UsageError(
        f"There is no {text}.", "Give a network file, a rig file, a bundle's folder, or a cell of one: runs/demo#CELL."
    )


def plan_source(source: Source, given: dict[str, Any]) -> Plan:
    """The plan that measures ``source`` anew.

    Args:
        given: The options of ``edgerig compare``.

    Raises:
        IncompatibleError: A bundle has several cells, and none was chosen.
    """
    from edgerig.cli.bench_command import command as bench
    from edgerig.cli.bench_rig import bench_rig
    from edgerig.engine.api import plan

    if source.is_rig:
        assert source.file is not None
        samples = [f"measure.samples={given['samples']}"] if given["samples"] else []
        return plan(source.file, only=given["only"], settings=samples)
    file, runtime, target = source.file, given["runtime"], given["target"]
    if file is None:
        assert source.bundle is not None
        cell = _cell(source)
        file, runtime, target = kept_file(source.bundle, cell), runtime or cell.runtime, cell.target
    options = bench.make_context("bench", [str(file)]).params
    options |= {name: value for name, value in given.items() if name in options}
    options |= {"runtimes": (runtime,) if runtime else (), "targets": (target,)}
    return plan(bench_rig([file], options))


def _cell(source: Source) -> CellResult:
    assert source.bundle is not None
    cells = {cell.id: cell for cell in Bundle(source.bundle).result().cells}
    if source.cell is None and len(cells) == 1:
        return next(iter(cells.values()))
    if source.cell is None:
        raise IncompatibleError(
            f"{source.bundle} has {len(cells)} cells: which one?",
            f"Write {source.bundle}#CELL with one of {', '.join(cells)}.",
        )
    if source.cell not in cells:
        raise UnknownNameError(f"cell of {source.bundle}", source.cell, cells)
    return cells[source.cell]
