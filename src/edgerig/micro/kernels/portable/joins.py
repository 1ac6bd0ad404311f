"""Operators that join several tensors, or part one."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from edgerig.artifact import ITEM_SIZES
from edgerig.micro.ir import Concatenation, Node, Pack, Split
from edgerig.micro.ir.operators.data_movement import Unpack
from edgerig.micro.kernels.access import Access
from edgerig.micro.kernels.base import Context, Lowered
from edgerig.micro.kernels.portable.common import strides
from edgerig.micro.kernels.portable.moves import Move, Moving, at_offset, moved


def _joined(kernel: Moving, node: Node, context: Context) -> list[str]:
    """Each input moved to its part of the output."""
    y = context.write(node.output)
    return [
        move.text(context, f"move{index}", context.read(value), at_offset(y, offset))
        for index, (value, (_, move, offset)) in enumerate(zip(node.inputs, kernel.moves(node), strict=True))
    ]


def _parted(kernel: Moving, node: Node, context: Context) -> list[str]:
    """Each output moved from its part of the input."""
    x = context.read(node.input)
    return [
        move.text(context, f"move{index}", at_offset(x, offset), context.write(value))
        for index, (value, (offset, move, _)) in enumerate(zip(node.outputs, kernel.moves(node), strict=True))
    ]


class Concatenate(Moving):
    """CONCATENATION."""

    name = "portable-concatenation"
    node = Concatenation

    def moves(self, node: Node) -> list[tuple[int, Move, int]]:
        assert isinstance(node, Concatenation)
        target, item = strides(node.output.shape), ITEM_SIZES[node.output.dtype]
        moves, start = [], 0
        for value in node.inputs:
            moves.append((0, Move(value.shape, strides(value.shape), target, item), start * target[node.axis]))
            start += value.shape[node.axis]
        return moves

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Concatenation)
        runs = math.prod(node.input.shape[: node.axis])
        # What moves as a whole is a memcpy, whose sides must not overlap.
        _, first, _ = self.moves(node)[0]
        alone = bool(first.sizes) and not node.input.constant
        return replace(moved(_joined(self, node, context)), accesses=(_first_moved(node, runs),) if alone else ())


def _first_moved(node: Concatenation, runs: int) -> Access:
    """The order in which the first input moves, before any other does: run by run, each from its first byte on."""
    own, whole = node.input.nbytes // runs, node.output.nbytes // runs
    run = np.repeat(np.arange(runs), 3)
    # The first two bytes and the last one of each run: all between are as far apart as the first two.
    byte = np.tile([0, min(1, own - 1), own - 1], runs)
    return Access(node.output, node.input, run * own + byte, run * whole + byte + 1)


class SplitKernel(Moving):
    """SPLIT, SPLIT_V."""

    name = "portable-split"
    node = Split

    def moves(self, node: Node) -> list[tuple[int, Move, int]]:
        assert isinstance(node, Split)
        source, item = strides(node.input.shape), ITEM_SIZES[node.input.dtype]
        moves, start = [], 0
        for value in node.outputs:
            moves.append((start * source[node.axis], Move(value.shape, source, strides(value.shape), item), 0))
            start += value.shape[node.axis]
        return moves

    def lower(self, node: Node, context: Context) -> Lowered:
        return moved(_parted(self, node, context))


class UnpackKernel(Moving):
    """UNPACK."""

    name = "portable-unpack"
    node = Unpack

    def moves(self, node: Node) -> list[tuple[int, Move, int]]:
        assert isinstance(node, Unpack)
        steps, item = strides(node.input.shape), ITEM_SIZES[node.input.dtype]
        along = steps.pop(node.axis)
        return [
            (index * along, Move(value.shape, steps, strides(value.shape), item), 0)
            for index, value in enumerate(node.outputs)
        ]

    def lower(self, node: Node, context: Context) -> Lowered:
        return moved(_parted(self, node, context))


class PackKernel(Moving):
    """PACK."""

    name = "portable-pack"
    node = Pack

    def moves(self, node: Node) -> list[tuple[int, Move, int]]:
        assert isinstance(node, Pack)
        steps, item = strides(node.output.shape), ITEM_SIZES[node.output.dtype]
        along = steps.pop(node.axis)
        return [
            (0, Move(value.shape, strides(value.shape), steps, item), index * along)
            for index, value in enumerate(node.inputs)
        ]

    def lower(self, node: Node, context: Context) -> Lowered:
        return moved(_joined(self, node, context))
