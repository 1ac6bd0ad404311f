"""Pixels dealt out to a batch of smaller images and back, as older converters write a dilated convolution."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from edgerig.micro.ir.core import Node, Sizes
from edgerig.micro.ir.operators.reader import OperatorReader, same
from edgerig.micro.ir.operators.rearrangement import Rearrangement
from edgerig.micro.ir.operators.record import OperatorRecord, Row


@dataclass(eq=False)
class SpaceToBatch(Rearrangement):
    """Every ``block``-th pixel makes an image of its own: (N, H, W, C) to (N * BH * BW, H / BH, W / BW, C).

    ``before`` and ``after`` pixels of zero (in int8: of the zero point) are put around the input first. All three have
    a number for each of the spatial axes, of which there are one or two.
    """

    op: ClassVar[str] = "SPACE_TO_BATCH_ND"
    block: tuple[int, ...] = ()
    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()

    @property
    def padded(self) -> tuple[int, ...]:
        """Sizes of the spatial axes with what is put around them."""
        sizes = self.input.shape[1 : 1 + len(self.block)]
        return tuple(sum(parts) for parts in zip(self.before, sizes, self.after, strict=True))

    def output_shapes(self) -> tuple[Sizes, ...]:
        sizes = [size // block for size, block in zip(self.padded, self.block, strict=True)]
        return ((self.input.shape[0] * math.prod(self.block), *sizes, self.input.shape[-1]),)

    def walk(self) -> tuple[Sizes, Sizes]:
        batch, *sizes, depth = self.input.shape
        steps = _steps(sizes, depth)
        blocked = [step * block for step, block in zip(steps, self.block, strict=True)]
        whole = math.prod(sizes) * depth
        return (*self.block, batch, *self.output.shape[1:]), (*steps, whole, *blocked, 1)


@dataclass(eq=False)
class BatchToSpace(Rearrangement):
    """The way back: (N * BH * BW, H, W, C) to (N, H * BH, W * BW, C), of which ``before`` and ``after`` are cut off."""

    op: ClassVar[str] = "BATCH_TO_SPACE_ND"
    block: tuple[int, ...] = ()
    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()

    @property
    def whole(self) -> tuple[int, ...]:
        """Sizes of the spatial axes before anything is cut off."""
        sizes = self.input.shape[1 : 1 + len(self.block)]
        return tuple(size * block for size, block in zip(sizes, self.block, strict=True))

    def output_shapes(self) -> tuple[Sizes, ...]:
        cut = zip(self.whole, self.before, self.after, strict=True)
        batch = self.input.shape[0] // math.prod(self.block)
        return ((batch, *(size - before - after for size, before, after in cut), self.input.shape[-1]),)

    def walk(self) -> tuple[Sizes, Sizes]:
        images, *sizes, depth = self.input.shape
        batch, image = images // math.prod(self.block), math.prod(sizes) * depth
        walked, steps, step = [batch], [image], images * image
        for size, block, inner in zip(sizes, self.block, _steps(sizes, depth), strict=True):
            step //= block
            walked += [size, block]
            steps += [inner, step]
        return (*walked, depth), (*steps, 1)


def _steps(sizes: list[int], depth: int) -> list[int]:
    """What one step along each spatial axis is, in elements."""
    return [math.prod(sizes[axis + 1 :]) * depth for axis in range(len(sizes))]


def space_to_batch(reader: OperatorReader) -> Node:
    """Reads SPACE_TO_BATCH_ND."""
    node = SpaceToBatch(reader.name, reader.position, [reader.input()], [reader.output], *_settings(reader))
    if any(size % block for size, block in zip(node.padded, node.block, strict=True)):
        reader.wrong(f"cuts {list(node.padded)} into blocks of {list(node.block)}")
    same(reader, node.input, node.output)
    return node


def batch_to_space(reader: OperatorReader) -> Node:
    """Reads BATCH_TO_SPACE_ND."""
    node = BatchToSpace(reader.name, reader.position, [reader.input()], [reader.output], *_settings(reader))
    if node.input.shape[0] % math.prod(node.block):
        reader.wrong(f"joins a batch of {node.input.shape[0]} in blocks of {list(node.block)}")
    if min(node.output_shapes()[0]) < 1:
        reader.wrong(f"cuts {list(node.before)} and {list(node.after)} off {list(node.whole)}")
    same(reader, node.input, node.output)
    return node


def _settings(reader: OperatorReader) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Block, and what is before and after each spatial axis."""
    shape, block, sides = reader.input().shape, reader.constant(1), reader.constant(2)
    if len(shape) != len(block) + 2 or len(sides) != 2 * len(block) or min(block, default=0) < 1 or min(sides) < 0:
        reader.wrong(f"has blocks {block} and sides {sides} for {list(shape)}")
    if len(block) > 2:
        reader.refuse(f"it has {len(block)} spatial axes; one or two are supported")
    return tuple(block), tuple(sides[::2]), tuple(sides[1::2])


_BATCHES = Row(remarks="around a convolution of stride 1 they become its dilation; also uint8, int16, int32")

RECORDS = (
    OperatorRecord("SPACE_TO_BATCH_ND", SpaceToBatch, space_to_batch, _BATCHES, "SpaceToBatchNDOptions", version=2),
    OperatorRecord("BATCH_TO_SPACE_ND", BatchToSpace, batch_to_space, _BATCHES, "BatchToSpaceNDOptions", version=2),
)
