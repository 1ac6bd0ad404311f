"""Fuse the nodes that shift a streaming network's state: the joined window itself becomes the state, without a copy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set

import numpy as np

from edgerig.micro.ir import AssignVariable, Concatenation, Node, Program, ReadVariable, ShiftState, Slice, Value


def shift_states(program: Program) -> None:
    """READ_VARIABLE, CONCATENATION with what is new, STRIDED_SLICE of the end, ASSIGN_VARIABLE become one `ShiftState`.

    Where the joined axis is the first longer than 1, the window is the old state followed by the new samples.
    Stored instead of the state, it is shifted by the length of the new samples before each inference; the memory of
    the state and one of two copies are saved.
    """
    users, outputs = program.users(), set(program.outputs)
    changes: dict[Node, Node | None] = {}
    for node in program.nodes:
        if isinstance(node, ReadVariable):
            changes.update(_push(node, users, outputs))
    program.replace(changes)


def _push(read: ReadVariable, users: Mapping[Value, Sequence[Node]], outputs: Set[Value]) -> dict[Node, Node | None]:
    """What takes the place of the nodes around ``read``; nothing if they shift no window."""
    variable, old = read.input, read.output
    joins = users.get(old, [])
    if len(joins) != 1 or not isinstance(joins[0], Concatenation) or old in outputs:
        return {}
    join = joins[0]
    window = join.output
    if len(join.inputs) != 2 or join.inputs[0] is not old or join.inputs[1] is old:
        return {}
    if math.prod(window.shape[: join.axis]) != 1:
        return {}
    ends = [reader for reader in users.get(window, []) if _is_end(reader, join, old)]
    if len(ends) != 1 or ends[0].output in outputs:
        return {}
    sets = users.get(ends[0].output, [])
    if len(sets) != 1 or not isinstance(sets[0], AssignVariable) or sets[0].inputs[0] is not variable:
        return {}
    if set(users.get(variable, [])) != {read, sets[0]} or variable.data is None:
        return {}
    new = join.inputs[1]
    old_content = variable.data.reshape(-1)
    # What is pushed out first may be anything; one value all over takes no flash.
    start = np.concatenate([np.full(new.elements, old_content[0], old_content.dtype), old_content])
    state = Value(
        variable.name, window.shape, variable.dtype, variable.quantization, start.reshape(window.shape), variable=True
    )
    push = ShiftState(join.name, join.position, [state, new], [window])
    return {read: None, ends[0]: None, sets[0]: None, join: push}


def _is_end(node: Node, join: Concatenation, old: Value) -> bool:
    """A slice of the window's last part, as long as the old state."""
    if not isinstance(node, Slice) or node.output.elements != old.elements or any(step != 1 for step in node.step):
        return False
    full = join.output.shape
    expected = [full[axis] - old.shape[axis] if axis == join.axis else 0 for axis in range(len(full))]
    return list(node.begin) == expected and list(node.size) == list(old.shape)
