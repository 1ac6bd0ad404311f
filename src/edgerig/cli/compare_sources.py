"""What the two arguments of ``edgerig compare`` are: network files, rig files, bundles or cells of bundles."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import msgspec

from edgerig.errors import IncompatibleError, UnknownNameError, UsageError
from edgerig.files import hint_for_missing
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
        f"There is no {text}.",
        hint_for_missing(
            Path(text), "Give a network file, a rig file, a bundle's folder, or a cell of one: runs/demo#CELL."
        ),
    )


def plan_source(source: Source, given: dict[str, Any], named: Collection[str]) -> Plan:
    """The plan that measures ``source`` anew; a bundle's cell as it was measured there, but for the options ``named``.

    Args:
        given: The options of ``edgerig compare``. named: those that the command line has.

    Raises:
        IncompatibleError: A bundle has several cells, and none was chosen; or the cell is of a load or of batches.
    """
    from edgerig.cli.bench_command import command as bench
    from edgerig.cli.bench_rig import bench_rig
    from edgerig.engine.api import plan

    if source.is_rig:
        assert source.file is not None
        samples = [f"measure.samples={given['samples']}"] if given["samples"] else []
        return plan(source.file, only=given["only"], settings=samples)
    file = source.file
    if file is None:
        assert source.bundle is not None
        cell = _cell(source)
        file, given = kept_file(source.bundle, cell), given | _as_measured(source.bundle, cell, given, named)
    options = bench.make_context("bench", [str(file)]).params
    options |= {name: value for name, value in given.items() if name in options}
    options |= {"runtimes": (given["runtime"],) if given["runtime"] else (), "targets": (given["target"],)}
    return plan(bench_rig([file], options))


def _as_measured(bundle: Path, cell: CellResult, given: dict[str, Any], named: Collection[str]) -> dict[str, Any]:
    """The options by which a cell's engine and device were set, where the command line has no others."""
    if cell.batch > 1 or cell.under_load is not msgspec.UNSET:
        raise IncompatibleError(
            f"{cell.id} of {bundle} was measured in batches or under load, and pairs are measured sample by sample.",
            "Leave out --live: two bundles are compared by what they hold.",
        )
    result: dict[str, Any] = {}
    if "runtime" not in named or given["runtime"] == cell.runtime:
        own = given["runtime_option"]
        others = {entry.partition("=")[0].strip() for entry in own} | ({"threads"} & set(named))
        kept = (f"{key}={json.dumps(value)}" for key, value in cell.options.items() if key not in others)
        result |= {"runtime": cell.runtime, "runtime_option": (*own, *kept)}
    if "target" not in named:
        blocks = Bundle(bundle).header().rig.get("matrix", [])
        targets = [part for block in blocks for part in block["targets"] if part["use"] == cell.target]
        settings = targets[0]["options"] if targets and "target_option" not in named else {}
        more = tuple(f"{key}={json.dumps(value)}" for key, value in settings.items())
        result |= {"target": cell.target, "target_option": (*given["target_option"], *more)}
    return result


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
