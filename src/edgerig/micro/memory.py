"""The arena: which values share memory, how long each piece is needed, and where it lies.

A piece is needed from the layer that makes its first value to the last that reads one; inputs from the start,
outputs to the end, state variables always. Scratch memory is needed in its layer only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edgerig.errors import CompileError
from edgerig.micro.ir import AssignVariable, Node, Program, Push, ReadVariable, Reshape, Value
from edgerig.micro.placing import Piece, Plan, place

#: An arena of more needs more than 31-bit offsets; no microcontroller has it.
LARGEST = 1 << 30


@dataclass
class Step:
    """A layer as the planner sees it. ``overlays``: an output that may take the address of an input which dies."""

    node: Node
    scratch: int
    overlays: Sequence[tuple[Value, Value]]


@dataclass
class Memory:
    """The planned arena.

    Attributes:
        offsets: Offset of each value in the arena; of constants none.
        scratch: Offset of each layer's scratch memory.
        plan: The pieces; bytes planned, lower bound.
    """

    offsets: dict[Value, int]
    scratch: list[int]
    plan: Plan


class Sharing:
    """Sets of values that lie at the same address."""

    def __init__(self) -> None:
        self._parent: dict[Value, Value] = {}

    def find(self, value: Value) -> Value:
        """The value that stands for its set."""
        while value in self._parent:
            value = self._parent[value]
        return value

    def join(self, first: Value, second: Value) -> None:
        """One set of both."""
        one, two = self.find(first), self.find(second)
        if one is not two:
            # A variable stands for its set, whoever joins it.
            if two.variable:
                one, two = two, one
            self._parent[two] = one


def views(program: Program) -> Sharing:
    """Values that share memory because nodes need no code: reshapes, variables read before they are set again.

    Nodes that need none are exactly those whose output and input are in one set.
    """
    shared = Sharing()
    order = {node: place for place, node in enumerate(program.nodes)}
    for node in program.nodes:
        if isinstance(node, Reshape) and not node.input.constant:
            shared.join(node.input, node.output)
        if isinstance(node, Push):
            shared.join(node.input, node.output)
    for node in program.nodes:
        if isinstance(node, ReadVariable) and _is_stable(program, shared, node, order):
            shared.join(node.input, node.output)
    for node in program.nodes:
        if isinstance(node, AssignVariable) and _may_write_there(program, shared, node, order):
            shared.join(node.inputs[0], node.inputs[1])
    return shared


def needs_code(node: Node, shared: Sharing) -> bool:
    """False if the node's work is done by sharing memory."""
    if isinstance(node, AssignVariable):
        return shared.find(node.inputs[0]) is not shared.find(node.inputs[1])
    if isinstance(node, Reshape | ReadVariable):
        return shared.find(node.input) is not shared.find(node.output)
    return True


def _is_stable(program: Program, shared: Sharing, node: Node, order: dict[Node, int]) -> bool:
    """Nobody sets the variable while what was read is still needed."""
    root = shared.find(node.output)
    if any(shared.find(value) is root for value in (*program.outputs, *program.inputs)):
        return False
    last = max((order[one] for one in program.nodes if any(shared.find(v) is root for v in one.inputs)), default=0)
    sets = [order[one] for one in program.nodes if isinstance(one, AssignVariable) and one.inputs[0] is node.input]
    return all(place > last for place in sets)


def _may_write_there(program: Program, shared: Sharing, node: Node, order: dict[Node, int]) -> bool:
    """What is assigned may be made in the variable's own memory: nobody reads the old content once it is made."""
    variable, value = node.inputs
    root, target = shared.find(value), shared.find(variable)
    ends = (*program.inputs, *program.outputs)
    if value.constant or root.variable or any(shared.find(one) in (root, target) for one in ends):
        return False
    makers = [order[one] for one in program.nodes if any(shared.find(output) is root for output in one.outputs)]
    readers = [
        order[one]
        for one in program.nodes
        for read in one.inputs
        if shared.find(read) is target and not (isinstance(one, AssignVariable) and read is variable)
    ]
    sets = [one for one in program.nodes if isinstance(one, AssignVariable) and one.inputs[0] is variable]
    return len(sets) == 1 and bool(makers) and all(place < min(makers) for place in readers)


def plan_memory(program: Program, steps: Sequence[Step], shared: Sharing, sizes: dict[Value, int]) -> Memory:
    """Offsets of all values and of the layers' scratch memory.

    Args:
        program: The network.
        steps: Its layers in order.
        shared: From `views`.
        sizes: Bytes of each value in its layout.

    Raises:
        CompileError: The arena would be larger than any microcontroller's.
    """
    lives = _lifetimes(program, steps, shared)
    twins: dict[Value, Value] = {}
    for index, step in enumerate(steps):
        done: set[Value] = set()
        for output, source in step.overlays:
            one, two = shared.find(output), shared.find(source)
            if output in done or one is two or one not in lives or two not in lives or one.variable or two.variable:
                continue
            if lives[two][1] != index or lives[one][0] != index:
                continue
            done.add(output)
            if sizes[output] != sizes[source]:
                twins[one] = two
            else:
                shared.join(source, output)
                lives[shared.find(source)] = lives.pop(two)[0], lives.pop(one)[1]
    roots = list(lives)
    held: dict[Value, int] = {}
    for value in _values(program, steps):
        if not value.constant:
            root = shared.find(value)
            held[root] = max(held.get(root, 0), sizes[value])
    at_index = {root: index for index, root in enumerate(roots)}
    pieces = []
    for root in roots:
        twin = shared.find(twins[root]) if root in twins else None
        # Joined since with something that lives longer, it is no twin any more.
        fits = twin is not None and lives[twin][1] == lives[root][0]
        pieces.append(Piece(root.name, held[root], *lives[root], twin=at_index[twin] if fits and twin else None))
    pieces += [Piece(f"scratch of layer {i}", step.scratch, i, i) for i, step in enumerate(steps) if step.scratch]
    plan = place(pieces)
    if plan.nbytes > LARGEST:
        raise CompileError(
            f"{program.name} needs {plan.nbytes} bytes of memory for its activations.", "Make the network smaller."
        )
    at = {root: piece.offset for root, piece in zip(roots, plan.pieces, strict=False)}
    rest = iter(plan.pieces[len(roots) :])
    scratch = [next(rest).offset if step.scratch else 0 for step in steps]
    offsets = {value: at[shared.find(value)] for value in _values(program, steps) if not value.constant}
    return Memory(offsets, scratch, plan)


def plain_sum(program: Program) -> int:
    """Bytes of inputs, state and all activations, each in memory of its own; views count once."""
    views = {value for node in program.nodes if isinstance(node, Reshape) for value in node.outputs}
    made = [value for node in program.nodes for value in node.outputs if value not in views]
    return sum(value.nbytes for value in (*program.inputs, *program.variables(), *made))


def _lifetimes(program: Program, steps: Sequence[Step], shared: Sharing) -> dict[Value, tuple[int, int]]:
    first: dict[Value, int] = {}
    last: dict[Value, int] = {}

    def seen(value: Value, place: int) -> None:
        if not value.constant:
            root = shared.find(value)
            first[root] = min(first.get(root, place), place)
            last[root] = max(last.get(root, place), place)

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
    found = [*program.inputs, *program.outputs]
    for node in (*program.nodes, *(step.node for step in steps)):
        found += [*node.inputs, *node.outputs]
    return dict.fromkeys(found)
