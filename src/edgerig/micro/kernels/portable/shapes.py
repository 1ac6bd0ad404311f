"""Operators that only move data within a tensor, and state."""

from __future__ import annotations

import math

import numpy as np

from edgerig.artifact import ITEM_SIZES
from edgerig.micro.c_text import c_float
from edgerig.micro.ir import (
    AssignVariable,
    BroadcastTo,
    MoveRows,
    Node,
    Pad,
    ReadVariable,
    Reshape,
    ShiftState,
    Slice,
    Transpose,
)
from edgerig.micro.ir.operators.data_movement import Gather
from edgerig.micro.ir.operators.rearrangement import Rearrangement
from edgerig.micro.kernels.base import C_TYPES, Context, Kernel, Lowered
from edgerig.micro.kernels.portable.common import front, strides
from edgerig.micro.kernels.portable.moves import Move, Moving, at_offset, moved
from edgerig.micro.options import Options


class GatherKernel(Kernel):
    """GATHER."""

    name = "portable-gather"
    node = Gather
    supports = "all types"

    def accepts(self, node: Node, options: Options) -> bool:
        assert isinstance(node, Gather)
        return node.input.dtype in C_TYPES

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Gather)
        shape, axis, batch = node.input.shape, node.axis, node.batch
        x, y = context.read(node.input), context.write(node.output)
        unit = math.prod(shape[axis + 1 :]) * ITEM_SIZES[node.input.dtype]
        count = math.prod(node.indices.shape[batch:])
        rows = math.prod(shape[batch:axis])
        if node.indices.constant and batch == 0 and int(node.indices.array.max()) < 1 << 16:
            short = context.constant("indices", node.indices.array.astype(np.uint16), stands_for=(node.indices,))
            return moved([f"micro_gather_run({short}, {count}, {rows}, {shape[axis] * unit}, {unit}, {x}, {y});"])
        if node.indices.constant:
            indices = context.constant("indices", node.indices.array.astype(np.int32), stands_for=(node.indices,))
        else:
            indices = context.read(node.indices)
        sizes = f"{math.prod(shape[:batch])}, {rows}, {shape[axis]}, {count}, {unit}"
        return moved([f"micro_gather_by_run({indices}, {sizes}, {x}, {y});"])


class Picking(Moving):
    """Kernels whose one walk takes the whole output from one input."""

    def lower(self, node: Node, context: Context) -> Lowered:
        ((offset, move, _),) = self.moves(node)
        return moved(
            [move.text(context, "move", at_offset(context.read(node.input), offset), context.write(node.output))]
        )


class SliceKernel(Picking):
    """SLICE, STRIDED_SLICE."""

    name = "portable-slice"
    node = Slice

    def moves(self, node: Node) -> list[tuple[int, Move, int]]:
        assert isinstance(node, Slice)
        steps = strides(node.input.shape)
        start = sum(begin * step for begin, step in zip(node.begin, steps, strict=True))
        source = [by * step for by, step in zip(node.step, steps, strict=True)]
        return [(start, Move(node.size, source, strides(node.size), ITEM_SIZES[node.input.dtype]), 0)]


class Permute(Picking):
    """TRANSPOSE."""

    name = "portable-transpose"
    node = Transpose

    def moves(self, node: Node) -> list[tuple[int, Move, int]]:
        assert isinstance(node, Transpose)
        steps = strides(node.input.shape)
        source = [steps[axis] for axis in node.permutation]
        return [(0, Move(node.output.shape, source, strides(node.output.shape), ITEM_SIZES[node.input.dtype]), 0)]


class Repeat(Picking):
    """BROADCAST_TO."""

    name = "portable-broadcast"
    node = BroadcastTo

    def moves(self, node: Node) -> list[tuple[int, Move, int]]:
        shape = node.output.shape
        given = front(node.input.shape, len(shape), 1)
        source = [0 if size == 1 else step for size, step in zip(given, strides(given), strict=True)]
        return [(0, Move(shape, source, strides(shape), ITEM_SIZES[node.input.dtype]), 0)]


