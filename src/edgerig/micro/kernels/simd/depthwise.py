"""Depthwise convolutions, channels side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.arithmetic.requantize import real_range
from edgerig.micro.ir import DepthwiseConv2D, Node
from edgerig.micro.kernels.base import Context, Kernel, Lowered
from edgerig.micro.kernels.portable.common import struct
from edgerig.micro.kernels.refusals import Answer, require
from edgerig.micro.kernels.simd.packing import (
    BEHIND,
    NEEDS,
    calling,
    in_blocks,
    one_image,
    read_first,
    scales,
    window_of,
)
from edgerig.micro.options import Options


def _fits(node: Node, dtype: str) -> Answer:
    if not isinstance(node, DepthwiseConv2D) or (node.input.dtype, node.output.dtype) != (dtype, dtype):
        return False
    return require(node.multiplier == 1, "several outputs a channel") and one_image(node.input)


def _packed(node: DepthwiseConv2D) -> NDArray[Any]:
    """Blocks of 16 channels: for each tap those channels."""
    weights = node.weights.array
    return np.ascontiguousarray(in_blocks(weights.reshape(-1, weights.shape[3]).T).transpose(0, 2, 1))


class DepthwiseSimd(Kernel):
    """Any window of int8, one output for each channel."""

    name = "simd-depthwise-s8"
    needs = NEEDS
    node = DepthwiseConv2D

    def accepts(self, node: Node, options: Options) -> Answer:
        return _fits(node, "int8")

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, DepthwiseConv2D)
        window, (table, requantize) = window_of(node), scales(context, node)
        weights = _packed(node).astype(np.int32)
        text = struct(
            image=window.fields(1),
            stride_y=window.stride[0],
            stride_x=window.stride[1],
            out_height=window.output[0],
            out_width=window.output[1],
            channels=node.output.shape[3],
            taps=window.taps().size,
            input_zero=node.input.zero_point,
            output_zero=requantize.zero_point,
            low=requantize.low,
            high=requantize.high,
            offsets=context.constant("offsets", window.taps().reshape(-1)),
            weights=context.constant("weights", weights, alignment=64, stands_for=[node.weights]),
            scales=table,
        )
        settings = context.struct("depthwise", "er_simd_depthwise_s8", text)
        x, y = context.read(node.input), context.write(node.output)
        padded = context.scratch(window.elements + BEHIND)
        body = f"er_simd_depthwise_s8_run(&{settings}, {x}, {y}, {padded});"
        return read_first(calling(body, "er_simd_depthwise_s8", "er_simd_pad"), node.output, node.input)


class DepthwiseSimdF32(Kernel):
    """Any window of float, one output for each channel."""

    name = "simd-depthwise-f32"
    needs = NEEDS
    node = DepthwiseConv2D

    def accepts(self, node: Node, options: Options) -> Answer:
        return _fits(node, "float32")

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, DepthwiseConv2D)
        taps = window_of(node).taps().reshape(-1)
        return lower_float(context, node, "er_simd_depthwise_f32_run", (_packed(node), taps, 1))


def lower_float(
    context: Context, node: Any, function: str, packed: tuple[NDArray[Any], NDArray[np.int32], int]
) -> Lowered:
    """A float layer; ``packed``: weights in blocks, beginnings of runs of inputs, and their length."""
    weights, begins, length = packed
    window, channels = window_of(node), node.output.shape[-1]
    bias = np.zeros(channels, np.float32) if node.bias is None else node.bias.array.reshape(-1)
    low, high = real_range(node.activation)
    text = struct(
        image=window.fields(4),
        stride_y=window.stride[0],
        stride_x=window.stride[1],
        out_width=window.output[1],
        pixels=window.output[0] * window.output[1],
        channels=channels,
        runs=begins.size,
        length=length,
        low=low,
        high=high,
        offsets=context.constant("offsets", begins),
        weights=context.constant("weights", weights, alignment=64, stands_for=[node.weights]),
        bias=context.constant("bias", in_blocks(bias), stands_for=[node.bias] if node.bias else []),
    )
    settings = context.struct("conv", "er_simd_conv_f32", text)
    x, y = context.read(node.input), context.write(node.output)
    padded = context.scratch(4 * window.elements + BEHIND, "float")
    lowered = calling(f"{function}(&{settings}, {x}, {y}, {padded});", "er_simd_conv_f32", "er_simd_pad")
    return read_first(lowered, node.output, node.input)
