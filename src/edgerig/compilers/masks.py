"""Masks: constants so far below all scores that a softmax, or a maximum, behind them takes nothing of what they cover.

Frameworks write -1e4, -1e9, the lowest float32 or infinity there. A scale for such a number makes all scores one
integer, without any error. Here it becomes the smallest one by which the softmax still gives the same: scores span so
much that a mask of that and some more is far below the least of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.errors import CompileError
from edgerig.models.graph.memory import constant_tensors
from edgerig.models.graph.types import Graph, Operator
from edgerig.text import one_line

#: Numbers of a constant that are no scores: of these a softmax in float32 takes nothing beyond some 100.
LEAST = 1e3
#: What stands for a mask while the range of the scores is looked for: finite, so that two of them can be added.
STAND_IN = 1e4
#: Logarithms by which masked scores lie below the least one, so that all of them together stay below half a step of a
#: softmax's integers of 8 and 16 bits, whose scales are 1/256 and 1/32768; besides that of their number.
DEPTH = {"int8": 8.0, "int16x8": 12.0}
#: Steps of a scale.
STEPS = {"int8": 255, "int16x8": 65_535}
#: Operators that hand numbers on as they are.
_MOVES = frozenset(
    {
        "RESHAPE", "TRANSPOSE", "EXPAND_DIMS", "SQUEEZE", "BROADCAST_TO", "TILE", "SLICE", "STRIDED_SLICE",
        "Reshape", "Transpose", "Unsqueeze", "Squeeze", "Expand", "Tile", "Slice", "Identity", "Flatten",
    }
)  # fmt: skip
_PRODUCTS, _SUMS = frozenset({"MUL", "Mul"}), frozenset({"ADD", "SUB", "Add", "Sub"})
_DIFFERENCES, _CHOICES = frozenset({"SUB", "Sub"}), frozenset({"SELECT", "SELECT_V2", "Where"})
_ENDS = frozenset({"SOFTMAX", "Softmax"})
_MAXIMA = frozenset({"REDUCE_MAX", "MAX_POOL_2D", "ReduceMax", "MaxPool", "GlobalMaxPool", "ARG_MAX", "ArgMax"})

#: Operators that add a bias, their third input: a fixed mask behind a layer is merged into it.
_BIASED = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "Conv", "Gemm"})

#: What a tensor holds: ``mask``, such numbers and small ones; ``scores``, some of which are masked.
_Role = Literal["mask", "scores"]


class _Held(msgspec.Struct, frozen=True):
    """What a tensor holds. ``scores``: the tensor that has them as they were before; ``plain``: the mask is a constant
    of negative numbers as it stands; ``constants``: those that the mask comes from."""

    role: _Role
    constants: frozenset[int]
    scores: int = -1
    plain: bool = True


class _Join(msgspec.Struct, frozen=True):
    """Where a mask meets scores: by a sum, or by a choice."""

    constants: frozenset[int]
    scores: int
    result: int
    chosen: bool
    length: int


class Masks(msgspec.Struct, frozen=True):
    """The masks of a network.

    Attributes:
        constants: The tensors of their large numbers.
        biases: Those of them that are biases, which are to be left out while the ranges of scores are looked for.
        scores: Tensors whose ranges `bounds` needs.
        covered: Tensors of masked scores, with that of the scores before.
    """

    constants: frozenset[int]
    joins: tuple[_Join, ...]
    covered: dict[int, int]
    biases: frozenset[int] = frozenset()

    @property
    def scores(self) -> list[int]:
        return sorted({join.scores for join in self.joins})

    def stand_ins(self, values: Mapping[int, NDArray[Any]]) -> dict[int, NDArray[Any]]:
        """The constants, by tensor, with which the ranges of `scores` are to be looked for."""
        return {c: limited(values[c], 0.0 if c in self.biases else STAND_IN) for c in self.constants}


class Bounds(msgspec.Struct, frozen=True):
    """How large masks need to be, by constant, and from where on masked scores make no difference, by tensor."""

    magnitudes: dict[int, float]
    floors: dict[int, float]


def masks_of(graph: Graph, constants: Mapping[int, NDArray[Any]]) -> Masks:
    """The constants of a float network that are masks before softmaxes or maxima and nowhere else."""
    held: dict[int, _Held] = {}
    for index, values in constants.items():
        if values.dtype.kind == "f" and _is_large(values).any() and not np.isnan(values).any():
            held[index] = _Held("mask", frozenset({index}), plain=bool((values[_is_large(values)] < 0).all()))
    if not held:
        return Masks(frozenset(), (), {})
    wrong: set[int] = set()
    joins: list[_Join] = []
    for operator in graph.operators:
        taken = [held[index] for index in operator.inputs if index in held]
        if not taken:
            continue
        holds = _holds(graph, operator, held)
        if holds is None:
            wrong |= {constant for each in taken for constant in each.constants}
        elif holds.role == "scores" and (operator.op in _SUMS | _CHOICES or operator.op in _BIASED):
            result, chosen = operator.outputs[0], operator.op in _CHOICES
            joins.append(_Join(holds.constants, holds.scores, result, chosen, _longest(graph, operator)))
        if holds is not None and operator.op not in _ENDS | _MAXIMA:
            held[operator.outputs[0]] = holds
    for index in graph.outputs:
        wrong |= held[index].constants if index in held else set()
    good = frozenset().union(*(join.constants for join in joins)) - _with_partners(wrong, joins)
    kept = tuple(join for join in joins if join.constants <= good)
    covered = {
        index: each.scores for index, each in held.items() if each.role == "scores" and each.constants <= good
    }  # fmt: skip
    biases = {constant for join in kept for constant in join.constants if join.scores == join.result}
    return Masks(good, kept, covered, frozenset(biases))


def _with_partners(wrong: set[int], joins: list[_Join]) -> set[int]:
    """Constants that are no masks, and those that meet the same scores as one of them."""
    while True:
        more = {constant for join in joins if join.constants & wrong for constant in join.constants} - wrong
        if not more:
            return wrong
        wrong |= more


def _holds(graph: Graph, operator: Operator, held: Mapping[int, _Held]) -> _Held | None:
    """What an operator gives that takes masks or masked scores; None where such numbers make a difference."""
    inputs = [index for index in operator.inputs if index >= 0]
    if operator.options.get("fused_activation_function", "NONE") != "NONE":
        return None
    if operator.op in _BIASED:
        bias = held.get(operator.inputs[2]) if len(operator.inputs) > 2 else None
        if bias is None or any(index in held for index in operator.inputs[:2]) or len(bias.constants) > 1:
            return None
        return _Held("scores", bias.constants, operator.outputs[0], bias.plain)
    if operator.op in _MOVES:
        return held.get(inputs[0]) if not any(index in held for index in inputs[1:]) else None
    if operator.op in _PRODUCTS and len(inputs) == 2:
        masks = [held[index] for index in inputs if index in held]
        if len(masks) == 1 and masks[0].role == "mask":
            return msgspec.structs.replace(masks[0], plain=False)
        return None
    if operator.op in _SUMS and len(inputs) == 2:
        return _sum(operator, inputs, held)
    if operator.op in _CHOICES and len(inputs) == 3:
        return _choice(graph, inputs, held)
    first = held.get(inputs[0])
    if first is None or first.role != "scores":
        return None
    if operator.op in _ENDS:
        return first
    # A maximum over positions that are all masked gives the mask itself, which nothing sound depends on.
    return first if operator.op in _MAXIMA and first.plain else None


def _sum(operator: Operator, inputs: list[int], held: Mapping[int, _Held]) -> _Held | None:
    first, second = (held.get(index) for index in inputs)
    if operator.op in _DIFFERENCES and second is not None:
        if second.role == "scores":
            return None
        second = msgspec.structs.replace(second, plain=False)
    return _joined(first, second, inputs)


def _choice(graph: Graph, inputs: list[int], held: Mapping[int, _Held]) -> _Held | None:
    if inputs[0] in held:
        return None
    first, second = (held.get(index) for index in inputs[1:])
    sides = [each for each in (first, second) if each is not None]
    if not all(each.plain for each in sides if each.role == "mask"):
        return None
    if len(sides) == 1:
        if sides[0].role == "scores":
            return None
        if graph.tensors[inputs[2] if second is None else inputs[1]].constant:
            return sides[0]
    return _joined(first, second, inputs[1:])


def _joined(first: _Held | None, second: _Held | None, inputs: list[int]) -> _Held | None:
    """What two ``inputs`` give together, of which one at least holds a mask or masked scores; other ones are scores."""
    sides = [each for each in (first, second) if each is not None]
    constants = frozenset().union(*(each.constants for each in sides))
    plain = all(each.plain for each in sides)
    scores = [each.scores for each in sides if each.role == "scores"]
    if len(sides) == 1 and not scores:
        scores = [inputs[1] if second is None else inputs[0]]
    if len(scores) == 2:
        return None
    return _Held("scores", constants, scores[0], plain) if scores else _Held("mask", constants, plain=plain)


def _longest(graph: Graph, operator: Operator) -> int:
    return max(graph.tensors[operator.outputs[0]].shape, default=1)


def _is_large(values: NDArray[Any]) -> NDArray[np.bool_]:
    return np.asarray(np.abs(values.astype(np.float64)) >= LEAST)


def bounds(masks: Masks, ranges: Mapping[int, tuple[float, float]], depth: float) -> Bounds:
    """How large the masks need to be.

    Args:
        ranges: The least and the largest score over the calibration samples, by tensor. depth: Of `DEPTH`.
    """
    magnitudes: dict[int, float] = {}
    floors: dict[int, float] = {}
    for join in masks.joins:
        low, high = ranges[join.scores]
        margin = depth + math.log(max(join.length, 1))
        need = max(margin - low, 0.0) if join.chosen else high - low + margin
        for constant in join.constants:
            magnitudes[constant] = max(magnitudes.get(constant, 0.0), need)
        floors[join.scores] = min(floors.get(join.scores, math.inf), low - margin)
    return Bounds(magnitudes, {index: floors[scores] for index, scores in masks.covered.items() if scores in floors})


def limited(values: NDArray[Any], magnitude: float) -> NDArray[Any]:
    """A mask's numbers, none of the large ones beyond ``magnitude``; those that are not so large stay."""
    result: NDArray[Any] = np.where(_is_large(values), np.clip(values, -magnitude, magnitude), values)
    return result.astype(values.dtype)


