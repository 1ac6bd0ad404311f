"""int8 layers whose weights take 16 bits (of uint8 networks, without their zero point) or 4 bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.arithmetic.requantize import requantization
from edgerig.micro.ir import Conv2D, DepthwiseConv2D, FullyConnected, Node, Weighted
from edgerig.micro.kernels.base import Context, Kernel, Lowered
from edgerig.micro.kernels.portable.common import FOLDER, channel_table, struct
from edgerig.micro.kernels.portable.geometry import window_sizes
from edgerig.micro.options import Options


class _Windows(Kernel):
    """Output by output, weights as they are stored."""

    supports = "int8 with weights of int8, int4 or, of uint8 networks, 9 bits"

    def accepts(self, node: Node, options: Options) -> bool:
        assert isinstance(node, Weighted)
        kind = "int16" if self.wide else "int8"
        known = (node.input.dtype, node.weights.dtype, node.output.dtype) == ("int8", kind, "int8")
        return known and node.weights.packed == self.packed

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Weighted)
        requantize = requantization(node)
        bias = np.zeros_like(requantize.bias) if node.bias is None else node.bias.array.reshape(-1)
        scales = channel_table(
            context, bias, requantize.multipliers, requantize.exponents, [node.bias] if node.bias else []
        )
        content = two_to_a_byte(node.weights.array) if self.packed else node.weights.array
        text = struct(
            **sizes(node),
            input_zero=node.input.zero_point,
            output_zero=requantize.zero_point,
            low=requantize.low,
            high=requantize.high,
            once=int(requantize.once),
            weights=context.constant("weights", content, stands_for=[node.weights]),
            scales=scales,
        )
        name = "micro_packed_s8" if self.packed else "micro_wide_s8"
        settings = context.struct("windows", "micro_window_s8", text)
        call = f"{name}_run(&{settings}, {context.read(node.input)}, {context.write(node.output)});"
        sources = (f"{name}.c", "micro_window_s8.h", "micro_window_walk.h")
        return Lowered(call, tuple(FOLDER / source for source in sources), ("micro_window_s8.h",))


def two_to_a_byte(numbers: NDArray[Any]) -> NDArray[np.uint8]:
    """Numbers of 4 bits as TFLite stores them, the first in the lower half of a byte."""
    flat = numbers.reshape(-1).astype(np.int8).view(np.uint8) & 15
    pairs = np.pad(flat, (0, flat.size % 2)).reshape(-1, 2)
    return np.asarray(pairs[:, 0] | pairs[:, 1] << 4, np.uint8)


def sizes(node: Weighted) -> dict[str, Any]:
    """Fields of the struct of a layer that goes window by window."""
    ones = dict.fromkeys(("kernel_height", "kernel_width", "stride_y", "stride_x", "dilation_y", "dilation_x"), 1)
    if isinstance(node, FullyConnected):
        channels, depth = node.weights.shape
        image = {"height": 1, "width": node.rows, "depth": depth, "out_height": 1, "out_width": node.rows}
        return {**image, **ones, "channels": channels, "channel": depth, "tap": depth}
    assert isinstance(node, Conv2D | DepthwiseConv2D)
    depth = node.input.shape[-1]
    _, out_height, out_width, channels = node.output.shape
    each = isinstance(node, DepthwiseConv2D)
    return {
        **window_sizes(node),
        "out_height": out_height,
        "out_width": out_width,
        "channels": channels,
        "multiplier": node.multiplier if isinstance(node, DepthwiseConv2D) else 0,
        "tap": channels if each else depth,
        "channel": 1 if each else depth * node.kernel[0] * node.kernel[1],
    }


class WideConv(_Windows):
    """CONV_2D of 16 bits."""

    name = "portable-conv-wide-s8"
    node = Conv2D
    wide = True


class WideDepthwise(_Windows):
    """DEPTHWISE_CONV_2D of 16 bits."""

    name = "portable-depthwise-wide-s8"
    node = DepthwiseConv2D
    wide = True


class WideDense(_Windows):
    """FULLY_CONNECTED of 16 bits."""

    name = "portable-dense-wide-s8"
    node = FullyConnected
    wide = True


class PackedConv(_Windows):
    """CONV_2D of 4 bits."""

    name = "portable-conv-4bit-s8"
    node = Conv2D
    packed = True


class PackedDepthwise(_Windows):
    """DEPTHWISE_CONV_2D of 4 bits."""

    name = "portable-depthwise-4bit-s8"
    node = DepthwiseConv2D
    packed = True


class PackedDense(_Windows):
    """FULLY_CONNECTED of 4 bits."""

    name = "portable-dense-4bit-s8"
    node = FullyConnected
    packed = True
