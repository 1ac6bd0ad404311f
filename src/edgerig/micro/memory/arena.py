"""The arena: which values share memory, how long each buffer is needed, and its offset.

A buffer is needed from the layer that makes its first value to the last that reads one; inputs from the start,
outputs to the end, state variables always. Scratch memory is needed in its layer only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from edgerig.errors import CompileError
from edgerig.micro.ir import AssignVariable, Node, Program, ReadVariable, Reshape, ShiftState, Value
from edgerig.micro.kernels.access import Access
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
    accesses: Sequence[Access] = ()


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


class AliasSets:
    """Sets of values that lie at the same address."""

    def __init__(self) -> None:
        self._parent: dict[Value, Value] = {}
        self._members: dict[Value, list[Value]] = {}

    def find(self, value: Value) -> Value:
        """The representative of its set; of a part of another value that of the whole."""
        value = root = value.base or value
        while root in self._parent:
            root = self._parent[root]
        # The next search is short.
        while value is not root:
            self._parent[value], value = root, self._parent[value]
        return root

    def members(self, value: Value) -> list[Value]:
        """All values of its set."""
        root = self.find(value)
        return self._members.get(root, [root])

    def copy(self) -> AliasSets:
        """Another object with the same sets."""
        copied = AliasSets()
        copied._parent = dict(self._parent)
        copied._members = {root: list(members) for root, members in self._members.items()}
        return copied

    def join(self, first: Value, second: Value) -> None:
        """One set of both."""
        root, absorbed = self.find(first), self.find(second)
        if root is not absorbed:
            # A variable represents its set, whoever joins it.
            if absorbed.variable:
                root, absorbed = absorbed, root
            self._parent[absorbed] = root
            mine, others = self._members.pop(root, [root]), self._members.pop(absorbed, [absorbed])
            if len(mine) < len(others):
                mine, others = others, mine
            mine += others
            self._members[root] = mine


class _Uses:
    """Where the values of a program are made, read and set, by the nodes' numbers."""

    def __init__(self, program: Program) -> None:
        self.ends = {*program.inputs, *program.outputs}
        self.makers: dict[Value, list[int]] = {}
        self.readers: dict[Value, list[int]] = {}
        self.sets: dict[Value, list[int]] = {}
        for number, node in enumerate(program.nodes):
            for value in node.outputs:
                self.makers.setdefault(value, []).append(number)
            for value in node.inputs:
                setting = isinstance(node, AssignVariable) and value is node.inputs[0]
                (self.sets if setting else self.readers).setdefault(value, []).append(number)


def views(program: Program) -> AliasSets:
    """Values that share memory because nodes need no code: reshapes, variables read before they are set again.

    Nodes that need none are exactly those whose output and input are in one set.
    """
    shared = AliasSets()
    uses = _Uses(program)
    for node in program.nodes:
        if isinstance(node, Reshape) and not node.input.constant:
            shared.join(node.input, node.output)
        if isinstance(node, ShiftState):
            shared.join(node.input, node.output)
    for node in program.nodes:
        if isinstance(node, ReadVariable) and _is_stable(shared, node, uses):
            shared.join(node.input, node.output)
    for node in program.nodes:
        if isinstance(node, AssignVariable) and _may_write_there(shared, node, uses):
            shared.join(node.inputs[0], node.inputs[1])
    return shared


def needs_code(node: Node, shared: AliasSets) -> bool:
    """False if the node's work is done by sharing memory."""
    if isinstance(node, AssignVariable):
        return shared.find(node.inputs[0]) is not shared.find(node.inputs[1])
    if isinstance(node, Reshape | ReadVariable):
        return shared.find(node.input) is not shared.find(node.output)
    return True


def _is_stable(shared: AliasSets, node: Node, uses: _Uses) -> bool:
    """Nobody sets the variable while what was read is still needed."""
    members = shared.members(node.output)
    if any(value in uses.ends for value in members):
        return False
    last = max(
        (number for value in members for number in (*uses.readers.get(value, ()), *uses.sets.get(value, ()))), default=0
    )
    return all(number > last for number in uses.sets.get(node.input, ()))


def _may_write_there(shared: AliasSets, node: Node, uses: _Uses) -> bool:
    """What is assigned may be made in the variable's own memory: nobody reads the old content once it is made."""
    variable, value = node.inputs
    root = shared.find(value)
    source, target = shared.members(value), shared.members(variable)
    if value.constant or root.variable or any(alias in uses.ends for alias in (*source, *target)):
        return False
    makers = [number for alias in source for number in uses.makers.get(alias, ())]
    readers = [number for alias in target for number in uses.readers.get(alias, ())]
    readers += [number for alias in target if alias is not variable for number in uses.sets.get(alias, ())]
    return len(uses.sets.get(variable, ())) == 1 and bool(makers) and all(number < min(makers) for number in readers)


def plan_memory(
    program: Program,
    steps: Sequence[Step],
    shared: AliasSets,
    sizes: dict[Value, int],
    thorough: bool = True,
    stage: Access | None = None,
) -> Memory:
    """Offsets of all values and of the layers' scratch memory.

    Args:
        program: The network.
        steps: Its layers in order.
        shared: From `views`; sets are joined.
        sizes: Bytes of each value in its layout.
        thorough: Search for a small arena with all effort.
        stage: What layers in bands read and write, one step a band.

    Raises:
        CompileError: The arena would be larger than any microcontroller's.
    """
    lives = _lifetimes(program, steps, shared)
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
    overs = {**_overs(steps, shared, lives), **_overs_of_stage(stage, steps, shared, lives)}
    roots = list(lives)
    held: dict[Value, int] = {}
    for value in _values(program, steps):
        if not value.constant:
            root = shared.find(value)
            held[root] = max(held.get(root, 0), value.base.nbytes if value.base else sizes[value])
    at_index = {root: index for index, root in enumerate(roots)}
    buffers = []
    for root in roots:
        alias = shared.find(aliases[root]) if root in aliases else None
        # Joined since with something that lives longer, it is no alias any more.
        fits = alias is not None and lives[alias][1] == lives[root][0]
        buffer = Buffer(root.name, held[root], *lives[root], alias=at_index[alias] if fits and alias else None)
        if root in overs and buffer.alias is None:
            source, lead, backward = overs[root]
            buffer = replace(buffer, over=at_index[source], lead=lead, backward=backward)
        buffers.append(buffer)
    buffers += [Buffer(f"scratch of layer {i}", step.scratch, i, i) for i, step in enumerate(steps) if step.scratch]
    plan = place(buffers, thorough)
    if plan.nbytes > LARGEST:
        raise CompileError(
            f"{program.name} needs {plan.nbytes} bytes of memory for its activations.", "Make the network smaller."
        )
    at = {root: buffer.offset for root, buffer in zip(roots, plan.buffers, strict=False)}
    rest = iter(plan.buffers[len(roots) :])
    scratch = [next(rest).offset if step.scratch else 0 for step in steps]
    offsets = {value: at[shared.find(value)] + value.offset for value in _values(program, steps) if not value.constant}
    return Memory(offsets, scratch, plan)


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
    stage: Access | None, steps: Sequence[Step], shared: AliasSets, lives: dict[Value, tuple[int, int]]
) -> dict[Value, tuple[Value, int, bool]]:
    """The output of layers in bands may lie over their input, if that is not needed before them nor this after them."""
    if stage is None:
        return {}
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
