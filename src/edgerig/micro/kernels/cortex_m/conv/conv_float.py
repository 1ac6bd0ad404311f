"""Convolution of float32 images, with or without a 2x2 maximum behind it.

Four pixels by four channels stand in registers; two inputs are two loads and 32 VFMA.
Measured with arm-none-eabi-gcc 12.2 -O2, instructions per multiply-accumulate: 3x3 of 64 to 64 channels 1.15, of 32 to
64 channels with the maximum 1.12, of 1 to 32 channels with the maximum 1.8.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.arithmetic.requantize import real_range
from edgerig.micro.c_text import initializer
from edgerig.micro.ir import Conv2D, MaxPool2D, Node, Value
from edgerig.micro.kernels.access import by_pixels, pooled_begins, window_begins
from edgerig.micro.kernels.base import Context, Kernel, Lowered
from edgerig.micro.kernels.cortex_m.checks import sizes_below
from edgerig.micro.kernels.cortex_m.conv.conv_block import parts, pools_by_two
from edgerig.micro.kernels.cortex_m.sources import calling
from edgerig.micro.kernels.refusals import Answer, counted, require
from edgerig.micro.options import Options

_LIMIT = 1 << 15
_QUAD, _ROUND = 4, 4


class FloatConv(Kernel):
    """1.07 instructions per multiply-accumulate and 2 per output."""

    name = "conv-float"
    needs = frozenset({"thumb2", "fpu"})
    node = Conv2D

    def accepts(self, node: Node, options: Options) -> Answer:
        if not isinstance(node, Conv2D):
            return False
        pixels = node.output.elements // node.output.shape[-1]
        return _takes(node) and require(pixels >= 3, f"{counted(pixels, 'output pixel')}, at least 3 are needed")

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Conv2D)
        pixels = node.output.elements // node.output.shape[-1]
        # Instructions for each input and four channels: 17 for four pixels, 13 for three.
        tile = 3 if pixels == 3 or 13 * -(-pixels // 3) < 17 * -(-pixels // 4) else 4
        lowered = _lower(node, node.output, context, tile, "er_float_conv")
        return replace(lowered, accesses=(by_pixels(node.output, node.input, window_begins(node), tile),))


class FloatConvPool(Kernel):
    """The four pixels of a tile are those of a maximum."""

    name = "conv-float-pool"
    needs = frozenset({"thumb2", "fpu"})
    pattern = (Conv2D, MaxPool2D)

    def accepts(self, node: Node, options: Options) -> Answer:
        conv, pool = parts(node)
        return conv.input.dtype == "float32" and pools_by_two(pool) and _takes(conv)

    def lower(self, node: Node, context: Context) -> Lowered:
        conv, pool = parts(node)
        lowered = _lower(conv, pool.output, context, 4, "er_float_conv_pool")
        return replace(lowered, accesses=(by_pixels(pool.output, conv.input, pooled_begins(conv, pool)),))


def _takes(node: Conv2D) -> Answer:
    sizes = (*node.input.shape, *node.weights.shape, *node.output.shape, *node.stride, *node.dilation)
    return node.input.dtype == "float32" and sizes_below(sizes, _LIMIT)


def _lower(node: Conv2D, output: Value, context: Context, tile: int, call: str) -> Lowered:
    _, height, width, channels = node.input.shape
    _, out_height, out_width, out_channels = output.shape
    depth = node.weights.elements // out_channels
    whole = max(out_channels // _QUAD, 1) * _QUAD
    job = _job(node, context, "quads", list(range(0, whole, _QUAD)))
    odd = _job(node, context, "odd", [out_channels - _QUAD]) if whole < out_channels else "0"
    numbers = (
        height,
        width,
        channels,
        out_height,
        out_width,
        out_channels,
        *node.kernel,
        *node.stride,
        *node.dilation,
        node.padding.top,
        node.padding.left,
        tile,
    )
    shape = context.struct("shape", "er_float_conv_shape", initializer(numbers))
    columns = context.scratch(4 * tile * depth, "float")
    few = context.scratch(4 * tile * _QUAD, "float") if out_channels < _QUAD else "0"
    names = f"&{shape}, {job}, {odd}, {context.read(node.input)}, {context.write(output)}, {columns}, {few}"
    vmaxnm = int("fpv5" in context.options.features)
    fpu = {"er_fpu.h": f"#define ER_FPV5 {vmaxnm}\n"}
    return calling(f"{call}({names});", "er_float_conv.h", "er_float_conv.c", "er_float_tile.S", generated=fpu)


def _job(node: Conv2D, context: Context, name: str, begins: list[int]) -> str:
    weights = context.constant(name, _packed(node, begins), stands_for=node.inputs[1:])
    channels = node.weights.shape[0]
    depth = node.weights.elements // channels
    rounds, first = divmod((depth - 1) // 2 if depth % 2 else (depth - 2) // 2, _ROUND)
    low, high = real_range(node.activation)
    clamp = (1 if low > -np.inf else 0) | (2 if high < np.inf else 0)
    ends = [f"{value:.1f}f" if np.isfinite(value) else "0.0f" for value in (low, high)]
    job = (
        f"{{ {weights}, {depth % 2}, {rounds + 1}, {first}, {len(begins)}, {4 * max(channels, _QUAD)}, {clamp}, "
        f"{ends[0]}, {ends[1]} }}"
    )
    return "&" + context.struct(f"{name}_job", "er_float_tile", job)


def _packed(node: Conv2D, begins: list[int]) -> NDArray[np.float32]:
    """For each four channels: the weights of each input, then the biases."""
    missing = max(_QUAD - node.weights.shape[0], 0)
    weights = np.pad(node.weights.array.reshape(node.weights.shape[0], -1), ((0, missing), (0, 0)))
    bias = np.zeros(len(weights), np.float32)
    if node.bias is not None:
        bias[: node.bias.elements] = node.bias.array.reshape(-1)
    rows = [np.concatenate([weights[at : at + _QUAD].T.reshape(-1), bias[at : at + _QUAD]]) for at in begins]
    return np.array(rows, np.float32)
