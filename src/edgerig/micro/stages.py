"""Whether a chain of layers goes in bands of rows, and in which: where that lowers the arena by much.

Bands cost calls, a layer function each, and nothing is computed twice. What they save is estimated for all chains
around the fullest layer and all heights of bands; the best few are planned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from edgerig.errors import CompileError
from edgerig.micro.ir import Node, Program
from edgerig.micro.kernels.base import Kernel
from edgerig.micro.memory.aliases import views
from edgerig.micro.options import Options
from edgerig.micro.passes.bands import Stage, chains, in_bands, stage_of
from edgerig.micro.planning import Planned, Planner, access_of, fastest, most_thrifty
from edgerig.micro.select import Refusals, choose, choose_layouts

#: Share of the arena that bands must save where nobody asks for less RAM.
_WORTH = 1 / 8
#: Of estimates that differ by less, the one with fewer calls is taken.
_ALIKE = 1 / 8
#: Layers of a stage; stages that are planned by default; and of the smallest where RAM is limited.
_LONGEST, _TRIED, _SMALLEST = 8, 4, 2
#: Rows of bands that are tried.
_HEIGHTS = (1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 96, 128)
#: Layer functions of a stage, for their flash: by default, and where RAM is limited.
_MOST_CALLS = (128, 160)


@dataclass(frozen=True)
class Compilation:
    """What does not change from one plan to the next.

    Attributes:
        program: The network after passes and fusing.
        kernels: To choose from.
        options: Of the compilation.
        refusals: Of fusing.
        plain: Bytes of all tensors together.
    """

    program: Program
    kernels: Sequence[Kernel]
    options: Options
    refusals: Refusals
    plain: int

    def planner(self, stage: Stage | None = None) -> Planner:
        """Of the network with some layers in bands."""
        program = in_bands(self.program, stage) if stage else self.program
        shared = views(program)
        choices = choose(program, self.kernels, self.options, shared, self.refusals)
        return Planner(program, choices, self.options, shared, stage, choose_layouts(program, choices, shared))


def best_plan(compilation: Compilation) -> Planned:
    """The fastest plan within ``ram`` of the options; without, the smallest arena at little cost.

    Raises:
        CompileError: No plan takes so little RAM, or no kernel takes some operator.
    """
    ram, planner = compilation.options.ram, compilation.planner()
    if ram is not None:
        whole = most_thrifty(planner)
        return fastest(planner, compilation.plain, ram) if whole.arena <= ram else _within(compilation, whole, ram)
    whole = fastest(planner, compilation.plain)
    if compilation.options.optimize == "size":
        # Bands take flash.
        return whole
    limit = whole.arena * (1 - _WORTH)
    for stage in _worthwhile(_estimates(compilation.program, whole, _MOST_CALLS[0]), limit):
        planned = fastest(compilation.planner(stage), compilation.plain)
        if planned.arena <= limit:
            return planned
    return whole


def _within(compilation: Compilation, whole: Planned, ram: int) -> Planned:
    """The plan in bands with the fewest calls that fits into ``ram`` bytes.

    Raises:
        CompileError: There is none.
    """
    estimates = _estimates(compilation.program, whole, _MOST_CALLS[1])
    front = _front(estimates)
    fitting: Planner | None = None
    smallest = whole

    def fits(stage: Stage) -> bool:
        nonlocal fitting, smallest
        banded = compilation.planner(stage)
        planned = most_thrifty(banded)
        smallest = min(smallest, planned, key=lambda plan: plan.arena)
        if planned.arena <= ram:
            fitting = banded
        return planned.arena <= ram

    # Plans come out larger than they are estimated, but in about the same order.
    low, high = 0, max(1, sum(entry.arena <= ram for entry in front))
    while front and low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if fits(front[middle].stage) else (low, middle)
    for entry in estimates[:_SMALLEST]:
        if fitting is None and entry not in front:
            fits(entry.stage)
    if fitting is None:
        raise CompileError(
            f"{compilation.program.name} needs {smallest.arena:,} bytes of RAM at least, and ram is {ram:,}.",
            f"Say ram={smallest.arena} or more, or leave ram out.",
        )
    return fastest(fitting, compilation.plain, ram)


def _front(estimates: Sequence[_Estimate]) -> list[_Estimate]:
    """Those than which none is as small with as few calls: ever larger arenas with ever fewer calls."""
    front: list[_Estimate] = []
    for entry in estimates:
        if not front or entry.calls < front[-1].calls:
            front.append(entry)
    return front


class _Estimate(NamedTuple):
    """Bytes of the arena and layer functions of a stage; its place among all stages."""

    arena: int
    calls: int
    order: int
    stage: Stage


def _estimates(program: Program, whole: Planned, calls: int) -> list[_Estimate]:
    """Stages of at most ``calls``, those of the smallest arena first."""
    scratch = {layer.node: layer.context.scratch_bytes for layer in whole.layers}
    counted = whole.memory.plan.levels(len(whole.layers))
    levels = {layer.node: level for layer, level in zip(whole.layers, counted, strict=True)}
    estimates: list[_Estimate] = []
    for chain in chains(program):
        if not any(levels[node] > max(levels.values()) * (1 - _WORTH) for node in chain if node in levels):
            continue
        for first in range(len(chain) - 1):
            for end in range(first + 2, min(first + _LONGEST, len(chain)) + 1):
                nodes = chain[first:end]
                others = max((level for node, level in levels.items() if node not in nodes), default=0)
                for stage in _of_all_heights(nodes, calls):
                    arena = max(others, _estimate(stage, scratch))
                    estimates.append(_Estimate(arena, stage.calls, len(estimates), stage))
    return sorted(estimates, key=lambda entry: entry[:3])


def _worthwhile(estimates: Sequence[_Estimate], limit: float) -> list[Stage]:
    """What is about as small as the smallest with the fewest calls, then the smallest of all; none beyond the limit."""
    if not estimates or estimates[0].arena > limit:
        return []
    enough = min(limit, estimates[0].arena * (1 + _ALIKE))
    fewest = sorted(
        (entry for entry in estimates if entry.arena <= enough), key=lambda entry: (entry.calls, entry.arena)
    )
    chosen = [*fewest[: _TRIED // 2], *estimates[: _TRIED // 2]]
    return list({entry.order: entry.stage for entry in chosen}.values())


def _of_all_heights(nodes: Sequence[Node], calls: int) -> list[Stage]:
    total = nodes[-1].output.shape[1]
    stages = (stage_of(nodes, height) for height in _HEIGHTS if height < total)
    return [stage for stage in stages if stage.bands > 1 and stage.calls <= calls]


def _estimate(stage: Stage, scratch: dict[Node, int]) -> int:
    """Bytes while the stage runs, if nothing else is needed then."""
    access = access_of(stage)
    assert access is not None
    lead = min(access.lead, stage.output.nbytes)
    both = max(stage.output.nbytes, stage.source.nbytes, stage.source.nbytes + lead)
    return both + sum(stage.windows) + max(scratch.get(node, 0) for node in stage.nodes)
