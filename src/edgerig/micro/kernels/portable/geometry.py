"""What convolutions of int8 and of float have in common: sizes, windows, and max pooling fused into them."""

from __future__ import annotations

from typing import Any, ClassVar

from edgerig.micro.ir import Conv2D, DepthwiseConv2D, FullyConnected, Fused, MaxPool2D, Node, TransposeConv, Value
from edgerig.micro.kernels.base import Context, Lowered
from edgerig.micro.kernels.portable.common import Portable


def _window(node: Conv2D | DepthwiseConv2D | TransposeConv) -> dict[str, int]:
    """Fields that all structs of layers with windows have: the input, the window, its steps and the padding."""
    _, height, width, depth = node.input.shape
    return {
        "height": height,
        "width": width,
        "depth": depth,
        "kernel_height": node.kernel[0],
        "kernel_width": node.kernel[1],
        "stride_y": node.stride[0],
        "stride_x": node.stride[1],
        "top": node.padding.top,
        "left": node.padding.left,
    }


def window_sizes(node: Conv2D | DepthwiseConv2D) -> dict[str, int]:
    """Fields of a struct for the input of a convolution and its window."""
    return {**_window(node), "dilation_y": node.dilation[0], "dilation_x": node.dilation[1]}


def transposed_sizes(node: TransposeConv) -> dict[str, int]:
    """Fields of the struct of a transposed convolution of integers."""
    _, out_height, out_width, channels = node.output.shape
    return {**_window(node), "out_height": out_height, "out_width": out_width, "channels": channels}


def conv_sizes(node: Conv2D, pool: MaxPool2D | None, output: Value) -> dict[str, Any]:
    """Fields of the struct of a convolution, with or without a maximum of its sums."""
    window, step = (pool.window, pool.stride) if pool else ((1, 1), (1, 1))
    return {
        **window_sizes(node),
        "out_width": output.shape[2],
        "pixels": output.shape[1] * output.shape[2],
        "channels": output.shape[3],
        "pool_height": window[0],
        "pool_width": window[1],
        "pool_stride_y": step[0],
        "pool_stride_x": step[1],
    }


def is_pointwise(node: Conv2D) -> bool:
    """Windows of one pixel, all of them one after the other; or one window that is the whole image."""
    whole = node.weights.shape[1:] == node.input.shape[1:] and node.output.shape[1:3] == (1, 1)
    return node.padding.none and (whole or (node.kernel == (1, 1) and node.stride == (1, 1)))


def dense_sizes(node: FullyConnected) -> dict[str, Any]:
    """Fields of the struct of a dense layer that runs as a convolution of 1x1, a pixel for each vector."""
    channels, depth = node.weights.shape
    ones = dict.fromkeys(("kernel_height", "kernel_width", "stride_y", "stride_x", "dilation_y", "dilation_x"), 1)
    image = {"height": 1, "width": node.rows, "depth": depth}
    return {**image, **ones, "top": 0, "left": 0, "out_width": node.rows, "pixels": node.rows, "channels": channels}


class ConvPool(Portable):
    """Convolution and max pooling: the maximum is taken of sums; outputs that pooling drops are not computed."""

    pattern: ClassVar[tuple[type[Node], ...]] = (Conv2D, MaxPool2D)

    def _fits(self, node: Node) -> bool:
        return pools_whole(*conv_and_pool(node))

    def lower(self, node: Node, context: Context) -> Lowered:
        return self.lower_both(*conv_and_pool(node), context)

    def lower_both(self, conv: Conv2D, pool: MaxPool2D, context: Context) -> Lowered:
        """Both as C."""
        raise NotImplementedError


def conv_and_pool(node: Node) -> tuple[Conv2D, MaxPool2D]:
    """The two parts of a fused node."""
    assert isinstance(node, Fused)
    conv, pool = node.parts
    assert isinstance(conv, Conv2D)
    assert isinstance(pool, MaxPool2D)
    return conv, pool


def pools_whole(conv: Conv2D, pool: MaxPool2D) -> bool:
    """Max pooling without padding, of windows that do not overlap, that keeps the scale: done before requantizing."""
    return (
        pool.padding.none
        and pool.activation == "NONE"
        and pool.stride[0] >= pool.window[0]
        and pool.stride[1] >= pool.window[1]
        and pool.output.quantization == conv.output.quantization
    )
