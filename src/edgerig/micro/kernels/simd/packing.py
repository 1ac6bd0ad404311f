"""What kernels of the CPU ``simd`` share: weights in blocks of 16 output channels, scales, images with borders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.arithmetic.requantize import Requantization, requantization, weight_sums
from edgerig.micro.ir import Conv2D, DepthwiseConv2D, FullyConnected, Padding, Value, Weighted
from edgerig.micro.kernels.access import NOTHING, Access
from edgerig.micro.kernels.base import Context, Lowered
from edgerig.micro.kernels.portable.common import struct
from edgerig.micro.kernels.refusals import Answer, require

FOLDER = Path(__file__).parent
NEEDS = frozenset({"simd"})
#: Output channels side by side, whatever the width of vectors.
BLOCK = 16
#: Bytes behind an image with borders that vectors may read.
BEHIND = 64


@dataclass(frozen=True)
class Window:
    """The image that a convolution or dense layer sees, as (height, width, depth), and its window."""

    image: tuple[int, int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: Padding
    output: tuple[int, int]

    @property
    def rows(self) -> int:
        """Of the image with its borders, as far as windows reach."""
        return self._reach(0)

    @property
    def columns(self) -> int:
        """Likewise."""
        return self._reach(1)

    def _reach(self, axis: int) -> int:
        return (self.output[axis] - 1) * self.stride[axis] + (self.kernel[axis] - 1) * self.dilation[axis] + 1

    @property
    def elements(self) -> int:
        """Of the image with its borders."""
        return self.rows * self.columns * self.image[2]

    def fields(self, itemsize: int) -> str:
        """``er_image``, in bytes."""
        height, width, depth = self.image
        return struct(
            height=height,
            width=width,
            pixel=depth * itemsize,
            top=self.padding.top,
            left=self.padding.left,
            rows=self.rows,
            columns=self.columns,
        )

    def taps(self) -> NDArray[np.int32]:
        """Elements from the window's first one to each pixel that it sees, (kernel height, kernel width)."""
        rows = np.arange(self.kernel[0], dtype=np.int32)[:, None] * (self.dilation[0] * self.columns)
        return (rows + np.arange(self.kernel[1], dtype=np.int32) * self.dilation[1]) * np.int32(self.image[2])


def window_of(node: Weighted) -> Window:
    """Of a convolution; of a dense layer one pixel for each vector."""
    if isinstance(node, FullyConnected):
        image, ones = (1, node.rows, node.weights.shape[1]), (1, 1)
        return Window(image, ones, ones, ones, Padding(0, 0, 0, 0), (1, node.rows))
    assert isinstance(node, Conv2D | DepthwiseConv2D)
    _, height, width, depth = node.input.shape
    _, out_height, out_width, _ = node.output.shape
    return Window(
        (height, width, depth), node.kernel, node.stride, node.dilation, node.padding, (out_height, out_width)
    )


def one_image(value: Value) -> Answer:
    """Windows see one image."""
    return require(len(value.shape) != 4 or value.shape[0] == 1, "several images")


def in_blocks(array: NDArray[Any]) -> NDArray[Any]:
    """(channels, ...) to (blocks, 16, ...), filled up with zeros."""
    short = -array.shape[0] % BLOCK
    filled = np.pad(array, ((0, short), *[(0, 0)] * (array.ndim - 1)))
    return filled.reshape(-1, BLOCK, *array.shape[1:])


def scales(context: Context, node: Weighted) -> tuple[str, Requantization]:
    """An array of ``er_scales``, one for each block of output channels."""
    requantize = requantization(node)
    exponents = requantize.exponents.astype(np.int64)
    left = np.zeros_like(exponents) if requantize.once else np.maximum(exponents, 0)
    right = 31 - exponents if requantize.once else np.maximum(-exponents, 0)
    columns = (requantize.bias, 128 * weight_sums(node), requantize.multipliers, left, right)
    # Sums of biased inputs wrap around, and so may what is taken off them.
    table = np.stack([np.asarray(column, np.int64).astype(np.int32) for column in columns], axis=1)
    blocks = in_blocks(table).transpose(0, 2, 1)
    if requantize.once:
        blocks[:, 4][blocks[:, 4] == 0] = 1
    name = context.constant("scales", blocks, alignment=64, stands_for=[node.bias] if node.bias else [])
    return f"(const er_scales *){name}", requantize


def read_first(lowered: Lowered, output: Value, source: Value) -> Lowered:
    """The whole input is read before anything is written."""
    access = Access(output, source, np.array([0, NOTHING]), np.array([0, output.nbytes]))
    return Lowered(**{**vars(lowered), "accesses": (access,)})


def calling(body: str, *sources: str) -> Lowered:
    """A body that calls what the named C files define."""
    return Lowered(body, tuple(FOLDER / f"{name}.c" for name in sources), (f"{sources[0]}.h",))
