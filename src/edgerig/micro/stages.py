"""Whether a chain of layers goes in bands of rows, and in which: where that lowers the arena by much.

Bands cost calls, a layer function each, and nothing is computed twice. What they save is estimated for all chains
around the fullest layer and all heights of bands; the best few are planned.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

from edgerig.errors import CompileError
from edgerig.micro.ir import Node, Program
from edgerig.micro.kernels.base import Kernel
from edgerig.micro.memory.aliases import views
from edgerig.micro.memory.planner import Buffer, least_bytes, padded
from edgerig.micro.options import Options
from edgerig.micro.passes.bands import Stage, chains, in_bands, stage_of
from edgerig.micro.planning import Known, Planned, Planner, access_of, fastest, most_thrifty
from edgerig.micro.select import Choice, Refusals, choose, choose_layouts

#: Share of the arena that bands must save where nobody asks for less RAM.
_WORTH = 1 / 8
#: Of the arena; for so much one call more is worth its flash and instructions: of bands of other heights, which cost
#: more the lower they are, and of other layers.
_CALL, _CALL_ELSEWHERE = 1 / 256, 1 / 512
#: Layers of a stage; stages that are planned by default; and of the smallest where RAM is limited.
_LONGEST, _TRIED, _SMALLEST = 8, 3, 2
#: Layers that may go in bands beyond which those alone count that are around so many of the fullest.
_MANY, _FULLEST = 512, 32
#: Stages of a network.
_STAGES = 3
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
        known: What layers need; `choices` of nodes and `programs` in bands likewise, for all plans.
    """

    program: Program
    kernels: Sequence[Kernel]
    options: Options
    refusals: Refusals
    plain: int
    known: Known = field(default_factory=dict, init=False)
    choices: dict[Node, Choice] = field(default_factory=dict, init=False)
    programs: dict[tuple[Stage, ...], Program] = field(default_factory=dict, init=False)

    def banded(self, stages: Sequence[Stage]) -> Program:
        """The network with some layers in bands."""
        if not stages:
            return self.program
        key = tuple(stages)
        if key not in self.programs:
            self.programs[key] = in_bands(self.banded(stages[:-1]), stages[-1])
        return self.programs[key]

    def planner(self, stages: Sequence[Stage] = ()) -> Planner:
        """Of the network with some layers in bands."""
        program = self.banded(stages)
        shared = views(program)
        choices = choose(program, self.kernels, self.options, shared, self.refusals, self.choices)
        layouts = choose_layouts(program, choices, shared)
        return Planner(program, choices, self.options, shared, self.known, tuple(stages), layouts)


def best_plan(compilation: Compilation) -> Planned:
    """The fastest plan within ``ram`` of the options; without, the smallest arena at little cost.

    Raises:
        CompileError: No plan takes so little RAM, or no kernel takes some operator.
    """
    ram, planner = compilation.options.ram, compilation.planner()
    if ram is not None:
        whole = most_thrifty(planner)
        return fastest(planner, compilation.plain, ram) if whole.arena <= ram else _within(compilation, whole, ram)
    planned = fastest(planner, compilation.plain)
    if compilation.options.optimize == "size":
        # Bands take flash.
        return planned
    for _ in range(_STAGES):
        better = _in_more_bands(compilation, planned)
        if better is None:
            break
        planned = better
    return planned


def _in_more_bands(compilation: Compilation, planned: Planned) -> Planned | None:
    """With one more stage, if that saves much of the arena."""
    limit = planned.arena * (1 - _WORTH)
    best: Planned | None = None
    cost = float("inf")
    for stage in _worthwhile(_estimates(compilation, planned, _MOST_CALLS[0], limit)):
        plan = fastest(compilation.planner((*planned.stages, stage)), compilation.plain)
        weighed = plan.arena * (1 + stage.calls * _CALL_ELSEWHERE)
        if plan.arena <= limit and weighed < cost:
            best, cost = plan, weighed
    return best


def _within(compilation: Compilation, whole: Planned, ram: int) -> Planned:
    """The plan in bands with the fewest calls that fits into ``ram`` bytes.

    Raises:
        CompileError: There is none.
    """
    smallest = whole
    for _ in range(_STAGES):
        base = smallest
        fitting, smallest = _with_one_more(compilation, base, ram)
        if fitting is not None:
            return fastest(fitting, compilation.plain, ram)
        if smallest.arena >= base.arena:
            break
    raise CompileError(
        f"{compilation.program.name} needs {smallest.arena:,} bytes of RAM at least, and ram is {ram:,}.",
        f"Say ram={smallest.arena} or more, or leave ram out.",
    )


