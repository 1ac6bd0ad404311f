"""Convolutions and dense layers of int16x8, and of int8 with weights of 4 bits: products of two inputs an instruction.

Weights stay in flash as the file has them, 8 bits or two to a byte, and are unpacked in the inner loop. 1.1
instructions a multiply-accumulate, 1.5 of one pixel, 1.6 of packed weights; 60 to 70 an output, whose sum has 64 bits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.arithmetic.int16 import requantization16
from edgerig.micro.arithmetic.requantize import RANGES, requantization
from edgerig.micro.c_text import initializer
from edgerig.micro.ir import Conv2D, DepthwiseConv2D, FullyConnected, Node, Weighted
from edgerig.micro.kernels.access import by_groups, by_pixels, by_runs, window_begins
from edgerig.micro.kernels.base import Context, Kernel, Lowered
from edgerig.micro.kernels.cortex_m.sources import calling
from edgerig.micro.kernels.refusals import Answer, require
from edgerig.micro.options import Options

NEEDS = frozenset({"thumb2", "dsp"})
#: Inputs of a step, of weights of 8 bits and of 4.
_STEP, _PACKED_STEP = 4, 8
#: Steps of which a sum of int16 by int8 stays within 32 bits: 127 times 4 products of at most 2**22.
_CHUNK = 127
#: Of a pixel, of which 16 times a sum of int8 by 4 bits stays within 32 bits.
_MOST_INPUTS = 1 << 16
#: Channels of a depthwise convolution that go together.
_LANES = 4
#: Taps of a depthwise window of which the same is true.
_MOST_TAPS = 511


@dataclass(frozen=True)
class _Scales:
    """What scales sums of 64 bits, as ``er_wide_<function>`` does, and how their outputs are clamped.

    Attributes:
        shifts: To the right.
        limits: Zero point, lowest and highest output.
    """

    function: str
    bias: NDArray[np.int64]
    multipliers: NDArray[np.int32]
    shifts: NDArray[np.int32]
    limits: tuple[int, int, int]


def _scales(node: Weighted) -> _Scales:
    if node.input.dtype == "int16":
        wide = requantization16(node)
        once = "short" if (wide.multipliers < 1 << 15).all() else "long"
        limits = (0, wide.low, wide.high)
        return _Scales(once if wide.once else "twice", wide.bias, wide.multipliers, wide.shifts, limits)
    scales = requantization(node)
    limits = (scales.zero_point, scales.low, scales.high)
    shifts = np.asarray(31 - scales.exponents, np.int32)
    function = "once" if scales.once else "twice"
    return _Scales(function, scales.bias.astype(np.int64), scales.multipliers, shifts, limits)


def _narrow(node: Weighted, scales: _Scales) -> NDArray[np.int32] | None:
    """Rows of an er_wide_channel; None where sums may need more than 32 bits, or scales are out of range."""
    weights = np.abs(node.weights.array.astype(np.int64))
    axes = (0, 1, 2) if isinstance(node, DepthwiseConv2D) else tuple(range(1, weights.ndim))
    reach = np.abs(scales.bias.astype(np.float64)) + weights.sum(axes) * float(-RANGES[node.input.dtype][0])
    twice, none = scales.function == "twice", scales.multipliers == 0
    # A multiplier of 16 bits as one of 31.
    more = 16 if scales.function == "short" else 0
    multipliers = scales.multipliers.astype(np.int64) << more
    shifts = np.where(none, 40, scales.shifts.astype(np.int64) + more) - (31 if twice else 32)
    if (reach >= (1 << 30 if twice else 1 << 31)).any() or (shifts < (0 if twice else 1)).any() or (shifts > 31).any():
        return None
    halves = (np.int64(1) << shifts) >> 1
    rows = [scales.bias * (2 if twice else 1), multipliers, halves, shifts, -(shifts > 0).astype(np.int64)]
    return np.stack(rows, 1).astype(np.int32)


class _Wide(Kernel):
    needs = NEEDS
    node = Weighted
    kinds: tuple[str, str, str]

    def accepts(self, node: Node, options: Options) -> Answer:
        if not isinstance(node, Conv2D | FullyConnected) or node.weights.packed != self.packed:
            return False
        if (node.input.dtype, node.weights.dtype, node.output.dtype) != self.kinds:
            return False
        inputs = math.prod(node.weights.shape[1:])
        return require(inputs < _MOST_INPUTS, f"{inputs:,} inputs of a pixel, less than {_MOST_INPUTS:,} are needed")

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Conv2D | FullyConnected)
        matrix = node.weights.array.reshape(node.weights.shape[0], -1)
        step = _PACKED_STEP if self.packed else _STEP
        column = -(-matrix.shape[1] // step) * step
        pixels = node.output.elements // len(matrix)
        direct = not self.packed and column == matrix.shape[1] and _side_by_side(node)
        packed = two_to_a_byte(matrix) if self.packed else pairs(matrix)
        weights = context.constant("weights", packed, stands_for=[node.weights])
        text = _fields(
            node, weights, context, (len(matrix), pixels, column // step), 0 if direct else column, self.packed
        )
        layer = context.struct("layer", "er_wide", text)
        columns = "0" if direct else context.scratch(2 * column * 2, "int16_t")
        call = f"er_wide_layer(&{layer}, {context.read(node.input)}, {context.write(node.output)}, {columns});"
        lowered = calling(call, "er_wide.h", "er_wide.c", "er_wide.S")
        if isinstance(node, FullyConnected):
            return lowered
        begins = window_begins(node)
        # Inputs that lie side by side are read again after some outputs were written.
        return replace(
            lowered, accesses=(by_runs(node.output, node.input, begins, range(0, begins.size, 2), mixed=direct),)
        )


class WideLayer(_Wide):
    """CONV_2D and FULLY_CONNECTED of int16 by int8."""

    name = "wide-s16"
    kinds = ("int16", "int8", "int16")


class PackedLayer(_Wide):
    """CONV_2D and FULLY_CONNECTED of int8 by weights of 4 bits."""

    name = "packed-4bit"
    kinds = ("int8", "int8", "int8")
    packed = True


class WideDepthwise(Kernel):
    """DEPTHWISE_CONV_2D of int16 by int8; the weights take 16 bits in flash."""

    name = "wide-depthwise-s16"
    needs = NEEDS
    node = DepthwiseConv2D

    def accepts(self, node: Node, options: Options) -> Answer:
        assert isinstance(node, DepthwiseConv2D)
        if (node.input.dtype, node.weights.dtype, node.output.dtype) != ("int16", "int8", "int16"):
            return False
        taps = math.prod(node.kernel)
        return require(node.multiplier == 1, f"{node.multiplier} outputs of each channel, one is needed") and require(
            taps <= _MOST_TAPS, f"a window of {taps:,} taps, at most {_MOST_TAPS}"
        )

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, DepthwiseConv2D)
        weights = context.constant("weights", node.weights.array.astype(np.int16), stands_for=[node.weights])
        _, height, width, channels = node.output.shape
        layer = context.struct("layer", "er_wide", _fields(node, "0", context, (channels, height * width, 1), 0, False))
        call = f"er_wide_depthwise(&{layer}, {weights}, {context.read(node.input)}, {context.write(node.output)});"
        lowered = calling(call, "er_wide_depthwise.h", "er_wide_depthwise.c", "er_wide.c", "er_wide.S")
        begins = window_begins(node)
        # Four channels of a pixel are read and written, then the next; fewer than four one by one.
        access = (
            by_pixels(node.output, node.input, begins, mixed=True)
            if channels < _LANES
            else by_groups(node.output, node.input, begins, _LANES)
        )
        return replace(lowered, accesses=(access,))


def _fields(node: Weighted, weights: str, context: Context, counts: Sequence[int], column: int, packed: bool) -> str:
    """The er_wide in C. ``counts``: channels, pixels, steps."""
    scales = _scales(node)
    stands_for, narrow = [node.bias] if node.bias else [], _narrow(node, scales)
    if narrow is not None:
        table = context.constant("scales", narrow, stands_for=stands_for)
        how = ["0", "0", "0", "0", f"(const er_wide_channel *){table}", int(scales.function == "twice")]
    else:
        constants = [
            context.constant("bias", scales.bias, stands_for=stands_for),
            context.constant("multipliers", scales.multipliers),
            context.constant("shifts", scales.shifts),
        ]
        how = [*constants, f"er_wide_{scales.function}", "0", 0]
    nbytes = 2 if node.input.dtype == "int16" else 1
    chunk = counts[2] if packed else _CHUNK
    numbers = [*counts, chunk, column, int(packed), nbytes, nbytes, node.input.zero_point, *scales.limits]
    return initializer([weights, *how, *numbers, *_geometry(node)])


def _geometry(node: Weighted) -> list[int]:
    if isinstance(node, FullyConnected):
        rows, depth = node.rows, node.weights.shape[1]
        return [1, rows, depth, 1, 1, 1, 1, 1, 1, 0, 0, rows]
    assert isinstance(node, Conv2D | DepthwiseConv2D)
    window = [*node.kernel, *node.stride, *node.dilation, node.padding.top, node.padding.left]
    return [*node.input.shape[1:], *window, node.output.shape[2]]


def _side_by_side(node: Weighted) -> bool:
    """The inputs of each pixel follow those of the one before it."""
    if isinstance(node, FullyConnected):
        return True
    assert isinstance(node, Conv2D)
    return node.padding.none and node.kernel == (1, 1) and node.stride == (1, 1)


def _in_pairs(matrix: NDArray[Any], step: int) -> NDArray[np.int8]:
    """Weights (O, K) as (pairs of channels, steps, 2, step)."""
    filled = np.pad(matrix.astype(np.int8), ((0, len(matrix) % 2), (0, -matrix.shape[1] % step)))
    return np.asarray(filled.reshape(len(filled) // 2, 2, -1, step).transpose(0, 2, 1, 3))


#: Which of four inputs each byte of a word goes with.
_BYTES = [0, 2, 1, 3]


def pairs(matrix: NDArray[Any]) -> NDArray[np.int8]:
    """Weights of 8 bits as er_wide.S reads them."""
    return np.ascontiguousarray(_in_pairs(matrix, _STEP)[..., _BYTES])


def two_to_a_byte(matrix: NDArray[Any]) -> NDArray[np.int8]:
    """Weights of 4 bits likewise: of eight inputs the first four in the upper halves of the bytes."""
    halves = _in_pairs(matrix, _PACKED_STEP).view(np.uint8) & 15
    upper, lower = halves[..., :4][..., _BYTES], halves[..., 4:][..., _BYTES]
    return np.ascontiguousarray(upper << 4 | lower).view(np.int8)
