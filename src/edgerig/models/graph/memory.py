"""Activation memory: the plain sum of all activations, and the size of a static plan by liveness.

A plan gives each activation an offset in one arena so that no two that are alive at the same operator overlap.
An activation is alive from the operator that makes it to the last one that reads it; inputs from the start,
outputs to the end. Tensors are taken as the graph has them: nothing is fused or computed in place, only views
(a reshape) share the memory of what they view. No alignment is added.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import msgspec

from edgerig.models.graph.lifetimes import MOST_OVERLAPS, Lifetimes, count_overlaps, first_gaps, most_alive
from edgerig.models.graph.types import Graph

#: Operators whose output is their first input under another shape.
VIEWS = frozenset(
    {
        "RESHAPE",
        "SQUEEZE",
        "EXPAND_DIMS",
        "Reshape",
        "Squeeze",
        "Unsqueeze",
        "Identity",
        "Flatten",
        "Dropout",
        "SpatialDropout2D",
    }
)

#: Operators that unpack stored weights; their result is a weight too if their input is constant, not an activation.
UNPACKING = frozenset({"DEQUANTIZE", "DENSIFY", "CAST", "DequantizeLinear", "Cast", "QuantizeLinear", "QUANTIZE"})

#: Effort of the search for a better order, in compared pairs of tensors.
SEARCH = 2_000_000


class Placement(msgspec.Struct, frozen=True):
    """A buffer of activation memory: its tensors (views included), bytes, offset, first and last operator alive."""

    tensors: tuple[int, ...]
    nbytes: int
    first: int
    last: int
    offset: int = 0


class ActivationMemory(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of the activations at the batch size of the file.

    Attributes:
        plain_sum: Inputs and all activations, without sharing memory.
        planned: The best static plan found.
        lower_bound: A bound for any static plan: the largest sum of the activations alive at one operator.
        peak_operator: The operator of that sum; None without operators.
        unpacked_weights: Weights that the graph unpacks to another type before use (float16 models), not in the
            figures above.
        placements: The plan.
    """

    plain_sum: int
    planned: int
    lower_bound: int
    peak_operator: int | None
    unpacked_weights: int
    placements: tuple[Placement, ...]


def activation_memory(graph: Graph) -> ActivationMemory:
    """Sum, plan and bound of a graph's activations."""
    weights = constant_tensors(graph)
    buffers = _lifetimes(graph, weights)
    bound, peak = _bound(buffers)
    placed = _plan(buffers, bound)
    return ActivationMemory(
        plain_sum=sum(buffer.nbytes for buffer in buffers),
        planned=_height(placed),
        lower_bound=bound,
        peak_operator=peak if graph.operators and buffers else None,
        unpacked_weights=sum(graph.tensors[i].nbytes for i in weights if not graph.tensors[i].constant),
        placements=tuple(sorted(placed, key=lambda buffer: (buffer.first, buffer.offset))),
    )


def constant_tensors(graph: Graph) -> set[int]:
    """Constants, and results of unpacking constants only."""
    constants = {tensor.index for tensor in graph.tensors if tensor.constant}
    for operator in graph.operators:
        if operator.op in UNPACKING and all(index in constants for index in operator.inputs if index >= 0):
            constants.update(index for index in operator.outputs if index >= 0)
    return constants - set(graph.inputs)


