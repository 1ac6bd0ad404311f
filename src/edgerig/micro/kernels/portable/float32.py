"""Float convolutions, pooling and resizing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.micro import ir
from edgerig.micro.arithmetic.requantize import real_range
from edgerig.micro.arithmetic.resize import bilinear_real
from edgerig.micro.c_text import initializer
from edgerig.micro.ir import Conv2D, DepthwiseConv2D, FullyConnected, MaxPool2D, Node, TransposeConv, Weighted
from edgerig.micro.kernels.access import by_pixels, pooled_begins, window_begins
from edgerig.micro.kernels.base import Context, Lowered
from edgerig.micro.kernels.portable.common import Portable, struct
from edgerig.micro.kernels.portable.elementwise import FLOAT32
from edgerig.micro.kernels.portable.geometry import ConvPool, conv_sizes, dense_sizes

#: Output channels computed together.
BLOCK = 8


def blocked(rows: NDArray[Any]) -> NDArray[np.float32]:
    """Weights (channels, length) in blocks of up to 8 channels, each with its channels side by side; flat."""
    parts = [rows[start : start + BLOCK].T.reshape(-1) for start in range(0, rows.shape[0], BLOCK)]
    return np.concatenate(parts).astype(np.float32)


def bias_of(context: Context, node: Weighted, channels: int) -> str:
    """The bias in weights.c, zeros where there is none."""
    if node.bias is None:
        return context.constant("bias", np.zeros(channels, np.float32))
    return context.constant("bias", node.bias.array.reshape(-1), stands_for=[node.bias])


def _conv(context: Context, node: Weighted, sizes: dict[str, Any]) -> tuple[str, str]:
    """The struct of ``micro_conv_f32`` and memory for a column of inputs."""
    rows = node.weights.array.reshape(node.weights.shape[0], -1)
    low, high = real_range(node.activation)
    text = struct(
        **sizes,
        length=rows.shape[1],
        low=low,
        high=high,
        weights=context.constant("weights", blocked(rows), stands_for=[node.weights]),
        bias=bias_of(context, node, rows.shape[0]),
    )
    return context.struct("conv", "micro_conv_f32", text), context.scratch(4 * rows.shape[1], "float")


class ConvF32(Portable):
    """Convolution, eight channels of a pixel at a time."""

    name = "portable-conv-f32"
    node = Conv2D
    types = FLOAT32
    source = "micro_conv_f32"

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Conv2D)
        settings, column = _conv(context, node, conv_sizes(node, None, node.output))
        x, y = context.read(node.input), context.write(node.output)
        access = by_pixels(node.output, node.input, window_begins(node))
        return replace(self.lowered(f"micro_conv_f32_run(&{settings}, {x}, {y}, {column});"), accesses=(access,))


class ConvPoolF32(ConvPool):
    """Convolution and max pooling of float."""

    name = "portable-conv-pool-f32"
    types = FLOAT32
    source = "micro_conv_f32"

    def lower_both(self, conv: Conv2D, pool: MaxPool2D, context: Context) -> Lowered:
        settings, column = _conv(context, conv, conv_sizes(conv, pool, pool.output))
        x, y = context.read(conv.input), context.write(pool.output)
        access = by_pixels(pool.output, conv.input, pooled_begins(conv, pool), mixed=True)
        return replace(self.lowered(f"micro_conv_pool_f32_run(&{settings}, {x}, {y}, {column});"), accesses=(access,))


class DenseF32(Portable):
    """A dense layer, as a convolution of 1x1."""

    name = "portable-dense-f32"
    node = FullyConnected
    types = FLOAT32
    source = "micro_conv_f32"

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, FullyConnected)
        settings, column = _conv(context, node, dense_sizes(node))
        x, y = context.read(node.input), context.write(node.output)
        return self.lowered(f"micro_conv_f32_run(&{settings}, {x}, {y}, {column});")


def _image(context: Context, node: Node, **more: Any) -> str:
    _, height, width, depth = node.input.shape
    _, out_height, out_width, channels = node.output.shape
    base = {
        "height": height,
        "width": width,
        "depth": depth,
        "dilation_y": 1,
        "dilation_x": 1,
        "out_height": out_height,
        "out_width": out_width,
        "channels": channels,
    }
    return context.struct("image", "micro_image_f32", struct(**{**base, **more}))


def _kernel(node: DepthwiseConv2D | TransposeConv) -> dict[str, Any]:
    low, high = real_range(node.activation)
    return {
        "kernel_height": node.kernel[0],
        "kernel_width": node.kernel[1],
        "stride_y": node.stride[0],
        "stride_x": node.stride[1],
        "top": node.padding.top,
        "left": node.padding.left,
        "low": low,
        "high": high,
    }


class DepthwiseF32(Portable):
    """Depthwise convolution."""

    name = "portable-depthwise-f32"
    node = DepthwiseConv2D
    types = FLOAT32
    source = "micro_image_f32"

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, DepthwiseConv2D)
        settings = _image(
            context,
            node,
            **_kernel(node),
            dilation_y=node.dilation[0],
            dilation_x=node.dilation[1],
            weights=context.constant("weights", node.weights.array, stands_for=[node.weights]),
            bias=bias_of(context, node, node.output.shape[3]),
        )
        x, y = context.read(node.input), context.write(node.output)
        access = by_pixels(node.output, node.input, window_begins(node), mixed=True)
        return replace(self.lowered(f"micro_depthwise_f32_run(&{settings}, {x}, {y});"), accesses=(access,))


class TransposeConvF32(Portable):
    """Transposed convolution."""

    name = "portable-transpose-conv-f32"
    node = TransposeConv
    types = FLOAT32
    source = "micro_image_f32"

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, TransposeConv)
        kernel = np.ascontiguousarray(node.weights.array.transpose(1, 2, 0, 3))
        settings = _image(
            context,
            node,
            **_kernel(node),
            weights=context.constant("weights", kernel, stands_for=[node.weights]),
            bias=bias_of(context, node, node.output.shape[3]),
        )
        x, y = context.read(node.input), context.write(node.output)
        return self.lowered(f"micro_transpose_conv_f32_run(&{settings}, {x}, {y});")


class PoolF32(Portable):
    """Max and average pooling."""

    name = "portable-pool-f32"
    node = ir.Pool2D
    types = FLOAT32
    source = "micro_image_f32"

    def settings(self, node: ir.Pool2D, context: Context) -> str:
        """The struct of a pooling."""
        low, high = real_range(node.activation)
        return _image(
            context,
            node,
            kernel_height=node.window[0],
            kernel_width=node.window[1],
            stride_y=node.stride[0],
            stride_x=node.stride[1],
            top=node.padding.top,
            left=node.padding.left,
            low=low,
            high=high,
        )

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, ir.Pool2D)
        settings = self.settings(node, context)
        x, y = context.read(node.input), context.write(node.output)
        call = "max" if isinstance(node, MaxPool2D) else "average"
        access = by_pixels(node.output, node.input, window_begins(node), mixed=True)
        return replace(self.lowered(f"micro_{call}_pool_f32_run(&{settings}, {x}, {y});"), accesses=(access,))


class ResizeF32(Portable):
    """Bilinear resizing."""

    name = "portable-resize-f32"
    node = ir.ResizeBilinear
    types = FLOAT32
    source = "micro_image_f32"

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, ir.ResizeBilinear)
        settings = _image(context, node)
        tables = []
        for name, axis in (("rows", 1), ("columns", 2)):
            lower, upper, weight = bilinear_real(node, axis)
            entries = [struct(lower=a, upper=b, weight=float(w)) for a, b, w in zip(lower, upper, weight, strict=True)]
            text = initializer(entries)
            tables.append(context.struct(name, "micro_tap_f32", text, len(entries)))
        rows, columns = tables
        x, y = context.read(node.input), context.write(node.output)
        return self.lowered(f"micro_resize_f32_run(&{settings}, {rows}, {columns}, {x}, {y});")
