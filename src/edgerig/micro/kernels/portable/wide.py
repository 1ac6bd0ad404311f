"""int8 layers with weights of 16 bits: of uint8 networks, without their zero point."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgerig.micro.arithmetic.requantize import requantization
from edgerig.micro.ir import Conv2D, DepthwiseConv2D, FullyConnected, Node, Weighted
from edgerig.micro.kernels.base import Context, Kernel, Lowered
from edgerig.micro.kernels.portable.common import channel_table, files, struct
from edgerig.micro.options import Options


class _Wide(Kernel):
    wide = True

    def accepts(self, node: Node, options: Options) -> bool:
        assert isinstance(node, Weighted)
        return (node.input.dtype, node.weights.dtype, node.output.dtype) == ("int8", "int16", "int8")

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Weighted)
        requantize = requantization(node)
        bias = np.zeros_like(requantize.bias) if node.bias is None else node.bias.array.reshape(-1)
        scales = channel_table(
            context, bias, requantize.multipliers, requantize.exponents, [node.bias] if node.bias else []
        )
        settings = context.struct(
            "wide",
            "micro_wide_s8",
            struct(
                **_sizes(node),
                input_zero=node.input.zero_point,
                output_zero=requantize.zero_point,
                low=requantize.low,
                high=requantize.high,
                once=int(requantize.once),
                weights=context.constant("weights", node.weights.array, stands_for=[node.weights]),
                scales=scales,
            ),
        )
        return files(
            f"micro_wide_s8_run(&{settings}, {context.read(node.input)}, {context.write(node.output)});",
            "micro_wide_s8",
        )


def _sizes(node: Weighted) -> dict[str, Any]:
    ones = dict.fromkeys(("kernel_height", "kernel_width", "stride_y", "stride_x", "dilation_y", "dilation_x"), 1)
    if isinstance(node, FullyConnected):
        channels, depth = node.weights.shape
        image = {"height": 1, "width": node.rows, "depth": depth, "out_height": 1, "out_width": node.rows}
        return {**image, **ones, "channels": channels, "channel": depth, "tap": depth}
    assert isinstance(node, Conv2D | DepthwiseConv2D)
    _, height, width, depth = node.input.shape
    _, out_height, out_width, channels = node.output.shape
    each = isinstance(node, DepthwiseConv2D)
    return {
        "height": height,
        "width": width,
        "depth": depth,
        "kernel_height": node.kernel[0],
        "kernel_width": node.kernel[1],
        "stride_y": node.stride[0],
        "stride_x": node.stride[1],
        "dilation_y": node.dilation[0],
        "dilation_x": node.dilation[1],
        "top": node.padding.top,
        "left": node.padding.left,
        "out_height": out_height,
        "out_width": out_width,
        "channels": channels,
        "multiplier": node.multiplier if isinstance(node, DepthwiseConv2D) else 0,
        "tap": channels if each else depth,
        "channel": 1 if each else depth * node.kernel[0] * node.kernel[1],
    }


class WideConv(_Wide):
    """CONV_2D."""

    name = "portable-conv-wide-s8"
    node = Conv2D


class WideDepthwise(_Wide):
    """DEPTHWISE_CONV_2D."""

    name = "portable-depthwise-wide-s8"
    node = DepthwiseConv2D


class WideDense(_Wide):
    """FULLY_CONNECTED."""

    name = "portable-dense-wide-s8"
    node = FullyConnected
