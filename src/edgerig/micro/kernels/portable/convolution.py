"""int8 convolutions and dense layers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.arithmetic.requantize import RANGES, Requantization, requantization, weight_sums
from edgerig.micro.ir import Conv2D, DepthwiseConv2D, FullyConnected, MaxPool2D, Node, TransposeConv, Weighted
from edgerig.micro.kernels.access import (
    Access,
    by_channels,
    by_channels_backward,
    by_pixels,
    by_pixels_backward,
    by_runs,
    pooled_begins,
    window_begins,
    window_ends,
)
from edgerig.micro.kernels.base import Context, Lowered
from edgerig.micro.kernels.portable.common import FOLDER, Portable, channel_table, padded_rows, struct
from edgerig.micro.kernels.portable.geometry import ConvPool, conv_sizes, dense_sizes, transposed_sizes, window_sizes

#: Rows of weights are filled up to a multiple of this: for vector units, or not at all to save flash.
VECTOR = {"speed": 16, "size": 1}

#: Output pixels of a convolution whose windows are read before any of them is written.
_TILE = 4
#: Bytes of a pointer on any machine.
_POINTER = 8
INT8: tuple[tuple[str, str], ...] = (("int8", "int8"),)


def _table(context: Context, node: Weighted, requantize: Requantization) -> str:
    # A multiplier of 0 makes 0 with any exponent; -2 is in the range of all fast ways to scale.
    exponents = np.where(requantize.multipliers == 0, -2, requantize.exponents)
    return channel_table(context, requantize.bias, requantize.multipliers, exponents, [node.bias] if node.bias else [])


def _scaling(requantize: Requantization) -> str:
    """The struct ``micro_scaling``."""
    if requantize.joined:
        kind = "MICRO_WHOLE" if (requantize.low, requantize.high) == RANGES["int8"] else "MICRO_JOINED"
    else:
        kind = "MICRO_DOUBLED" if requantize.short else "MICRO_ANY"
    limits = {"output_zero": requantize.zero_point, "low": requantize.low, "high": requantize.high}
    return struct(kind=kind, first=0 if requantize.once else 1 << 30, **limits)


def _rows(context: Context, node: Weighted) -> Any:
    weights = node.weights.array
    return padded_rows(weights.reshape(weights.shape[0], -1), VECTOR[context.options.optimize])


def _with(body: str, source: str, *more: str) -> Lowered:
    return Lowered(body, tuple(FOLDER / f"{name}.c" for name in (source, *more)), (f"{source}.h",))


def _conv_files(body: str) -> Lowered:
    return _with(body, "micro_conv_s8", "micro_columns", "micro_pairs", "micro_dot", "micro_scaler")


def _weights(context: Context, node: Weighted) -> dict[str, Any]:
    """Fields of the struct of an int8 layer that come from weights, bias and scales."""
    requantize = requantization(node)
    rows = _rows(context, node)
    return {
        "length": rows.shape[1],
        "scaling": _scaling(requantize),
        "weights": context.constant("weights", rows, stands_for=[node.weights]),
        "scales": _table(context, node, requantize),
    }


class ConvS8(Portable):
    """Convolution of four output pixels at a time."""

    name = "portable-conv-s8"
    node = Conv2D
    types = INT8
    supports = "int8 with int8 weights and int32 bias; float32"

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Conv2D)
        settings, scratch = _conv(context, node, conv_sizes(node, None, node.output), _zeros(context, node))
        x, y = context.read(node.input), context.write(node.output)
        lowered = _conv_files(f"micro_conv_s8_run(&{settings}, {x}, {y}, {scratch});")
        begins = window_begins(node)
        access = by_runs(node.output, node.input, begins, range(0, begins.size, _TILE))
        return replace(lowered, accesses=(access,))


def _apart(factors: NDArray[np.uint8], other: int, limit: int) -> int:
    """The most columns, a multiple of 16, whose products with ``other`` sum up to less than ``limit`` in all rows.

    Args:
        factors: 16 products of them never reach the limit. Bytes, since there is one for each weight of the network.
        other: The greatest other factor.
        limit: What a part of an accumulator holds.
    """
    total = int(factors.shape[1])
    for runs in range(1, total + 1):
        apart = -(-total // (16 * runs)) * 16
        sums = np.add.reduceat(factors, np.arange(0, total, apart), axis=1, dtype=np.int32)
        if int(sums.max()) * other < limit:
            return apart
    return 16


def _conv(context: Context, node: Weighted, sizes: dict[str, Any], zeros: str = "NULL") -> tuple[str, str]:
    """The struct of ``micro_conv_s8``; memory for four columns of inputs, and what padding is read from."""
    fields = _weights(context, node)
    # Inputs are at most 128 away from zero.
    # As bytes the absolute value of -128 is 128.
    sizes_of_weights = np.abs(node.weights.array.reshape(node.weights.shape[0], -1)).view(np.uint8)
    apart = _apart(sizes_of_weights, 128, 1 << 22)
    text = struct(
        **sizes,
        input_zero=node.input.zero_point,
        apart=apart,
        **fields,
    )
    settings = context.struct("conv", "micro_conv_s8", text)
    return settings, f"{context.scratch(4 * fields['length'] * 2, 'int16_t')}, {zeros}"


def _zeros(context: Context, node: Conv2D) -> str:
    """Memory for a row of a window that lies in the padding."""
    return "NULL" if node.padding.none else context.scratch(node.kernel[1] * node.input.shape[3])


class ConvPoolS8(ConvPool):
    """Convolution and max pooling of int8."""

    name = "portable-conv-pool-s8"
    types = INT8

    def lower_both(self, conv: Conv2D, pool: MaxPool2D, context: Context) -> Lowered:
        settings, scratch = _conv(context, conv, conv_sizes(conv, pool, pool.output), _zeros(context, conv))
        best = context.scratch(4 * pool.output.shape[3], "int32_t")
        x, y = context.read(conv.input), context.write(pool.output)
        lowered = _conv_files(f"micro_conv_pool_s8_run(&{settings}, {x}, {y}, {scratch}, {best});")
        return replace(lowered, accesses=(by_pixels(pool.output, conv.input, pooled_begins(conv, pool)),))


class DenseRowsS8(Portable):
    """A dense layer over several vectors, as a convolution of 1x1."""

    name = "portable-dense-rows-s8"
    node = FullyConnected
    types = INT8

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, FullyConnected)
        settings, scratch = _conv(context, node, dense_sizes(node))
        x, y = context.read(node.input), context.write(node.output)
        return _conv_files(f"micro_conv_s8_run(&{settings}, {x}, {y}, {scratch});")


class DenseS8(Portable):
    """A dense layer over one vector."""

    name = "portable-dense-s8"
    node = FullyConnected
    types = INT8
    supports = "int8 with int8 weights and int32 bias; float32"

    def _fits(self, node: Node) -> bool:
        assert isinstance(node, FullyConnected)
        if node.rows > 1:
            return False
        # Inputs are 0 to 255 in this kernel.
        sizes = np.abs(node.weights.array).view(np.uint8)
        reach = np.abs(_unsigned_bias(node)) + sizes.sum(1, dtype=np.int64) * 255
        return bool((reach < 1 << 31).all())

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, FullyConnected)
        channels, depth = node.weights.shape
        requantize = replace(requantization(node), bias=_unsigned_bias(node).astype(np.int32))
        # In two's complement 128 more, or less, is another highest bit.
        rows = _rows(context, node).view(np.uint8) ^ np.uint8(128)
        text = struct(
            depth=depth,
            channels=channels,
            length=rows.shape[1],
            apart=_apart(rows, 255, 1 << 24),
            scaling=_scaling(requantize),
            weights=context.constant("weights", rows, stands_for=[node.weights]),
            scales=_table(context, node, requantize),
        )
        settings = context.struct("dense", "micro_dense_s8", text)
        column = context.scratch(-(-rows.shape[1] // 4) * 8, "int16_t")
        x, y = context.read(node.input), context.write(node.output)
        return _with(f"micro_dense_s8_run(&{settings}, {x}, {y}, {column});", "micro_dense_s8", "micro_scaler")


def _unsigned_bias(node: FullyConnected) -> NDArray[np.int64]:
    """The bias for inputs to which 128 was added: their zero point is so much higher."""
    return np.asarray(requantization(node).bias - 128 * weight_sums(node), np.int64)


class DepthwiseS8(Portable):
    """Depthwise convolution, all channels of a pixel together."""

    name = "portable-depthwise-s8"
    node = DepthwiseConv2D
    types = INT8
    source = "micro_depthwise_s8"
    supports = "int8 with int8 weights and int32 bias; float32"
    reversible = True

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, DepthwiseConv2D)
        requantize = requantization(node)
        weights = context.constant("weights", node.weights.array, stands_for=[node.weights])
        columns = (_TILE - 1) * node.stride[1] + (node.kernel[1] - 1) * node.dilation[1] + 1
        text = struct(
            **window_sizes(node),
            multiplier=node.multiplier,
            out_height=node.output.shape[1],
            out_width=node.output.shape[2],
            columns=columns,
            input_zero=node.input.zero_point,
            backward=int(context.backward),
            scaling=_scaling(requantize),
            weights=weights,
            scales=_table(context, node, requantize),
        )
        settings = context.struct("depthwise", "micro_depthwise_s8", text)
        x, y = context.read(node.input), context.write(node.output)
        access = _depthwise_access(node, context.backward)
        if node.multiplier > 1:
            body = f"micro_depthwise_s8_run(&{settings}, {x}, {y}, NULL, NULL);"
        else:
            places = context.scratch(node.kernel[0] * columns * _POINTER, "const int8_t *")
            zeros = context.scratch(node.output.shape[3])
            body = f"micro_depthwise_s8_run(&{settings}, {x}, {y}, {places}, {zeros});"
        return replace(_with(body, self.source, "micro_scaler"), accesses=(access,))


def _depthwise_access(node: DepthwiseConv2D, backward: bool) -> Access:
    _, height, width, _ = node.output.shape
    firsts = [row * width + at for row in range(height) for at in range(0, width, _TILE)]
    if node.multiplier == 1 and not backward:
        return by_channels(node.output, node.input, window_begins(node), firsts)
    if node.multiplier == 1:
        return by_channels_backward(node.output, node.input, window_ends(node), firsts)
    if backward:
        return by_pixels_backward(node.output, node.input, window_ends(node))
    return by_pixels(node.output, node.input, window_begins(node), mixed=True)


def _plain_table(context: Context, node: Weighted, requantize: Requantization) -> str:
    """The table with the bias as the file has it, for kernels that take the zero point off themselves."""
    bias = np.zeros_like(requantize.bias) if node.bias is None else node.bias.array.reshape(-1)
    return channel_table(context, bias, requantize.multipliers, requantize.exponents, [node.bias] if node.bias else [])


class TransposeConvS8(Portable):
    """Transposed convolution, output pixel by output pixel."""

    name = "portable-transpose-conv-s8"
    node = TransposeConv
    types = INT8
    source = "micro_transpose_conv_s8"
    supports = "int8 with int8 weights and int32 bias; float32"

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, TransposeConv)
        requantize = requantization(node)
        kernel = np.ascontiguousarray(node.weights.array.transpose(1, 2, 0, 3))
        weights = context.constant("weights", kernel, stands_for=[node.weights])
        text = struct(
            **transposed_sizes(node),
            input_zero=node.input.zero_point,
            output_zero=requantize.zero_point,
            low=requantize.low,
            high=requantize.high,
            weights=weights,
            scales=_plain_table(context, node, requantize),
        )
        settings = context.struct("conv", "micro_transpose_conv_s8", text)
        sums = context.scratch(4 * node.output.shape[3], "int32_t")
        x, y = context.read(node.input), context.write(node.output)
        return self.lowered(f"micro_transpose_conv_s8_run(&{settings}, {x}, {y}, {sums});")
