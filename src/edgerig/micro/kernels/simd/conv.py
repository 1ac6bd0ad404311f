"""Convolutions and dense layers, 16 output channels at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.ir import Conv2D, FullyConnected, Node, Weighted
from edgerig.micro.kernels.base import Context, Kernel, Lowered
from edgerig.micro.kernels.portable.common import struct
from edgerig.micro.kernels.refusals import Answer
from edgerig.micro.kernels.simd.depthwise import lower_float
from edgerig.micro.kernels.simd.packing import (
    BEHIND,
    NEEDS,
    Window,
    calling,
    in_blocks,
    one_image,
    read_first,
    scales,
    window_of,
)
from edgerig.micro.options import Options

#: Weights of a step.
_STEP = 4


class ConvSimd(Kernel):
    """Any convolution of int8, any dense layer."""

    name = "simd-conv-s8"
    needs = NEEDS
    node = Weighted

    def accepts(self, node: Node, options: Options) -> Answer:
        if not isinstance(node, Conv2D | FullyConnected) or (node.input.dtype, node.output.dtype) != ("int8", "int8"):
            return False
        return one_image(node.input if isinstance(node, Conv2D) else node.output)

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Conv2D | FullyConnected)
        window = window_of(node)
        weights = node.weights.array.reshape(node.weights.shape[0], *window.kernel, -1)
        runs, begins = _steps(weights, window)
        table, requantize = scales(context, node)
        text = struct(
            image=window.fields(1),
            stride_y=window.stride[0],
            stride_x=window.stride[1],
            out_width=window.output[1],
            pixels=window.output[0] * window.output[1],
            channels=weights.shape[0],
            steps=runs.shape[1] * runs.shape[2],
            input_zero=node.input.zero_point,
            output_zero=requantize.zero_point,
            low=requantize.low,
            high=requantize.high,
            once=int(requantize.once),
            offsets=context.constant("offsets", begins),
            weights=context.constant("weights", lambda: _packed(runs), alignment=64, stands_for=[node.weights]),
            scales=table,
        )
        settings = context.struct("conv", "er_simd_conv_s8", text)
        x, y = context.read(node.input), context.write(node.output)
        padded = context.scratch(window.elements + BEHIND)
        lowered = calling(f"er_simd_conv_s8_run(&{settings}, {x}, {y}, {padded});", "er_simd_conv_s8", "er_simd_pad")
        return read_first(lowered, node.output, node.input)


class ConvSimdF32(Kernel):
    """Any convolution of float, any dense layer."""

    name = "simd-conv-f32"
    needs = NEEDS
    node = Weighted

    def accepts(self, node: Node, options: Options) -> Answer:
        kinds = (node.input.dtype, node.output.dtype)
        if not isinstance(node, Conv2D | FullyConnected) or kinds != ("float32", "float32"):
            return False
        return one_image(node.input if isinstance(node, Conv2D) else node.output)

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Conv2D | FullyConnected)
        window = window_of(node)
        weights = node.weights.array.reshape(node.weights.shape[0], *window.kernel, -1)
        runs, begins = _runs(weights, window)
        packed = np.ascontiguousarray(in_blocks(runs.reshape(runs.shape[0], -1)).transpose(0, 2, 1))
        return lower_float(context, node, "er_simd_conv_f32_run", (packed, begins, runs.shape[2]))


def _runs(weights: NDArray[Any], window: Window) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """Weights (channels, runs, length) of inputs that lie one behind the other, and where each run begins."""
    channels, taps = weights.shape[0], window.taps()
    if window.dilation[1] == 1:
        return weights.reshape(channels, window.kernel[0], -1), np.ascontiguousarray(taps[:, 0])
    return weights.reshape(channels, taps.size, -1), taps.reshape(-1)


def _steps(weights: NDArray[np.int8], window: Window) -> tuple[NDArray[np.int8], NDArray[np.int32]]:
    """Weights (channels, runs, steps, 4), and where each step's inputs lie."""
    runs, begins = _runs(weights, window)
    runs = np.pad(runs, ((0, 0), (0, 0), (0, -runs.shape[2] % _STEP)))
    runs = runs.reshape(*runs.shape[:2], -1, _STEP)
    steps = np.arange(runs.shape[2], dtype=np.int32) * np.int32(_STEP)
    return runs, (begins[:, None] + steps).reshape(-1)


def _packed(runs: NDArray[np.int8]) -> NDArray[np.int8]:
    """Blocks of 16 channels: for each step those channels, of each four weights."""
    steps = runs.reshape(runs.shape[0], -1, _STEP)
    return np.ascontiguousarray(in_blocks(steps).transpose(0, 2, 1, 3))
