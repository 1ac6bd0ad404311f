"""Operators that only move data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from edgerig.micro.ir.core import DataMovement, Node, Sizes, Value
from edgerig.micro.ir.operators.reader import OperatorReader, same
from edgerig.micro.ir.operators.record import OperatorRecord, Row


class Reshape(DataMovement):
    """The same elements under another shape (RESHAPE, SQUEEZE, EXPAND_DIMS); no code where memory is shared."""

    op: ClassVar[str] = "RESHAPE"

    def output_shapes(self) -> tuple[Sizes, ...]:
        # The file says under which shape.
        return (self.output.shape,)


class MoveRows(DataMovement):
    """Rows of an image move to others of the same image; no operator of a file, but of layers that go in bands."""

    op: ClassVar[str] = "MOVE_ROWS"

    def output_shapes(self) -> tuple[Sizes, ...]:
        return (self.input.shape,)


@dataclass(eq=False)
class Pad(DataMovement):
    """``before`` and ``after`` elements of ``value`` (in the tensor's own units) along each axis."""

    op: ClassVar[str] = "PAD"
    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()
    value: float = 0

    def output_shapes(self) -> tuple[Sizes, ...]:
        sides = zip(self.before, self.input.shape, self.after, strict=True)
        return (tuple(before + size + after for before, size, after in sides),)


@dataclass(eq=False)
class Concatenation(DataMovement):
    """Inputs one after the other along ``axis`` (not negative)."""

    op: ClassVar[str] = "CONCATENATION"
    axis: int = 0

    def output_shapes(self) -> tuple[Sizes, ...]:
        first, joined = self.input.shape, sum(value.shape[self.axis] for value in self.inputs)
        return ((*first[: self.axis], joined, *first[self.axis + 1 :]),)


@dataclass(eq=False)
class Split(DataMovement):
    """Parts along ``axis`` (not negative), as long as the outputs are (SPLIT, SPLIT_V)."""

    op: ClassVar[str] = "SPLIT"
    axis: int = 0

    def output_shapes(self) -> tuple[Sizes, ...]:
        whole, sizes = self.input.shape, [value.shape[self.axis] for value in self.outputs]
        return tuple((*whole[: self.axis], size, *whole[self.axis + 1 :]) for size in sizes)


@dataclass(eq=False)
class Unpack(DataMovement):
    """One output for each index along ``axis`` (not negative), without that axis."""

    op: ClassVar[str] = "UNPACK"
    axis: int = 0

    def output_shapes(self) -> tuple[Sizes, ...]:
        shape = self.input.shape
        return ((*shape[: self.axis], *shape[self.axis + 1 :]),) * len(self.outputs)


@dataclass(eq=False)
class Pack(DataMovement):
    """Inputs of one shape stacked along the new ``axis`` (not negative)."""

    op: ClassVar[str] = "PACK"
    axis: int = 0

    def output_shapes(self) -> tuple[Sizes, ...]:
        shape = self.input.shape
        return ((*shape[: self.axis], len(self.inputs), *shape[self.axis :]),)


@dataclass(eq=False)
class Gather(DataMovement):
    """The elements along ``axis`` that the second input names, which becomes that input's axes.

    The first ``batch`` axes of both inputs are one: each batch has indices of its own. Indices that are only known when
    the network runs may be out of bounds; then the nearest element is meant.
    """

    op: ClassVar[str] = "GATHER"
    axis: int = 0
    batch: int = 0

    @property
    def indices(self) -> Value:
        """Which elements."""
        return self.inputs[1]

    def output_shapes(self) -> tuple[Sizes, ...]:
        shape = self.input.shape
        return ((*shape[: self.axis], *self.indices.shape[self.batch :], *shape[self.axis + 1 :]),)


@dataclass(eq=False)
class Transpose(DataMovement):
    """Axes in the order ``permutation``."""

    op: ClassVar[str] = "TRANSPOSE"
    permutation: tuple[int, ...] = ()

    def output_shapes(self) -> tuple[Sizes, ...]:
        return (tuple(self.input.shape[axis] for axis in self.permutation),)


class BroadcastTo(DataMovement):
    """The input repeated along axes of 1 until it has the output's shape."""

    op: ClassVar[str] = "BROADCAST_TO"

    def output_shapes(self) -> tuple[Sizes, ...]:
        return (np.broadcast_shapes(self.input.shape, self.output.shape),)


def reshape(reader: OperatorReader) -> Node:
    """Reads RESHAPE, SQUEEZE, EXPAND_DIMS."""
    value, output = reader.input(), reader.output
    if value.elements != output.elements:
        reader.wrong(f"makes {list(output.shape)} out of {list(value.shape)}")
    same(reader, value, output)
    return Reshape(reader.name, reader.position, [value], [output])


def pad(reader: OperatorReader) -> Node:
    """Reads PAD, PADV2."""
    value = reader.input()
    pads = np.array(reader.constant(1), np.int64)
    if pads.size != 2 * len(value.shape) or (pads < 0).any():
        reader.wrong(f"pads {list(value.shape)} by {pads.tolist()}")
    before, after = pads.reshape(-1, 2).T.tolist()
    same(reader, value, reader.output)
    filler: float = 0 if value.quantization is None else value.zero_point
    if reader.op == "PADV2":
        content = reader.input(2)
        if not content.constant or content.elements != 1:
            reader.refuse("what it pads with is not known when compiling")
        same(reader, value, content)
        filler = content.array.reshape(-1)[0].item()
    return Pad(reader.name, reader.position, [value], [reader.output], tuple(before), tuple(after), filler)


def concatenation(reader: OperatorReader) -> Node:
    """Reads CONCATENATION."""
    values = [reader.input(position) for position in range(len(reader.inputs))]
    if not values:
        reader.wrong("has no inputs")
    axis = reader.axis(int(reader.option("axis", 0)), len(values[0].shape))
    others = {(*value.shape[:axis], *value.shape[axis + 1 :]) for value in values}
    if len(others) != 1 or any(len(value.shape) != len(values[0].shape) for value in values):
        reader.wrong(f"joins {[list(value.shape) for value in values]} along axis {axis}")
    same(reader, reader.output, *values)
    if reader.activation() != "NONE":
        reader.refuse("it has a fused activation")
    return Concatenation(*reader.parts(), axis)


def split(reader: OperatorReader) -> Node:
    """Reads SPLIT, SPLIT_V."""
    position = 1 if reader.op == "SPLIT" else 0
    value = reader.input(position)
    rank = len(value.shape)
    axis = reader.axis(reader.constant(0 if reader.op == "SPLIT" else 2)[0], rank)
    sizes = [output.shape[axis] if len(output.shape) == rank else -1 for output in reader.outputs]
    if not reader.outputs or sum(sizes) != value.shape[axis]:
        reader.wrong(f"splits {list(value.shape)} along axis {axis} into {sizes}")
    if reader.op == "SPLIT_V":
        wanted = reader.constant(1)
        rest = value.shape[axis] - sum(size for size in wanted if size >= 0)
        if [rest if size < 0 else size for size in wanted] != sizes:
            reader.wrong(f"splits {value.shape[axis]} into {wanted}, and the file says {sizes}")
    elif len(set(sizes)) != 1:
        reader.wrong(f"splits into unequal parts {sizes}")
    same(reader, value, *reader.outputs)
    return Split(reader.name, reader.position, [value], reader.outputs, axis)


def unpack(reader: OperatorReader) -> Node:
    """Reads UNPACK."""
    value = reader.input()
    axis = reader.axis(int(reader.option("axis", 0)), len(value.shape))
    if len(reader.outputs) != value.shape[axis]:
        reader.wrong(f"unpacks axis {axis} of {list(value.shape)} into {len(reader.outputs)} outputs")
    same(reader, value, *reader.outputs)
    return Unpack(reader.name, reader.position, [value], reader.outputs, axis)


def pack(reader: OperatorReader) -> Node:
    """Reads PACK."""
    values = [reader.input(position) for position in range(len(reader.inputs))]
    if not values or any(value.shape != values[0].shape for value in values):
        reader.wrong(f"packs {[list(value.shape) for value in values]}")
    axis = reader.axis(int(reader.option("axis", 0)), len(values[0].shape) + 1)
    same(reader, reader.output, *values)
    return Pack(*reader.parts(), axis)


def gather(reader: OperatorReader) -> Node:
    """Reads GATHER."""
    value, indices = reader.input(), reader.input(1)
    axis = reader.axis(int(reader.option("axis", 0)), len(value.shape))
    batch = int(reader.option("batch_dims", 0))
    batch += len(indices.shape) if batch < 0 else 0
    if not 0 <= batch <= min(axis, len(indices.shape)) or value.shape[:batch] != indices.shape[:batch]:
        reader.wrong(f"gathers along axis {axis} of {list(value.shape)} by {list(indices.shape)} in {batch} batch axes")
    if indices.constant:
        full = value.shape[axis]
        outside = [index for index in reader.constant(1) if not 0 <= index < full]
        if outside or not indices.elements:
            reader.wrong(f"gathers {f'element {outside[0]}' if outside else 'nothing'} of {full}")
    elif indices.dtype != "int32":
        reader.refuse(f"its indices are {indices.dtype}; where they are not known when compiling, they must be int32")
    same(reader, value, reader.output)
    return Gather(reader.name, reader.position, [value, indices], [reader.output], axis, batch)


def transpose(reader: OperatorReader) -> Node:
    """Reads TRANSPOSE."""
    value = reader.input()
    order = reader.constant(1)
    if sorted(order) != list(range(len(value.shape))):
        reader.wrong(f"orders {list(value.shape)} by {order}")
    same(reader, value, reader.output)
    return Transpose(reader.name, reader.position, [value], [reader.output], tuple(order))


def broadcast_to(reader: OperatorReader) -> Node:
    """Reads BROADCAST_TO."""
    value = reader.input()
    shape = tuple(reader.constant(1))
    try:
        fits = np.broadcast_shapes(value.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        reader.wrong(f"repeats {list(value.shape)} to {list(shape)}")
    reader.makes(shape)
    same(reader, value, reader.output)
    return BroadcastTo(reader.name, reader.position, [value], [reader.output])


_VIEWS = Row(remarks="no code: memory is shared")
#: Of all operators that move elements of any type.
MOVES = Row(remarks="also uint8, int16, int32")
_INDICES = Row(
    remarks="also uint8, int16, int32; int32 indices, any batch axes; an index out of bounds, at which LiteRT stops, "
    "names the nearest element"
)

RECORDS = (
    OperatorRecord("RESHAPE", Reshape, reshape, _VIEWS, "ReshapeOptions", version=1),
    OperatorRecord("SQUEEZE", Reshape, reshape, _VIEWS, "SqueezeOptions", version=1),
    OperatorRecord("EXPAND_DIMS", Reshape, reshape, _VIEWS, "ExpandDimsOptions", version=1),
    OperatorRecord("PAD", Pad, pad, MOVES, "PadOptions"),
    OperatorRecord("PADV2", Pad, pad, MOVES, "PadV2Options"),
    OperatorRecord("CONCATENATION", Concatenation, concatenation, MOVES, "ConcatenationOptions"),
    OperatorRecord("SPLIT", Split, split, MOVES, "SplitOptions"),
    OperatorRecord("SPLIT_V", Split, split, MOVES, "SplitVOptions", version=1),
    OperatorRecord("UNPACK", Unpack, unpack, MOVES, "UnpackOptions"),
    OperatorRecord("PACK", Pack, pack, MOVES, "PackOptions", version=1),
    OperatorRecord("GATHER", Gather, gather, _INDICES, "GatherOptions"),
    OperatorRecord("TRANSPOSE", Transpose, transpose, MOVES, "TransposeOptions"),
    OperatorRecord("BROADCAST_TO", BroadcastTo, broadcast_to, MOVES, "BroadcastToOptions"),
)
