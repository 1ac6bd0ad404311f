"""From a rig to a plan: which stages, which cells, and whether every combination can work at all."""

from __future__ import annotations

import fnmatch
import itertools
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
from edgerig.spec.naming import id_part
from edgerig.spec.parse import AS_IT_IS
from edgerig.spec.types import ModelPart, Part, Rig
from edgerig.targets.resolve import default_runtime, plugin_of


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One combination to measure.

    ``model`` is the label of one of the rig's models. ``compilers`` is the whole chain, first to last; empty for the
    file as it is. ``samples`` are fewer than the rig's.
    """

    id: str
    model: str
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
    def models(self) -> tuple[ModelPart, ...]:
        """The models that some cell needs, in the rig's order."""
        needed = {cell.model for cell in self.cells}
        return tuple(part for part in self.rig.models if part.label in needed)

    @property
    def chains(self) -> tuple[tuple[str, tuple[Part, ...]], ...]:
        """Every compiler chain that some cell needs, with its model's label, its own beginnings before it."""
        found: list[tuple[str, tuple[Part, ...]]] = []
        for cell in self.cells:
            for end in range(1, len(cell.compilers) + 1):
                if (cell.model, cell.compilers[:end]) not in found:
                    found.append((cell.model, cell.compilers[:end]))
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
    several = len(rig.models) > 1
    starts = {part.label: _start(part) for part in rig.models}
    for block in rig.matrix:
        for model, compiler in itertools.product(block.models or tuple(starts), block.compilers):
            try:
                chain, format_, scheme = _chain(*starts[model], compiler)
            except EdgerigError as error:
                refused.append(f"{model}: {error.message}" if several else str(error.message))
                continue
            variant = _variant(model, compiler, several)
            for runtime in block.runtimes:
                reason = find("runtime", runtime.use, Runtime).refuses(format_, scheme)
                if reason:
                    refused.append(f"{variant} on {runtime.label}: {reason}")
                    continue
                for target in block.targets:
                    only_one = default_runtime(target.use)
                    if only_one not in (None, runtime.use):
                        refused.append(f"runtime {runtime.label} on {target.use}: that runs {only_one!r} alone")
                        continue
                    cell = _cell(model, variant, chain, runtime, target, block.samples)
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
    if any(model_format(part) == "keras" for part in rig.models) and any(
        part.use == AS_IT_IS for block in rig.matrix for part in block.compilers
    ):
        return (
            "No runtime runs a Keras model as it is: name compilers in the block, such as compilers: [float32, int8]."
        )
    if len(rig.matrix) == 1:
        return "Choose runtimes that run such files, or compilers that make other ones."
    return "Take them out of the matrix; a matrix can have several blocks."


def model_format(part: ModelPart) -> str:
    """The format that a model's stage yields."""
    return "keras" if part.use else format_of(Path(part.file or ""))


def _start(part: ModelPart) -> tuple[str, str]:
    """The format and the scheme of a model before any compiler."""
    return model_format(part), _scheme_of_file(Path(part.file)) if part.file else "float32"


def _chain(start: str, scheme: str, compiler: Part) -> tuple[tuple[Part, ...], str, str]:
    """The chain that ends in ``compiler``, and the format and scheme it yields."""
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


def _variant(model: str, compiler: Part, several: bool) -> str:
    """What a network is called after ``compiler``; one that is deployed as it is keeps its own name."""
    if compiler.use == AS_IT_IS and not compiler.name:
        return model
    return f"{model}-{compiler.label}" if several else compiler.label


def _cell(
    model: str, variant: str, chain: tuple[Part, ...], runtime: Part, target: Part, samples: int | None
) -> Cell:  # fmt: skip
    place = target.name or target.use.replace("://", "-").replace("/", "-").replace(":", "-")
    return Cell(
        id=f"{id_part(variant)}-{runtime.label}-{place}", model=model, variant=variant, compilers=chain,
        runtime=runtime, target=target, samples=samples,
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
    plugins += [find("model", part.use, ModelWrapper) for part in rig.models if part.use]
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
