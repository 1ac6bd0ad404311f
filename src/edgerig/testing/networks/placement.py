"""Where a test lays an input and an output of one layer, and how thrifty the layer is, whatever the planner wants."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edgerig.micro.ir import Node, Program, Value
from edgerig.micro.kernels.base import Context
from edgerig.micro.memory.arena import Lives, Memory, Step
from edgerig.micro.memory.planner import Buffer, Plan, padded
from edgerig.micro.options import Options


def thrifty(thrift: int, backward: bool = False) -> Callable[..., Context]:
    """Contexts of layers of this thrift and order, in place of `edgerig.micro.planning.Context`."""

    def context(
        node: Node, index: int, options: Options, layouts: dict[Value, str], _: int, spared: frozenset[Value], __: bool
    ) -> Context:
        return Context(node, index, options, layouts, thrift, spared, backward)

    return context


def placed(lead: int) -> Callable[..., Memory]:
    """A planner that puts the output exactly ``lead`` bytes, a multiple of 8, before the input."""

    def plan(program: Program, steps: Sequence[Step], lives: Lives, *more: object) -> Memory:
        (step,), (x, *others), (y,) = steps, program.inputs, program.outputs
        sizes = {value: lives.held[lives.shared.find(value)] for value in (x, *others, y)}
        at = {x: max(lead, 0), y: max(-lead, 0)}
        for value in others:
            at[value] = max(at[before] + padded(sizes[before]) for before in at)
        end = max(at[value] + padded(sizes[value]) for value in at)
        buffers = [Buffer(value.name, sizes[value], 0, 1, offset) for value, offset in at.items()]
        nbytes = end + padded(step.scratch)
        return Memory(at, [end], Plan((*buffers, Buffer("scratch", step.scratch, 0, 0, end)), nbytes, 0, "test"))

    return plan
