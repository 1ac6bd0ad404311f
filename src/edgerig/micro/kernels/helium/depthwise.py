"""int8 depthwise convolutions of any window by Helium: bands of rows are copied with their padding, then multiplied.

Instructions counted on QEMU's Cortex-M55: for a window of 3x3, 8.4 to 10 an output in all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.arithmetic.requantize import Requantization, requantization
from edgerig.micro.c_text import initializer
from edgerig.micro.ir import DepthwiseConv2D, Node
from edgerig.micro.kernels.access import Access
from edgerig.micro.kernels.base import Context, Kernel, Lowered
from edgerig.micro.kernels.cortex_m.assembly import source
from edgerig.micro.kernels.cortex_m.sources import calling
from edgerig.micro.kernels.helium.depthwise_code import GROUP, UNROLLED, Shape, depthwise
from edgerig.micro.kernels.helium.scaling import NEEDS, rounding, scales_fit
from edgerig.micro.kernels.refusals import Answer, require
from edgerig.micro.options import Options

#: Bytes that the copied rows of a band may take, by thrift; one row of the output goes through in any case.
_PLANE = (8192, 2048, 0)
#: What loads of a group of channels may read behind the last row.
_SLACK = 16
#: Columns of a window, which are written out; channels, which a counter holds.
_MOST_COLUMNS, _MOST_CHANNELS = 48, 1 << 15


class DepthwiseVectors(Kernel):
    """Depthwise convolution of any window, stride, dilation and padding, one output of each channel."""

    name = "helium-depthwise"
    needs = NEEDS
    node = DepthwiseConv2D
    reversible = True
    mild = 1

    def accepts(self, node: Node, options: Options) -> Answer:
        if not isinstance(node, DepthwiseConv2D) or node.input.dtype != "int8" or node.output.dtype != "int8":
            return False
        line = _line(node)
        return (
            node.weights.dtype == "int8"
            and require(node.multiplier == 1, f"{node.multiplier} outputs of each channel, one is needed")
            and require(line.kernel[1] <= _MOST_COLUMNS, f"{line.kernel[1]} columns, at most {_MOST_COLUMNS}")
            and require(node.input.shape[3] <= _MOST_CHANNELS, f"{node.input.shape[3]} channels")
            and scales_fit(requantization(node))
        )

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, DepthwiseConv2D)
        scales, rows = requantization(node), _line(node)
        shape = _shape(rows, scales, context.options)
        code = depthwise(shape)
        context.structs.append(f"extern er_mve_depthwise_run {code.name};")
        weights = context.constant("weights", lambda: stream(node, scales), stands_for=tuple(node.inputs[1:]))
        reach = rows.reach
        allowed = (_PLANE[context.thrift] // rows.pitch - reach) // rows.stride[0] + 1
        band = min(max(1, allowed), rows.out[0])
        numbers = [
            initializer([weights, scales.zero_point, scales.low, scales.high]),
            code.name,
            *(rows.size[0], rows.size[1] * rows.channels, rows.out[0], rows.out[1] * rows.channels),
            *(rows.stride[0], reach, rows.before[0]),
            *(rows.before[1] * rows.channels, rows.pitch, rows.copied, band),
            *((rows.out[0] - 1) // band * band if context.backward else 0, -band if context.backward else band),
            node.input.zero_point,
        ]
        layer = context.struct("layer", "er_mve_depthwise", initializer(numbers))
        plane = context.scratch((reach + (band - 1) * rows.stride[0]) * rows.pitch + _SLACK)
        body = f"er_mve_depthwise_layer(&{layer}, {context.read(node.input)}, {context.write(node.output)}, {plane});"
        files = ("er_mve_depthwise.c", "er_mve_copy.S")
        lowered = calling(body, "er_mve_depthwise.h", *files, generated={f"{code.name}.S": source([code])})
        order = _backward if context.backward else _forward
        return replace(lowered, accesses=(order(node, rows, band),))


@dataclass(frozen=True)
class _Rows:
    """Geometry of the layer. An image of one column is taken for one row: its memory is the same.

    Attributes:
        size: Of the input; ``out``: of the output; ``before``: padding at the top and the left.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    size: tuple[int, int]
    out: tuple[int, int]
    before: tuple[int, int]
    channels: int

    @property
    def reach(self) -> int:
        """Rows that an output sees, gaps included."""
        return (self.kernel[0] - 1) * self.dilation[0] + 1

    @property
    def seen(self) -> int:
        """Columns of a padded row that windows see."""
        return (self.out[1] - 1) * self.stride[1] + (self.kernel[1] - 1) * self.dilation[1] + 1

    @property
    def pitch(self) -> int:
        """Bytes of a padded row."""
        return self.seen * self.channels

    @property
    def copied(self) -> int:
        """Bytes of a row of the input that windows see."""
        return max(min(self.size[1], self.seen - self.before[1]), 0) * self.channels