def _with_one_more(compilation: Compilation, base: Planned, ram: int) -> tuple[Planner | None, Planned]:
    """The planner of ``base`` with the stage more of the fewest calls that fits into ``ram`` bytes; the smallest plan
    tried."""
    estimates = _estimates(compilation, base, _MOST_CALLS[1], ram)
    if len(estimates) < _SMALLEST:
        estimates = _estimates(compilation, base, _MOST_CALLS[1])
    front = _front(estimates)
    fitting: Planner | None = None
    smallest = base

    def fits(stage: Stage) -> bool:
        nonlocal fitting, smallest
        banded = compilation.planner((*base.stages, stage))
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
    return fitting, smallest


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


def _estimates(compilation: Compilation, planned: Planned, calls: int, limit: float = float("inf")) -> list[_Estimate]:
    """Stages of at most ``calls`` and ``limit`` bytes beside those of ``planned``, the smallest arena first."""
    program, buffers = compilation.banded(planned.stages), planned.memory.plan.buffers
    users = program.users()
    scratch = planned.scratch()
    numbers = {node: number for number, node in enumerate(scratch)}
    levels = dict(zip(numbers, least_bytes(buffers), strict=False))
    fullest = sorted(levels, key=lambda node: -levels[node])[: _LONGEST + 1]
    beside = _Beside(buffers)
    estimates: list[_Estimate] = []
    for nodes in _windows(program, levels):
        others = next((levels[node] for node in fullest if node not in nodes), 0)
        if others > limit:
            continue
        kept = len(users[nodes[0].input]) > 1 or nodes[0].input in program.outputs
        around = beside.nbytes(numbers[nodes[0]], numbers[nodes[-1]])
        for stage in _of_all_heights(nodes, calls):
            arena = max(others, _estimate(stage, scratch, around, kept))
            if arena <= limit:
                estimates.append(_Estimate(arena, stage.calls, len(estimates), stage))
    return sorted(estimates, key=lambda entry: entry[:3])


def _windows(program: Program, levels: Mapping[Node, int]) -> Iterator[list[Node]]:
    """Parts of the chains that have one of the fullest layers; of a great many those alone around the very fullest."""
    full = max(levels.values(), default=0) * (1 - _WORTH)
    worthwhile = [chain for chain in chains(program) if any(levels.get(node, 0) > full for node in chain)]
    around: Collection[Node] = levels
    if sum(map(len, worthwhile)) > _MANY:
        around = set(sorted(levels, key=lambda node: -levels[node])[:_FULLEST])
    for chain in worthwhile:
        for first in range(len(chain) - 1):
            for end in range(first + 2, min(first + _LONGEST, len(chain)) + 1):
                if around is levels or any(node in around for node in chain[first:end]):
                    yield chain[first:end]


class _Beside:
    """Bytes that are needed before some layer and after another one, without a look at every buffer each time."""

    def __init__(self, buffers: Sequence[Buffer]) -> None:
        count = max((buffer.last for buffer in buffers), default=-1) + 1
        self._beginning: list[list[Buffer]] = [[] for _ in range(count)]
        begun, ended = [0] * count, [0] * count
        for buffer in buffers:
            self._beginning[buffer.first].append(buffer)
            begun[buffer.first] += padded(buffer.nbytes)
            ended[buffer.last] += padded(buffer.nbytes)
        self._begun, self._ended = list(accumulate(begun)), list(accumulate(ended))

    def nbytes(self, first: int, last: int) -> int:
        """Of buffers that are needed from layer ``first``, or earlier, until after layer ``last``."""
        within = [buffer for layer in range(first + 1, last + 1) for buffer in self._beginning[layer]]
        between = sum(padded(buffer.nbytes) for buffer in within if buffer.last <= last)
        return self._begun[first] - (self._ended[last] - between)


def _worthwhile(estimates: Sequence[_Estimate]) -> list[Stage]:
    """The best few stages, each of other layers than the others."""
    best: dict[tuple[Node, ...], Stage] = {}
    for entry in sorted(estimates, key=lambda entry: entry.arena * (1 + entry.calls * _CALL)):
        best.setdefault(entry.stage.nodes, entry.stage)
    return list(best.values())[:_TRIED]


def _of_all_heights(nodes: Sequence[Node], calls: int) -> list[Stage]:
    total = nodes[-1].output.shape[1]
    stages = (stage_of(nodes, height) for height in _HEIGHTS if height < total)
    return [stage for stage in stages if stage.bands > 1 and stage.calls <= calls]


def _estimate(stage: Stage, scratch: dict[Node, int], beside: int, kept: bool) -> int:
    """Bytes while the stage runs; ``beside``: of values that are needed after it, too; ``kept``: its input is one."""
    access = access_of(stage)
    lead = min(access.lead, stage.output.nbytes)
    both = max(stage.output.nbytes, stage.source.nbytes, stage.source.nbytes + lead)
    if kept:
        # The input is among the values beside.
        both = stage.output.nbytes
    return beside + both + sum(stage.windows) + max(scratch.get(node, 0) for node in stage.nodes)
