"""int8 convolutions and dense layers."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from edgerig.micro import ir
from edgerig.micro.arithmetic.requantize import Requantization, requantization
from edgerig.micro.ir import Conv2D, DepthwiseConv2D, FullyConnected, Fused, MaxPool2D, Node, TransposeConv, Weighted
from edgerig.micro.kernels.base import Context, Lowered
from edgerig.micro.kernels.portable.common import FOLDER, Portable, channel_table, padded_rows, struct

#: Rows of weights are filled up to a multiple of this: for vector units, or not at all to save flash.
VECTOR = {"speed": 16, "size": 1}

INT8: tuple[tuple[str, str], ...] = (("int8", "int8"),)


def _table(context: Context, node: Weighted, how: Requantization) -> str:
    return channel_table(context, how.bias, how.multipliers, how.exponents, [node.bias] if node.bias else [])


def _rows(context: Context, node: Weighted) -> Any:
    weights = node.weights.array
    return padded_rows(weights.reshape(weights.shape[0], -1), VECTOR[context.options.optimize])


def _with_dot(body: str, source: str) -> Lowered:
    return Lowered(body, (FOLDER / f"{source}.c", FOLDER / "micro_dot.c"), (f"{source}.h",))


def _conv_struct(context: Context, node: Conv2D, pool: MaxPool2D | None, output: ir.Value) -> tuple[str, int]:
    how = requantization(node)
    rows = _rows(context, node)
    weights = context.constant("weights", rows, stands_for=[node.weights])
    _, height, width, depth = node.input.shape
    window, step = (pool.window, pool.stride) if pool else ((1, 1), (1, 1))
    text = struct(
        height=height, width=width, depth=depth, kernel_height=node.kernel[0], kernel_width=node.kernel[1],
        stride_y=node.stride[0], stride_x=node.stride[1], dilation_y=node.dilation[0], dilation_x=node.dilation[1],
        top=node.padding.top, left=node.padding.left, out_width=output.shape[2],
        pixels=output.shape[1] * output.shape[2], channels=output.shape[3],
        pool_height=window[0], pool_width=window[1], pool_stride_y=step[0], pool_stride_x=step[1],
        length=rows.shape[1], input_zero=node.input.zero_point, output_zero=how.zero_point,
        low=how.low, high=how.high, once=0, weights=weights, scales=_table(context, node, how),
    )  # fmt: skip
    return context.struct("conv", "micro_conv_s8", text), rows.shape[1]


class ConvS8(Portable):
    """Convolution of four output pixels at a time."""

    name = "portable-conv-s8"
    node = Conv2D
    types = INT8
    supports = "int8 with int8 weights and int32 bias; float32"

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Conv2D)
        settings, length = _conv_struct(context, node, None, node.output)
        columns = context.scratch(4 * length * 2, "int16_t")
        x, y = context.read(node.input), context.write(node.output)
        return _with_dot(f"micro_conv_s8_run(&{settings}, {x}, {y}, {columns});", "micro_conv_s8")


def pools_whole(conv: Conv2D, pool: MaxPool2D) -> bool:
    """Max pooling without padding, of windows that do not overlap, that keeps the scale: done before requantizing."""
    return (
        pool.padding.none
        and pool.activation == "NONE"
        and pool.stride[0] >= pool.window[0]
        and pool.stride[1] >= pool.window[1]
        and pool.output.quantization == conv.output.quantization
    )


class ConvPoolS8(Portable):
    """Convolution and max pooling: the maximum is taken of sums; what pooling drops is not computed."""

    name = "portable-conv-pool-s8"
    pattern: ClassVar[tuple[type[Node], ...]] = (Conv2D, MaxPool2D)
    types = INT8

    def _fits(self, node: Node) -> bool:
        assert isinstance(node, Fused)
        conv, pool = node.parts
        assert isinstance(conv, Conv2D)
        assert isinstance(pool, MaxPool2D)
        return pools_whole(conv, pool)

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Fused)
        conv, pool = node.parts
        assert isinstance(conv, Conv2D)
        assert isinstance(pool, MaxPool2D)
        settings, length = _conv_struct(context, conv, pool, node.output)
        columns = context.scratch(4 * length * 2, "int16_t")
        best = context.scratch(4 * node.output.shape[3], "int32_t")
        x, y = context.read(conv.input), context.write(node.output)
        return _with_dot(f"micro_conv_pool_s8_run(&{settings}, {x}, {y}, {columns}, {best});", "micro_conv_s8")


class DenseRowsS8(Portable):
    """A dense layer over several vectors, as a convolution of 1x1."""

    name = "portable-dense-rows-s8"
    node = FullyConnected
    types = INT8

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, FullyConnected)
        how = requantization(node)
        rows = _rows(context, node)
        channels, depth = node.weights.shape
        weights = context.constant("weights", rows, stands_for=[node.weights])
        text = struct(
            height=1, width=node.rows, depth=depth, kernel_height=1, kernel_width=1, stride_y=1, stride_x=1,
            dilation_y=1, dilation_x=1, top=0, left=0, out_width=node.rows, pixels=node.rows, channels=channels,
            length=rows.shape[1], input_zero=node.input.zero_point, output_zero=how.zero_point,
            low=how.low, high=how.high, once=int(how.once), weights=weights, scales=_table(context, node, how),
        )  # fmt: skip
        settings = context.struct("conv", "micro_conv_s8", text)
        columns = context.scratch(4 * rows.shape[1] * 2, "int16_t")
        x, y = context.read(node.input), context.write(node.output)
        return _with_dot(f"micro_conv_s8_run(&{settings}, {x}, {y}, {columns});", "micro_conv_s8")


class DenseS8(Portable):
    """A dense layer over one vector."""

    name = "portable-dense-s8"
    node = FullyConnected
    types = INT8
    supports = "int8 with int8 weights and int32 bias; float32"

    def _fits(self, node: Node) -> bool:
        assert isinstance(node, FullyConnected)
        return node.rows == 1

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, FullyConnected)
        how = requantization(node)
        rows = _rows(context, node)
        channels, depth = node.weights.shape
        weights = context.constant("weights", rows, stands_for=[node.weights])
        text = struct(
            depth=depth, channels=channels, length=rows.shape[1], output_zero=how.zero_point,
            low=how.low, high=how.high, weights=weights, scales=_table(context, node, how),
        )  # fmt: skip
        settings = context.struct("dense", "micro_dense_s8", text)
        column = context.scratch(rows.shape[1] * 2, "int16_t")
        x, y = context.read(node.input), context.write(node.output)
        return _with_dot(f"micro_dense_s8_run(&{settings}, {x}, {y}, {column});", "micro_dense_s8")


class DepthwiseS8(Portable):
    """Depthwise convolution, all channels of a pixel together."""

    name = "portable-depthwise-s8"
    node = DepthwiseConv2D
    types = INT8
    source = "micro_depthwise_s8"
    supports = "int8 with int8 weights and int32 bias; float32"

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, DepthwiseConv2D)
        how = requantization(node)
        weights = context.constant("weights", node.weights.array, stands_for=[node.weights])
        _, height, width, depth = node.input.shape
        text = struct(
            height=height, width=width, depth=depth, multiplier=node.multiplier,
            kernel_height=node.kernel[0], kernel_width=node.kernel[1], stride_y=node.stride[0],
            stride_x=node.stride[1], dilation_y=node.dilation[0], dilation_x=node.dilation[1],
            top=node.padding.top, left=node.padding.left, out_height=node.output.shape[1],
            out_width=node.output.shape[2], input_zero=node.input.zero_point, output_zero=how.zero_point,
            low=how.low, high=how.high, weights=weights, scales=_plain_table(context, node, how),
        )  # fmt: skip
        settings = context.struct("depthwise", "micro_depthwise_s8", text)
        x, y = context.read(node.input), context.write(node.output)
        return self.lowered(f"micro_depthwise_s8_run(&{settings}, {x}, {y});")


def _plain_table(context: Context, node: Weighted, how: Requantization) -> str:
    """The table with the bias as the file has it, for kernels that take the zero point off themselves."""
    bias = np.zeros_like(how.bias) if node.bias is None else node.bias.array.reshape(-1)
    return channel_table(context, bias, how.multipliers, how.exponents, [node.bias] if node.bias else [])


class TransposeConvS8(Portable):
    """Transposed convolution, output pixel by output pixel."""

    name = "portable-transpose-conv-s8"
    node = TransposeConv
    types = INT8
    source = "micro_transpose_conv_s8"
    supports = "int8 with int8 weights and int32 bias; float32"

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, TransposeConv)
        how = requantization(node)
        kernel = np.ascontiguousarray(node.weights.array.transpose(1, 2, 0, 3))
        weights = context.constant("weights", kernel, stands_for=[node.weights])
        _, height, width, depth = node.input.shape
        _, out_height, out_width, channels = node.output.shape
        text = struct(
            height=height, width=width, depth=depth, kernel_height=node.kernel[0], kernel_width=node.kernel[1],
            stride_y=node.stride[0], stride_x=node.stride[1], top=node.padding.top, left=node.padding.left,
            out_height=out_height, out_width=out_width, channels=channels, input_zero=node.input.zero_point,
            output_zero=how.zero_point, low=how.low, high=how.high, weights=weights,
            scales=_plain_table(context, node, how),
        )  # fmt: skip
        settings = context.struct("conv", "micro_transpose_conv_s8", text)
        sums = context.scratch(4 * channels, "int32_t")
        x, y = context.read(node.input), context.write(node.output)
        return self.lowered(f"micro_transpose_conv_s8_run(&{settings}, {x}, {y}, {sums});")
