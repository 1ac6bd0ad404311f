"""Which values lie at the same address: views of one another, and variables with what is assigned to them."""

from __future__ import annotations

from edgerig.micro.ir import AssignVariable, Node, Program, ReadVariable, Reshape, ShiftState, Value


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
