"""Whether a chain of layers goes in bands of rows, and in which: where that lowers the arena by much.

Bands cost calls, a layer function each, and nothing is computed twice. What they save is estimated for all chains
around the fullest layer and all heights of bands; the best few are planned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgerig.errors import CompileError
from edgerig.micro.ir import Node, Program
from edgerig.micro.kernels.base import Kernel
from edgerig.micro.memory.arena import views
from edgerig.micro.options import Options
from edgerig.micro.passes.bands import Stage, chains, in_bands, stage_of
from edgerig.micro.planning import Planned, Planner, access_of, fastest, most_thrifty
from edgerig.micro.select import Refusals, choose, choose_layouts

#: Share of the arena that bands must save where nobody asks for less RAM.
_WORTH = 1 / 8
#: Of estimates that differ by less, the one with fewer calls is taken.
_ALIKE = 1 / 8
#: Layers of a stage; and stages that are planned.
_LONGEST, _TRIED = 8, 4
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
    if ram is None:
        whole = fastest(planner, compilation.plain)
    else:
        whole = most_thrifty(planner)
        if whole.arena <= ram:
            return fastest(planner, compilation.plain, ram)
    smallest = whole
    if ram is None and compilation.options.optimize == "size":
        # Bands take flash.
        return whole
    for stage in _stages(compilation.program, whole, ram):
        banded = compilation.planner(stage)
        planned = fastest(banded, compilation.plain) if ram is None else most_thrifty(banded)
        if ram is not None and planned.arena <= ram:
            return fastest(banded, compilation.plain, ram)
        if ram is None and planned.arena <= whole.arena * (1 - _WORTH):
            return planned
        smallest = min(smallest, planned, key=lambda plan: plan.arena)
    if ram is not None:
        raise CompileError(
            f"{compilation.program.name} needs {smallest.arena:,} bytes of RAM at least, and ram is {ram:,}.",
            f"Say ram={smallest.arena} or more, or leave ram out.",
        )
    return whole


def _stages(program: Program, whole: Planned, ram: int | None) -> list[Stage]:
    """Stages whose arenas are estimated to be small enough, the best first."""
    scratch = {layer.node: layer.context.scratch_bytes for layer in whole.layers}
    counted = whole.memory.plan.levels(len(whole.layers))
    levels = {layer.node: level for layer, level in zip(whole.layers, counted, strict=True)}
    estimates: list[tuple[int, int, int, Stage]] = []
    for chain in chains(program):
        if not any(levels[node] > max(levels.values()) * (1 - _WORTH) for node in chain if node in levels):
            continue
        for first in range(len(chain) - 1):
            for end in range(first + 2, min(first + _LONGEST, len(chain)) + 1):
                nodes = chain[first:end]
                others = max((level for node, level in levels.items() if node not in nodes), default=0)
                for stage in _of_all_heights(nodes, _MOST_CALLS[ram is not None]):
                    estimates.append((max(others, _estimate(stage, scratch)), stage.calls, len(estimates), stage))
    limit = whole.arena * (1 - _WORTH) if ram is None else ram
    estimates.sort(key=lambda entry: entry[:3])
    if not estimates or (ram is None and estimates[0][0] > limit):
        return []
    # What is small enough with the fewest calls, then the smallest of all.
    enough = max(limit, estimates[0][0]) if ram is not None else min(limit, estimates[0][0] * (1 + _ALIKE))
    fewest = sorted((entry for entry in estimates if entry[0] <= enough), key=lambda entry: (entry[1], entry[0]))
    chosen = [*fewest[: _TRIED // 2], *estimates[: _TRIED // 2]]
    return list({entry[2]: entry[3] for entry in chosen}.values())


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