def _line(node: DepthwiseConv2D) -> _Rows:
    upright = node.input.shape[2] == node.output.shape[2] == node.kernel[1] == 1

    def turned(pair: Sequence[int]) -> tuple[int, int]:
        return (pair[1], pair[0]) if upright else (pair[0], pair[1])

    return _Rows(
        kernel=turned(node.kernel),
        stride=turned(node.stride),
        dilation=turned(node.dilation),
        size=turned(node.input.shape[1:3]),
        out=turned(node.output.shape[1:3]),
        before=turned((node.padding.top, node.padding.left)),
        channels=node.input.shape[3],
    )


def _shape(rows: _Rows, scales: Requantization, options: Options) -> Shape:
    return Shape(
        kernel=rows.kernel,
        column=rows.dilation[1] * rows.channels,
        row=rows.dilation[0] * rows.pitch,
        channels=rows.channels,
        width=rows.out[1],
        pixel=rows.stride[1] * rows.channels,
        down=rows.stride[0] * rows.pitch,
        rounding=rounding(scales),
        clamps=(scales.low > -128, scales.high < 127),
        rolled=rows.kernel[0] > 1 and rows.kernel[0] * rows.kernel[1] > UNROLLED[options.optimize],
    )


def _forward(node: DepthwiseConv2D, rows: _Rows, band: int) -> Access:
    """A band's rows are copied before any of its outputs is written."""
    first = np.arange(0, rows.out[0], band)
    reads = np.clip(first * rows.stride[0] - rows.before[0], 0, rows.size[0]) * (rows.size[1] * rows.channels)
    ends = np.minimum(first + band, rows.out[0]) * (rows.out[1] * rows.channels)
    return Access(node.output, node.input, reads, ends)


def _backward(node: DepthwiseConv2D, rows: _Rows, band: int) -> Access:
    """The same from the last band up."""
    first = np.arange(0, rows.out[0], band)[::-1]
    seen = (np.minimum(first + band, rows.out[0]) - 1) * rows.stride[0] - rows.before[0] + rows.reach
    reads = np.clip(seen, 0, rows.size[0]) * (rows.size[1] * rows.channels)
    return Access(node.output, node.input, reads, first * (rows.out[1] * rows.channels), backward=True)


def stream(node: DepthwiseConv2D, scales: Requantization) -> NDArray[np.int8]:
    """Weights, biases and scales as er_mve_depthwise.h says, a row for each eight channels."""
    channels = node.weights.shape[-1]
    taps, groups = node.weights.elements // channels, -(-channels // GROUP)
    weights = np.zeros((taps, groups * GROUP), np.int8)
    weights[:, :channels] = node.weights.array.reshape(taps, channels)
    numbers = np.zeros((3, groups * GROUP), "<i4")
    numbers[:, :channels] = scales.bias, scales.multipliers, scales.exponents
    by_group = weights.reshape(taps, groups, GROUP).transpose(1, 0, 2).reshape(groups, -1)
    # Number, group, pair, even or odd -> group, number, even or odd, pair.
    apart = numbers.reshape(3, groups, GROUP // 2, 2).transpose(1, 0, 3, 2)
    return np.concatenate([by_group, np.ascontiguousarray(apart).reshape(groups, -1).view(np.int8)], 1)
