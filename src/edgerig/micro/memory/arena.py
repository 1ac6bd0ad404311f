"""The arena: how long each buffer is needed, and its offset.

A buffer is needed from the layer that makes its first value to the last that reads one; inputs from the start,
outputs to the end, state variables always. Scratch memory is needed in its layer only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edgerig.errors import CompileError
from edgerig.micro.ir import Node, Program, Reshape, Value
from edgerig.micro.kernels.access import Lead
from edgerig.micro.memory.aliases import AliasSets
from edgerig.micro.memory.planner import Buffer, Plan, place

#: An arena of more needs more than 31-bit offsets; no microcontroller has it.
LARGEST = 1 << 30


@dataclass
class Step:
    """A layer as the planner sees it.

    Attributes:
        node: What it reads and makes.
        scratch: Bytes that it needs beside that.
        overlays: An output that may take the address of an input which dies.
        accesses: Of its kernel.
    """

    node: Node
    scratch: int
    overlays: Sequence[tuple[Value, Value]]
    accesses: Sequence[Lead] = ()


@dataclass
class Memory:
    """The planned arena.

    Attributes:
        offsets: Offset of each value in the arena; of constants none.
        scratch: Offset of each layer's scratch memory.
        plan: The buffers; bytes planned, lower bound.
    """

    offsets: dict[Value, int]
    scratch: list[int]
    plan: Plan


@dataclass(frozen=True)
class Lives:
    """What lies at one address, and how long: all of a plan that does not depend on how far layers overlap.

    Attributes:
        shared: Sets of values that lie at one address.
        spans: First and last layer of each set.
        held: Bytes of each.
        aliases: From `_overlaid`.
        values: All, each once.
    """

    shared: AliasSets
    spans: dict[Value, tuple[int, int]]
    held: dict[Value, int]
    aliases: dict[Value, Value]
    values: Sequence[Value]


def lives_of(program: Program, steps: Sequence[Step], shared: AliasSets, sizes: dict[Value, int]) -> Lives:
    """What lies at one address, and how long.

    Args:
        program: The network.
        steps: Its layers in order.
        shared: From `aliases.views`; sets are joined.
        sizes: Bytes of each value in its layout.
    """
    spans = _lifetimes(program, steps, shared)
    aliases = _overlaid(steps, shared, sizes, spans)
    values = [value for value in _values(program, steps) if not value.constant]
    return Lives(shared, spans, _held(values, shared, sizes), aliases, values)


def plan_memory(
    program: Program,
    steps: Sequence[Step],
    lives: Lives,
    thorough: bool = True,
    stages: Sequence[Lead] = (),
    below: int | None = None,
) -> Memory | None:
    """Offsets of all values and of the layers' scratch memory.

    Args:
        program: The network.
        steps: Its layers in order.
        lives: Of these.
        thorough: Search for a small arena with all effort.
        stages: What layers in bands read and write, one step a band.
        below: Bytes; None may be the answer where no smaller arena was found.

    Raises:
        CompileError: The arena would be larger than any microcontroller's.
    """
    shared = lives.shared
    overs = _overs(steps, shared, lives.spans)
    for stage in stages:
        overs |= _overs_of_stage(stage, steps, shared, lives.spans)
    roots = list(lives.spans)
    buffers = _buffers(lives, overs)
    buffers += [Buffer(f"scratch of layer {i}", step.scratch, i, i) for i, step in enumerate(steps) if step.scratch]
    plan = place(buffers, thorough, below)
    if plan is None:
        return None
    if plan.nbytes > LARGEST:
        raise CompileError(
            f"{program.name} needs {plan.nbytes} bytes of memory for its activations.", "Make the network smaller."
        )
    at = {root: buffer.offset for root, buffer in zip(roots, plan.buffers, strict=False)}
    rest = iter(plan.buffers[len(roots) :])
    scratch = [next(rest).offset if step.scratch else 0 for step in steps]
    offsets = {value: at[shared.find(value)] + value.offset for value in lives.values}
    return Memory(offsets, scratch, plan)


def _overlaid(
    steps: Sequence[Step], shared: AliasSets, sizes: dict[Value, int], lives: dict[Value, tuple[int, int]]
) -> dict[Value, Value]:
    """Have outputs begin where an input begins that dies in their layer, if the kernel allows it.

    Those of the input's size are joined with it in ``shared`` and ``lives``.

    Returns:
        The input of each output that has another size.
    """
    aliases: dict[Value, Value] = {}
    for index, step in enumerate(steps):
        done: set[Value] = set()
        for output, source in step.overlays:
            target, origin = shared.find(output), shared.find(source)
            if (
                output in done
                or output.base
                or source.base
                or target is origin
                or target not in lives
                or origin not in lives
                or target.variable
                or origin.variable
            ):
                continue
            if lives[origin][1] != index or lives[target][0] != index:
                continue
            done.add(output)
            if sizes[output] != sizes[source]:
                aliases[target] = origin
            else:
                shared.join(source, output)
                lives[shared.find(source)] = lives.pop(origin)[0], lives.pop(target)[1]
    return aliases


def _held(values: Sequence[Value], shared: AliasSets, sizes: dict[Value, int]) -> dict[Value, int]:
    """Bytes of each set of values that share memory: of the largest in it."""
    held: dict[Value, int] = {}
    for value in values:
        root = shared.find(value)
        held[root] = max(held.get(root, 0), value.base.nbytes if value.base else sizes[value])
    return held


def _buffers(lives: Lives, overs: dict[Value, tuple[Value, int, bool]]) -> list[Buffer]:
    """What is to be placed, in the order of the spans; ``overs`` are from `_overs`."""
    at_index = {root: index for index, root in enumerate(lives.spans)}
    buffers = []
    for root, span in lives.spans.items():
        alias = lives.shared.find(lives.aliases[root]) if root in lives.aliases else None
        # Joined since with something that lives longer, it is no alias any more.
        if alias is not None and lives.spans[alias][1] == span[0]:
            buffers.append(Buffer(root.name, lives.held[root], *span, alias=at_index[alias]))
        elif root in overs:
            source, lead, backward = overs[root]
            over = at_index[source]
            buffers.append(Buffer(root.name, lives.held[root], *span, over=over, lead=lead, backward=backward))
        else:
            buffers.append(Buffer(root.name, lives.held[root], *span))
    return buffers


def _overs(
    steps: Sequence[Step], shared: AliasSets, lives: dict[Value, tuple[int, int]]
) -> dict[Value, tuple[Value, int, bool]]:
    """Outputs that may lie over an input that dies in their layer, this input, their lead, and whether backward."""
    overs: dict[Value, tuple[Value, int, bool]] = {}
    for index, step in enumerate(steps):
        for access in step.accesses:
            target, origin = shared.find(access.output), shared.find(access.source)
            reads = [value for value in step.node.inputs if not value.constant and shared.find(value) is origin]
            if (
                target is not origin
                and not (access.output.base or access.source.base)
                and not (target.variable or origin.variable)
                and len(reads) == 1
                and (lives[target][0], lives[origin][1]) == (index, index)
            ):
                overs[target] = origin, access.lead, access.backward
    return overs


def _overs_of_stage(
    stage: Lead, steps: Sequence[Step], shared: AliasSets, lives: dict[Value, tuple[int, int]]
) -> dict[Value, tuple[Value, int, bool]]:
    """The output of layers in bands may lie over their input, if that is not needed before them nor this after them."""
    target, origin = shared.find(stage.output), shared.find(stage.source)
    reads = [i for i, step in enumerate(steps) if any(value.base is stage.source for value in step.node.inputs)]
    writes = [i for i, step in enumerate(steps) if any(value.base is stage.output for value in step.node.outputs)]
    within = (lives[target][0], lives[origin][1]) == (writes[0], reads[-1])
    if target is origin or target.variable or origin.variable or not within:
        return {}
    return {target: (origin, stage.lead, stage.backward)}


def plain_sum(program: Program) -> int:
    """Bytes of inputs, state and all activations, each in memory of its own; views count once."""
    views = {value for node in program.nodes if isinstance(node, Reshape) for value in node.outputs}
    results = [value for node in program.nodes for value in node.outputs if value not in views]
    return sum(value.nbytes for value in (*program.inputs, *program.variables(), *results))


def _lifetimes(program: Program, steps: Sequence[Step], shared: AliasSets) -> dict[Value, tuple[int, int]]:
    first: dict[Value, int] = {}
    last: dict[Value, int] = {}

    def seen(value: Value, step_index: int) -> None:
        if not value.constant:
            root = shared.find(value)
            first[root] = min(first.get(root, step_index), step_index)
            last[root] = max(last.get(root, step_index), step_index)

    # One beyond the last layer, so that nothing in the last one takes the place of an output.
    end = len(steps)
    for value in program.inputs:
        seen(value, 0)
    for index, step in enumerate(steps):
        for value in (*step.node.inputs, *step.node.outputs):
            seen(value, index)
    for value in program.outputs:
        seen(value, end)
    for root in first:
        if root.variable:
            first[root], last[root] = 0, end
    return {root: (first[root], last[root]) for root in first}


def _values(program: Program, steps: Sequence[Step]) -> Iterable[Value]:
    """All values of the program, views included, each once."""
    values = [*program.inputs, *program.outputs]
    for node in (*program.nodes, *(step.node for step in steps)):
        values += [*node.inputs, *node.outputs]
    return dict.fromkeys(values)