def _lifetimes(graph: Graph, weights: set[int]) -> list[Placement]:
    owner = list(range(len(graph.tensors)))
    first: dict[int, int] = dict.fromkeys(graph.inputs, 0)
    last: dict[int, int] = dict.fromkeys(graph.inputs, 0)
    for step, operator in enumerate(graph.operators):
        sources = [index for index in operator.inputs if index >= 0 and index not in weights]
        for index in sources:
            first.setdefault(owner[index], 0)
            last[owner[index]] = step
        for index in operator.outputs:
            if index < 0 or index in weights:
                continue
            if operator.op in VIEWS and sources[:1] == list(operator.inputs[:1]):
                owner[index] = owner[sources[0]]
            first.setdefault(owner[index], step)
            last[owner[index]] = max(step, last.get(owner[index], 0))
    end = max(len(graph.operators) - 1, 0)
    for index in graph.outputs:
        if index not in weights:
            first.setdefault(owner[index], 0)
            last[owner[index]] = end
    members: dict[int, list[int]] = {}
    for index, held in enumerate(owner):
        members.setdefault(held, []).append(index)
    buffers = []
    for index in first:
        tensors = members[index]
        keeps = any(graph.tensors[i].variable for i in tensors)
        size = max(graph.tensors[i].nbytes for i in tensors)
        span = (0, end) if keeps else (first[index], last[index])
        if size:
            buffers.append(Placement(tuple(tensors), size, *span))
    return buffers


def _bound(buffers: Sequence[Placement]) -> tuple[int, int]:
    """The largest number of bytes alive at one operator, and that operator."""
    changes: dict[int, int] = {}
    for buffer in buffers:
        changes[buffer.first] = changes.get(buffer.first, 0) + buffer.nbytes
        changes[buffer.last + 1] = changes.get(buffer.last + 1, 0) - buffer.nbytes
    return most_alive(changes)


def _plan(buffers: Sequence[Placement], bound: int) -> list[Placement]:
    """The best of several greedy orders, then of moving the buffer with the highest end forward; deterministic.

    Where more than `MOST_OVERLAPS` pairs are alive together, the buffers are only placed one after the other.
    """
    if count_overlaps((buffer.first, buffer.last) for buffer in buffers) > MOST_OVERLAPS:
        offsets = first_gaps([(buffer.first, buffer.last, buffer.nbytes) for buffer in buffers])
        return [msgspec.structs.replace(buffer, offset=at) for buffer, at in zip(buffers, offsets, strict=True)]
    keys: list[Callable[[Placement], tuple[int, int]]] = [
        lambda buffer: (-buffer.nbytes, buffer.first),
        lambda buffer: (-buffer.nbytes * (buffer.last - buffer.first + 1), buffer.first),
        lambda buffer: (buffer.first, -buffer.nbytes),
        lambda buffer: (buffer.first - buffer.last, -buffer.nbytes),
    ]
    best_order: list[Placement] = []
    best: list[Placement] = []
    for key in keys:
        order = sorted(buffers, key=key)
        placed = _place(order)
        if not best or _height(placed) < _height(best):
            best_order, best = order, placed
        if _height(best) <= bound:
            return best
    chance = random.Random(0)
    for _ in range(SEARCH // max(len(buffers), 1) ** 2):
        if _height(best) <= bound or len(buffers) < 2:
            break
        height = _height(best)
        highest = [number for number, buffer in enumerate(best) if buffer.offset + buffer.nbytes == height]
        moved = chance.choice([*highest, chance.randrange(len(best))])
        order = list(best_order)
        order.insert(chance.randrange(moved + 1), order.pop(moved))
        placed = _place(order)
        if _height(placed) <= _height(best):
            best_order, best = order, placed
    return best


def _place(order: Sequence[Placement]) -> list[Placement]:
    """Each buffer at the lowest offset that is free during its lifetime, in the given order."""
    alive = Lifetimes([(buffer.first, buffer.last) for buffer in order])
    placed: list[Placement] = []
    for index, buffer in enumerate(order):
        offset = 0
        for start, end in sorted(
            (placed[i].offset, placed[i].offset + placed[i].nbytes) for i in alive.overlapping(index)
        ):
            if offset + buffer.nbytes <= start:
                break
            offset = max(offset, end)
        placed.append(msgspec.structs.replace(buffer, offset=offset))
        alive.put(index)
    return placed


def _height(placed: Sequence[Placement]) -> int:
    return max((buffer.offset + buffer.nbytes for buffer in placed), default=0)