class Rearranged(Picking):
    """TILE, SPACE_TO_DEPTH and SPACE_TO_BATCH_ND and the ways back; a pass has taken what pads or cuts."""

    name = "portable-rearrangement"
    node = Rearrangement

    def moves(self, node: Node) -> list[tuple[int, Move, int]]:
        assert isinstance(node, Rearrangement)
        sizes, source = node.walk()
        return [(0, Move(sizes, source, strides(sizes), ITEM_SIZES[node.input.dtype]), 0)]


class Fill(Moving):
    """PAD, PADV2."""

    name = "portable-pad"
    node = Pad
    supports = "8-bit types, float32, int32 with 0"

    def accepts(self, node: Node, options: Options) -> bool:
        assert isinstance(node, Pad)
        fillable = ITEM_SIZES[node.input.dtype] == 1 or node.input.dtype == "float32" or node.value == 0
        return fillable and super().accepts(node, options)

    def moves(self, node: Node) -> list[tuple[int, Move, int]]:
        assert isinstance(node, Pad)
        target, shape = strides(node.output.shape), node.input.shape
        start = sum(before * step for before, step in zip(node.before, target, strict=True))
        return [(0, Move(shape, strides(shape), target, ITEM_SIZES[node.input.dtype]), start)]

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Pad)
        ((_, move, offset),) = self.moves(node)
        x, y = context.read(node.input), context.write(node.output)
        if node.input.dtype == "float32" and node.value != 0:
            fill = f"micro_fill_f32({y}, {c_float(node.value)}, {node.output.elements});"
        else:
            fill = f"memset({y}, {int(node.value) & 0xFF}, {node.output.nbytes});"
        return moved([fill, move.text(context, "move", x, at_offset(y, offset))])


class _Copying(Kernel):
    def accepts(self, node: Node, options: Options) -> bool:
        return node.inputs[-1].dtype in C_TYPES


class Copy(_Copying):
    """RESHAPE, where input and output cannot be one."""

    name = "portable-copy"
    node = Reshape

    def lower(self, node: Node, context: Context) -> Lowered:
        return Lowered(f"memcpy({context.write(node.output)}, {context.read(node.input)}, {node.output.nbytes});")


class ReadState(_Copying):
    """READ_VARIABLE, where what was read outlives a new content."""

    name = "portable-read-variable"
    node = ReadVariable

    def lower(self, node: Node, context: Context) -> Lowered:
        return Lowered(f"memcpy({context.write(node.output)}, {context.read(node.input)}, {node.output.nbytes});")


class AssignState(_Copying):
    """ASSIGN_VARIABLE, where the new content cannot be made in its place."""

    name = "portable-assign-variable"
    node = AssignVariable

    def lower(self, node: Node, context: Context) -> Lowered:
        variable, value = node.inputs
        return Lowered(f"memcpy({context.write(variable)}, {context.read(value)}, {value.nbytes});")


class MoveRowsKernel(Kernel):
    """Rows move towards the beginning of their image; pieces as long as the way do not overlap."""

    name = "portable-move-rows"
    node = MoveRows

    def accepts(self, node: Node, options: Options) -> bool:
        return node.output.dtype in C_TYPES and node.input.offset > node.output.offset

    def lower(self, node: Node, context: Context) -> Lowered:
        x, y = context.read(node.input, "uint8_t"), context.write(node.output, "uint8_t")
        way, count = node.input.offset - node.output.offset, node.input.nbytes
        pieces = range(0, count, way)
        return Lowered("\n".join(f"memcpy({y} + {at}, {x} + {at}, {min(way, count - at)});" for at in pieces))


class ShiftStateKernel(Kernel):
    """A state variable is shifted in its place; pieces as long as the shift do not overlap."""

    name = "portable-push"
    node = ShiftState

    def accepts(self, node: Node, options: Options) -> bool:
        return node.output.dtype in C_TYPES

    def lower(self, node: Node, context: Context) -> Lowered:
        variable, new = node.inputs
        x, y = context.read(new, "uint8_t"), context.write(variable, "uint8_t")
        return moved([f"micro_push_run({y}, {variable.nbytes}, {x}, {new.nbytes});"])
