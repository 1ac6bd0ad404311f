"""Operators whose output takes each element from one place of the input, by sizes and steps alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from edgerig.micro.ir.core import DataMovement, Node, Sizes
from edgerig.micro.ir.operators.data_movement import MOVES
from edgerig.micro.ir.operators.reader import Builder, OperatorReader, same
from edgerig.micro.ir.operators.record import OperatorRecord


class Rearrangement(DataMovement):
    """What the kernel of all of them asks for."""

    def walk(self) -> tuple[Sizes, Sizes]:
        """Sizes of a walk over the output, in its order, and the step that each takes in the input, in elements."""
        raise NotImplementedError


@dataclass(eq=False)
class Tile(Rearrangement):
    """The input so many times along each axis."""

    op: ClassVar[str] = "TILE"
    times: tuple[int, ...] = ()

    def output_shapes(self) -> tuple[Sizes, ...]:
        return (tuple(size * times for size, times in zip(self.input.shape, self.times, strict=True)),)

    def walk(self) -> tuple[Sizes, Sizes]:
        sizes: list[int] = []
        steps: list[int] = []
        step = self.input.elements
        for size, times in zip(self.input.shape, self.times, strict=True):
            step //= size
            sizes += [times, size]
            steps += [0, step]
        return tuple(sizes), tuple(steps)


@dataclass(eq=False)
class SpaceToDepth(Rearrangement):
    """Blocks of ``block`` by ``block`` pixels become one pixel of that many times the channels."""

    op: ClassVar[str] = "SPACE_TO_DEPTH"
    block: int = 1

    def output_shapes(self) -> tuple[Sizes, ...]:
        batch, height, width, channels = self.input.shape
        return ((batch, height // self.block, width // self.block, channels * self.block**2),)

    def walk(self) -> tuple[Sizes, Sizes]:
        batch, height, width, _ = self.output.shape
        block, depth = self.block, self.input.shape[3]
        row = self.input.shape[2] * depth
        sizes = (batch, height, width, block, block, depth)
        return sizes, (self.input.shape[1] * row, block * row, block * depth, row, depth, 1)


@dataclass(eq=False)
class DepthToSpace(Rearrangement):
    """Each pixel becomes a block of ``block`` by ``block`` pixels of that many times fewer channels."""

    op: ClassVar[str] = "DEPTH_TO_SPACE"
    block: int = 1

    def output_shapes(self) -> tuple[Sizes, ...]:
        batch, height, width, channels = self.input.shape
        return ((batch, height * self.block, width * self.block, channels // self.block**2),)

    def walk(self) -> tuple[Sizes, Sizes]:
        batch, height, width, channels = self.input.shape
        block, depth = self.block, self.output.shape[3]
        row = width * channels
        sizes = (batch, height, block, width, block, depth)
        return sizes, (height * row, row, block * depth, channels, depth, 1)


def tile(reader: OperatorReader) -> Node:
    """Reads TILE."""
    value, times = reader.input(), tuple(reader.constant(1))
    if len(times) != len(value.shape) or min(times, default=1) < 1:
        reader.wrong(f"repeats {list(value.shape)} by {list(times)}")
    same(reader, value, reader.output)
    return Tile(reader.name, reader.position, [value], [reader.output], times)


def blocks(kind: type[SpaceToDepth | DepthToSpace]) -> Builder:
    """Reads SPACE_TO_DEPTH or DEPTH_TO_SPACE."""

    def read(reader: OperatorReader) -> Node:
        value, block = reader.input(), int(reader.option("block_size", 0))
        shape = value.shape
        if len(shape) != 4 or block < 1:
            reader.wrong(f"cuts {list(shape)} into blocks of {block}")
        cut = shape[1:3] if kind is SpaceToDepth else (shape[3],)
        if any(size % (block if kind is SpaceToDepth else block**2) for size in cut):
            reader.wrong(f"cuts {list(shape)} into blocks of {block}")
        same(reader, value, reader.output)
        return kind(reader.name, reader.position, [value], [reader.output], block)

    return read


RECORDS = (
    OperatorRecord("TILE", Tile, tile, MOVES, version=1),
    OperatorRecord("SPACE_TO_DEPTH", SpaceToDepth, blocks(SpaceToDepth), MOVES, "SpaceToDepthOptions"),
    OperatorRecord("DEPTH_TO_SPACE", DepthToSpace, blocks(DepthToSpace), MOVES, "DepthToSpaceOptions", 1),
)
