"""From a rig to a plan: which stages, which cells, and whether every combination can work at all."""

from __future__ import annotations

import fnmatch
from pathlib import Path

import msgspec

from edgerig.artifact import format_of
from edgerig.compilers.base import ModelCompiler
from edgerig.datasets.base import Dataset
from edgerig.errors import EdgerigError, IncompatibleError, MissingExtraError, SpecError, UnknownNameError
from edgerig.install import install_command
from edgerig.models.base import ModelWrapper
from edgerig.plugins import Plugin, find
from edgerig.runtimes.base import Runtime
from edgerig.spec.parse import AS_IT_IS
from edgerig.spec.types import Part, Rig
from edgerig.targets.resolve import default_runtime, plugin_of


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One combination to measure.

    ``compilers`` is the whole chain, first to last; empty for the file as it is. ``samples`` are fewer than the rig's.
    """

    id: str
    variant: str
    compilers: tuple[Part, ...]
    runtime: Part
    target: Part
    samples: int | None = None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a run will do, in order."""

    rig: Rig
    cells: tuple[Cell, ...]

    @property
    def chains(self) -> tuple[tuple[Part, ...], ...]:
        """Every compiler chain that some cell needs, its own beginnings before it."""
        found: list[tuple[Part, ...]] = []
        for cell in self.cells:
            for end in range(1, len(cell.compilers) + 1):
                if cell.compilers[:end] not in found:
                    found.append(cell.compilers[:end])
        return tuple(found)


def make_plan(rig: Rig, only: tuple[str, ...] = ()) -> Plan:
    """Expand the matrix, refuse what cannot work, and find what is not installed.

    Args:
        rig: The rig.
        only: Patterns of cell ids as of the shell; none means all.

    Raises:
        IncompatibleError: Combinations that cannot work, each with its reason.
        MissingExtraError, SpecError: Engines that are not installed, all at once.
        UnknownNameError: ``only`` matches no cell.
    """
    refused: list[str] = []
    cells: dict[str, Cell] = {}
    for block in rig.matrix:
        for compiler in block.compilers:
            try:
                chain, format_, scheme = _chain(rig, compiler)
            except EdgerigError as error:
                refused.append(str(error.message))
                continue
            for runtime in block.runtimes:
                reason = find("runtime", runtime.use, Runtime).refuses(format_, scheme)
                if reason:
                    refused.append(f"{compiler.label} on {runtime.label}: {reason}")
                    continue
                for target in block.targets:
                    only_one = default_runtime(target.use)
                    if only_one not in (None, runtime.use):
                        refused.append(f"runtime {runtime.label} on {target.use}: that runs {only_one!r} alone")
                        continue
                    cell = _cell(compiler, chain, runtime, target, block.samples)
                    if cell.id in cells and cells[cell.id] != cell:
                        refused.append(f"two different cells are called {cell.id!r}; give one of their parts a 'name'")
                    cells[cell.id] = cell
    if refused:
        raise IncompatibleError(
            "These combinations cannot work:\n" + "\n".join(f"  - {reason}" for reason in dict.fromkeys(refused)),
            _remedy(rig),
        )
    chosen = _choose(cells, only)
    _require_engines(rig, chosen)
    return Plan(rig=rig, cells=chosen)


def _remedy(rig: Rig) -> str:
    if model_format(rig) == "keras" and any(part.use == AS_IT_IS for block in rig.matrix for part in block.compilers):
        return (
            "No runtime runs a Keras model as it is: name compilers in the block, such as compilers: [float32, int8]."
        )
    if len(rig.matrix) == 1:
        return "Choose runtimes that run such files, or compilers that make other ones."
    return "Take them out of the matrix; a matrix can have several blocks."


def model_format(rig: Rig) -> str:
    """The format that the model stage yields."""
    return "keras" if rig.model.use else format_of(Path(rig.model.file or ""))


def _chain(rig: Rig, compiler: Part) -> tuple[tuple[Part, ...], str, str]:
    """The chain that ends in ``compiler``, and the format and scheme it yields."""
    start, scheme = model_format(rig), "float32"
    if rig.model.file:
        scheme = _scheme_of_file(Path(rig.model.file))
    if compiler.use == AS_IT_IS:
        return (), start, scheme
    names = [compiler.use]
    while (before := find("compiler", names[0], ModelCompiler).after) is not None:
        if find("compiler", before, ModelCompiler).makes == start:
            break
        names.insert(0, before)
    parts, format_ = [], start
    for name in names:
        plugin = find("compiler", name, ModelCompiler)
        part = compiler if name == compiler.use else Part(name)
        reason = plugin(plugin.Settings()).refuses(format_, scheme)
        if reason:
            raise IncompatibleError(f"{compiler.label}: {reason}")
        parts.append(part)
        format_, scheme = plugin.makes, plugin.scheme or scheme
    return tuple(parts), format_, scheme


def _scheme_of_file(path: Path) -> str:
    from edgerig.models.files import open_artifact

    return open_artifact(path).scheme


def _cell(compiler: Part, chain: tuple[Part, ...], runtime: Part, target: Part, samples: int | None) -> Cell:
    variant = compiler.name or ("original" if compiler.use == AS_IT_IS else compiler.label)
    place = target.name or target.use.replace("://", "-").replace("/", "-").replace(":", "-")
    return Cell(
        id=f"{variant}-{runtime.label}-{place}", variant=variant, compilers=chain, runtime=runtime, target=target,
        samples=samples,
    )  # fmt: skip


def _choose(cells: dict[str, Cell], only: tuple[str, ...]) -> tuple[Cell, ...]:
    if not cells:
        raise SpecError("The matrix has no cell to measure.", "Name at least one runtime in a block of 'matrix'.")
    for pattern in only:
        if not fnmatch.filter(cells, pattern):
            raise UnknownNameError("cell", pattern, cells)
    return tuple(c for c in cells.values() if not only or any(fnmatch.fnmatch(c.id, p) for p in only))


def _require_engines(rig: Rig, cells: tuple[Cell, ...]) -> None:
    plugins: list[type[Plugin]] = [find("dataset", rig.dataset.use, Dataset)]
    if rig.model.use:
        plugins.append(find("model", rig.model.use, ModelWrapper))
    for cell in cells:
        plugins += [find("compiler", part.use, ModelCompiler) for part in cell.compilers]
        plugins.append(plugin_of(cell.target.use))
        if plugins[-1].name == "local":
            plugins.append(find("runtime", cell.runtime.use, Runtime))
    missing = {plugin: error for plugin in plugins if (error := plugin.missing()) is not None}
    if len(missing) == 1:
        raise next(iter(missing.values()))
    if missing:
        extras = sorted({error.extra for error in missing.values() if isinstance(error, MissingExtraError)})
        others = [error.hint for error in missing.values() if not isinstance(error, MissingExtraError) and error.hint]
        raise SpecError(
            "The rig needs what is not installed:\n" + "\n".join(f"  - {error.message}" for error in missing.values()),
            "; ".join([*([install_command(*extras)] if extras else []), *dict.fromkeys(others)]),
        )
