"""From a rig to a plan: its stages and its cells, checked to be able to work."""

from __future__ import annotations

import fnmatch

import msgspec

from edgerig import files
from edgerig.errors import IncompatibleError, SpecError, UnknownNameError
from edgerig.rig.matrix import Cell as Cell
from edgerig.rig.matrix import Matrix
from edgerig.rig.requirements import require_engines
from edgerig.rig.types import ModelPart, Part, Rig
from edgerig.rig.usual_way import format_of_model, is_as_it_is

#: Largest number of reasons, or names, in one message.
MAX_REASONS = 50


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The steps of a run, in order."""

    rig: Rig
    cells: tuple[Cell, ...]

    @property
    def models(self) -> tuple[ModelPart, ...]:
        """The models that the cells need, in the rig's order."""
        needed = {cell.model for cell in self.cells}
        return tuple(part for part in self.rig.models if part.label in needed)

    @property
    def chains(self) -> tuple[tuple[str, tuple[Part, ...]], ...]:
        """Every compiler chain that the cells need, with its model's label; its prefixes come before it."""
        chains: dict[str, tuple[str, tuple[Part, ...]]] = {}
        for cell in self.cells:
            for end in range(1, len(cell.compilers) + 1):
                chain = cell.compilers[:end]
                chains.setdefault(chain_key(cell.model, chain), (cell.model, chain))
        return tuple(chains.values())


def part_key(part: Part) -> str:
    """Equal for parts with the same effect, whatever their names are."""
    return f"{part.use}:{files.canonical_json(part.options).decode()}" if part.options else part.use


def chain_key(model: str, chain: tuple[Part, ...]) -> str:
    """Equal for chains with the same result for the model labelled ``model``."""
    return "\n".join([model, *map(part_key, chain)])


def make_plan(rig: Rig, only: tuple[str, ...] = ()) -> Plan:
    """Expand the matrix, refuse what cannot work, and report what is not installed.

    Args:
        rig: The rig.
        only: Patterns of cell ids in the shell's syntax; empty means all.

    Raises:
        IncompatibleError: Combinations that cannot work, each with its reason.
        MissingExtraError, SpecError: Engines that are not installed, all in one error.
        UnknownNameError: ``only`` matches no cell.
    """
    matrix = Matrix(rig)
    for block in rig.matrix:
        matrix.expand(block)
    if matrix.refused:
        hint = None if matrix.refused.keys() <= matrix.advised else _remedy(rig)
        raise IncompatibleError("These combinations cannot work:\n" + _listed(list(matrix.refused)), hint)
    chosen = _choose(matrix.cells, only)
    require_engines(rig, chosen)
    return Plan(rig=rig, cells=chosen)


def _listed(reasons: list[str]) -> str:
    more = [f"  - and {len(reasons) - MAX_REASONS:,} more"] if len(reasons) > MAX_REASONS else []
    return "\n".join([*(f"  - {reason}" for reason in reasons[:MAX_REASONS]), *more])


def _remedy(rig: Rig) -> str:
    formats = [format_of_model(part) for part in rig.models]
    indirect = [format for format in formats if format.compiler]
    if indirect and any(is_as_it_is(part) for block in rig.matrix for part in block.compilers):
        (title, _, _), compiler = indirect[0].summary.partition(":"), indirect[0].compiler
        return (
            f"No runtime of the block runs a {title} model as it is: name compilers in the block, such as compilers: "
            f"[{compiler}, int8]."
        )
    if len(rig.matrix) == 1:
        return "Choose runtimes that run such files, or compilers that make other ones."
    return "Take them out of the matrix; a matrix can have several blocks."


def _choose(cells: dict[str, Cell], only: tuple[str, ...]) -> tuple[Cell, ...]:
    if not cells:
        raise SpecError("The matrix has no cell to measure.", "Name at least one runtime in a block of 'matrix'.")
    for pattern in only:
        if not fnmatch.filter(cells, pattern):
            raise UnknownNameError("cell", pattern, list(cells)[:MAX_REASONS])
    return tuple(c for c in cells.values() if not only or any(fnmatch.fnmatch(c.id, p) for p in only))
