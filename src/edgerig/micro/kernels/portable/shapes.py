"""Operators that only move data, and resizing of int8."""

from __future__ import annotations

from collections.abc import Sequence

from edgerig.artifact import ITEM_SIZES
from edgerig.micro.c_text import c_float
from edgerig.micro.ir import (
    AssignVariable,
    BroadcastTo,
    Concatenation,
    Node,
    Pad,
    ReadVariable,
    Reshape,
    ShiftState,
    Slice,
    Split,
    Transpose,
)
from edgerig.micro.ir.operators.data_movement import Unpack
from edgerig.micro.ir.operators.rearrangement import Rearrangement
from edgerig.micro.kernels.base import C_TYPES, Context, Kernel, Lowered
from edgerig.micro.kernels.portable.common import files, front, merged, strides, struct
from edgerig.micro.options import Options

AXES = 6


class Move:
    """One walk over both sides: sizes, and steps in elements."""

    def __init__(self, sizes: Sequence[int], source: Sequence[int], target: Sequence[int], item: int) -> None:
        self.sizes, (self.source, self.target) = merged(sizes, source, target)
        self.item, self.unit = item, item
        if self.source[-1] == self.target[-1] == 1:
            self.unit = item * self.sizes[-1]
            self.sizes, self.source, self.target = self.sizes[:-1], self.source[:-1], self.target[:-1]

    @property
    def fits(self) -> bool:
        """Not more axes than the C code walks over."""
        return len(self.sizes) <= AXES

    def text(self, context: Context, name: str, source: str, target: str) -> str:
        """The call."""
        if not self.sizes:
            return f"memcpy({target}, {source}, {self.unit});"
        steps = [[step * self.item for step in side] for side in (self.source, self.target)]
        settings = context.struct(
            name,
            "micro_move",
            struct(
                size=front(self.sizes, AXES, 1),
                **{"from": front(steps[0], AXES, 0)},
                to=front(steps[1], AXES, 0),
                unit=self.unit,
            ),
        )
        return f"micro_move_run(&{settings}, {source}, {target});"


def _offset(pointer: str, elements: int) -> str:
    return f"{pointer} + {elements}" if elements else pointer


def _moved(lines: Sequence[str]) -> Lowered:
    return files("\n".join(lines), "micro_move")


class Moving(Kernel):
    """A kernel that moves elements of any type of `C_TYPES`."""

    supports = "all types"

    def accepts(self, node: Node, options: Options) -> bool:
        known = node.inputs[-1].dtype in C_TYPES
        return known and all(move.fits for _, move, _ in self.moves(node))

    def moves(self, node: Node) -> list[tuple[int, Move, int]]:
        """Offset in the input, walk, offset in the output, in elements; for each input or output one."""
        raise NotImplementedError


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
        y = context.write(node.output)
        return _moved(
            [
                move.text(context, f"move{index}", context.read(value), _offset(y, offset))
                for index, (value, (_, move, offset)) in enumerate(zip(node.inputs, self.moves(node), strict=True))
            ]
        )


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
        x = context.read(node.input)
        return _moved(
            [
                move.text(context, f"move{index}", _offset(x, offset), context.write(value))
                for index, (value, (offset, move, _)) in enumerate(zip(node.outputs, self.moves(node), strict=True))
            ]
        )


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
        x = context.read(node.input)
        return _moved(
            [
                move.text(context, f"move{index}", _offset(x, offset), context.write(value))
                for index, (value, (offset, move, _)) in enumerate(zip(node.outputs, self.moves(node), strict=True))
            ]
        )


class SliceKernel(Moving):
    """SLICE, STRIDED_SLICE."""

    name = "portable-slice"
    node = Slice

    def moves(self, node: Node) -> list[tuple[int, Move, int]]:
        assert isinstance(node, Slice)
        steps = strides(node.input.shape)
        start = sum(begin * step for begin, step in zip(node.begin, steps, strict=True))
        source = [by * step for by, step in zip(node.step, steps, strict=True)]
        return [(start, Move(node.size, source, strides(node.size), ITEM_SIZES[node.input.dtype]), 0)]

    def lower(self, node: Node, context: Context) -> Lowered:
        ((offset, move, _),) = self.moves(node)
        return _moved(
            [move.text(context, "move", _offset(context.read(node.input), offset), context.write(node.output))]
        )


class Permute(Moving):
    """TRANSPOSE."""

    name = "portable-transpose"
    node = Transpose

    def moves(self, node: Node) -> list[tuple[int, Move, int]]:
        assert isinstance(node, Transpose)
        steps = strides(node.input.shape)
        source = [steps[axis] for axis in node.permutation]
        return [(0, Move(node.output.shape, source, strides(node.output.shape), ITEM_SIZES[node.input.dtype]), 0)]

    def lower(self, node: Node, context: Context) -> Lowered:
        ((_, move, _),) = self.moves(node)
        return _moved([move.text(context, "move", context.read(node.input), context.write(node.output))])


class Repeat(Moving):
    """BROADCAST_TO."""

    name = "portable-broadcast"
    node = BroadcastTo

    def moves(self, node: Node) -> list[tuple[int, Move, int]]:
        shape = node.output.shape
        given = front(node.input.shape, len(shape), 1)
        source = [0 if size == 1 else step for size, step in zip(given, strides(given), strict=True)]
        return [(0, Move(shape, source, strides(shape), ITEM_SIZES[node.input.dtype]), 0)]

    def lower(self, node: Node, context: Context) -> Lowered:
        ((_, move, _),) = self.moves(node)
        return _moved([move.text(context, "move", context.read(node.input), context.write(node.output))])


class Rearranged(Moving):
    """TILE, SPACE_TO_DEPTH, DEPTH_TO_SPACE."""

    name = "portable-rearrangement"
    node = Rearrangement

    def moves(self, node: Node) -> list[tuple[int, Move, int]]:
        assert isinstance(node, Rearrangement)
        sizes, source = node.walk()
        return [(0, Move(sizes, source, strides(sizes), ITEM_SIZES[node.input.dtype]), 0)]

    def lower(self, node: Node, context: Context) -> Lowered:
        ((_, move, _),) = self.moves(node)
        return _moved([move.text(context, "move", context.read(node.input), context.write(node.output))])


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
        return _moved([fill, move.text(context, "move", x, _offset(y, offset))])


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


class ShiftStateKernel(Kernel):
    """A state variable is shifted in its place; pieces as long as the shift do not overlap."""

    name = "portable-push"
    node = ShiftState

    def accepts(self, node: Node, options: Options) -> bool:
        return node.output.dtype in C_TYPES

    def lower(self, node: Node, context: Context) -> Lowered:
        variable, new = node.inputs
        x, y = context.read(new, "uint8_t"), context.write(variable, "uint8_t")
        return _moved([f"micro_push_run({y}, {variable.nbytes}, {x}, {new.nbytes});"])