#: Operators that bring numbers of several tensors into one scale.
_JOINS = _SUMS | _CHOICES | {"CONCATENATION", "PACK", "Concat"}


def check_lost(graph: Graph, ranges: Mapping[str, tuple[float, float]], steps: int, file: str) -> None:
    """Refuse a network with a tensor whose numbers become one integer in the scale of what they are joined with.

    Args:
        ranges: The least and the largest value of each tensor over the calibration samples, by name.
        steps: Of `STEPS`. file: The network's name, for the message.

    Raises:
        CompileError: Names both tensors.
    """
    fixed = constant_tensors(graph)
    for operator in graph.operators:
        joined = graph.tensors[operator.outputs[0]].name
        low, high = ranges.get(joined, (0.0, 0.0))
        if operator.op not in _JOINS or max(-low, high) < LEAST:
            continue
        # The first input of a choice is its condition.
        for index in operator.inputs[1 if operator.op in _CHOICES else 0 :]:
            name = graph.tensors[index].name
            least, largest = ranges.get(name, (0.0, 0.0))
            if index not in fixed and 0 < largest - least < (high - low) / steps:
                raise CompileError(
                    f"{file} cannot be quantized: {one_line(joined, 80)!r} reaches from {low:.3g} to {high:.3g} with "
                    f"the calibration samples, in steps of {(high - low) / steps:.2g}, in which all of "
                    f"{one_line(name, 80)!r}, {least:.3g} to {largest:.3g}, becomes one number.",
                    "A mask is a smaller number, such as -100; inputs of very different size are scaled before they "
                    "come together. Or take a scheme with real activations: dynamic, float16.",
                )
