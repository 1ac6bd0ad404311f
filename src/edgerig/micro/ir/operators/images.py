"""Pooling and resizing of images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from edgerig.micro.ir.core import NO_PADDING, Node, Padding, Sizes
from edgerig.micro.ir.operators.reader import Builder, OperatorReader, same
from edgerig.micro.ir.operators.record import OperatorRecord, Row
from edgerig.micro.ir.operators.windows import window_count, windows


@dataclass(eq=False)
class Pool2D(Node):
    """Pooling over windows of ``window`` (height, width)."""

    window: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: Padding = NO_PADDING
    activation: str = "NONE"

    @property
    def macs(self) -> int:
        return 0

    def output_shapes(self) -> tuple[Sizes, ...]:
        size = window_count(self.input.shape, self.window, self.stride, (1, 1), self.padding)
        return ((1, *size, self.input.shape[3]),)


class MaxPool2D(Pool2D):
    """Maximum of each window."""

    op: ClassVar[str] = "MAX_POOL_2D"


@dataclass(eq=False)
class AveragePool2D(Pool2D):
    """Mean of each window, padding excluded.

    ``unsigned``: the integers stand for those of uint8, 128 more, of which halves are rounded up; of int8 they are
    rounded away from zero.
    """

    op: ClassVar[str] = "AVERAGE_POOL_2D"
    unsigned: bool = False


@dataclass(eq=False)
class Resize(Node):
    """Resizing of the image to the output's height and width."""

    align_corners: bool = False
    half_pixel_centers: bool = False

    @property
    def macs(self) -> int:
        return 0

    def output_shapes(self) -> tuple[Sizes, ...]:
        return ((1, *self.output.shape[1:3], self.input.shape[3]),)


class ResizeNearest(Resize):
    """By the nearest pixel."""

    op: ClassVar[str] = "RESIZE_NEAREST_NEIGHBOR"


class ResizeBilinear(Resize):
    """By the four pixels around."""

    op: ClassVar[str] = "RESIZE_BILINEAR"


def pool(kind: type[Pool2D]) -> Builder:
    """Reads MAX_POOL_2D, AVERAGE_POOL_2D."""

    def read(reader: OperatorReader) -> Node:
        image = reader.image()
        window = reader.pair("filter_height", "filter_width")
        padding, stride = windows(reader, image, window)
        same(reader, image, reader.output)
        return kind(*reader.parts(), window, stride, padding, reader.activation())

    return read


def resize(kind: type[Resize]) -> Builder:
    """Reads RESIZE_NEAREST_NEIGHBOR, RESIZE_BILINEAR."""

    def read(reader: OperatorReader) -> Node:
        image = reader.image()
        size = reader.constant(1)
        if len(size) != 2 or min(size) < 1:
            reader.wrong(f"resizes to {size}")
        reader.makes((1, *size, image.shape[3]))
        same(reader, image, reader.output)
        corners, centers = bool(reader.option("align_corners")), bool(reader.option("half_pixel_centers"))
        return kind(reader.name, reader.position, [image], [reader.output], corners, centers)

    return read


_POOLS, _RESIZES = Row(), Row()

RECORDS = (
    OperatorRecord("MAX_POOL_2D", MaxPool2D, pool(MaxPool2D), _POOLS, "Pool2DOptions"),
    OperatorRecord("AVERAGE_POOL_2D", AveragePool2D, pool(AveragePool2D), _POOLS, "Pool2DOptions"),
    OperatorRecord(
        "RESIZE_NEAREST_NEIGHBOR", ResizeNearest, resize(ResizeNearest), _RESIZES, "ResizeNearestNeighborOptions"
    ),
    OperatorRecord("RESIZE_BILINEAR", ResizeBilinear, resize(ResizeBilinear), _RESIZES, "ResizeBilinearOptions"),
)
