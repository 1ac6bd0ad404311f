"""3x3 convolution of an int8 image of one channel, with ReLU and a 2x2 maximum behind it, as for digits.

The nine weights of a channel stay in five registers while it goes along a row; the maximum costs two instructions a
pixel. Measured with arm-none-eabi-gcc 12.2 -O2: 28x28 to 32 channels 1.21 instructions per multiply-accumulate, 44
per pooled output.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgerig.micro.arithmetic.requantize import requantization
from edgerig.micro.c_text import initializer
from edgerig.micro.ir import Conv2D, MaxPool2D, Node
from edgerig.micro.kernels.access import Access
from edgerig.micro.kernels.base import Context, Kernel, Lowered
from edgerig.micro.kernels.cortex_m.checks import sizes_below, stride_one, window_3x3
from edgerig.micro.kernels.cortex_m.conv.conv_block import parts, pools_by_two
from edgerig.micro.kernels.cortex_m.prescaled import Prescaled, prescaled, sums
from edgerig.micro.kernels.cortex_m.sources import calling
from edgerig.micro.kernels.refusals import Answer, Refusal, exact, require
from edgerig.micro.options import Options

_K = 8


class FirstPool(Kernel):
    """One channel's taps in registers; 40 instructions for a pooled output of 36 multiplications."""

    name = "conv-first-pool"
    needs = frozenset({"thumb2", "dsp"})
    pattern = (Conv2D, MaxPool2D)

    def accepts(self, node: Node, options: Options) -> Answer:
        conv, pool = parts(node)
        channels, outputs = conv.input.shape[-1], conv.output.shape[-1]
        return (
            conv.input.dtype == "int8"
            and pools_by_two(pool)
            and require(channels == 1, f"{channels} input channels, one is needed")
            and window_3x3(conv)
            and stride_one(conv)
            and sizes_below((*conv.input.shape, *conv.output.shape[:3]), 1 << 14)
            and require(outputs <= 512, f"{outputs} output channels, at most 512")
            and exact(_scale(conv))
        )

    def lower(self, node: Node, context: Context) -> Lowered:
        conv, pool = parts(node)
        scale = _scale(conv)
        assert isinstance(scale, Prescaled)
        _, height, width, _ = conv.input.shape
        _, out_height, out_width, channels = pool.output.shape
        numbers = context.constant("numbers", _numbers(conv, scale), stands_for=conv.inputs[1:])
        padding = conv.padding
        sizes = (height, width, out_height, out_width, channels, padding.top, padding.left, conv.input.zero_point)
        shape = context.struct("shape", "er_first_pool_shape", initializer(sizes))
        windows = context.scratch(80 * out_width, "uint32_t")
        edge = "0" if padding.none else context.scratch(4 * (2 * out_width + 2))
        shift = int(scale.shift[0])
        name = f"er_first_pool_{shift}_{channels}"
        text = (
            '#include "er_first_pool.inc"\n\n    .syntax unified\n    .thumb\n'
            f"    ER_FIRST_POOL {name}, {shift}, {_K}, {channels}\n"
        )
        body = (
            f"extern er_first_pool_row {name};\n"
            f"er_first_pool(&{shape}, {name}, {numbers}, {context.read(conv.input)}, {context.write(pool.output)}, "
            f"{windows}, {edge});"
        )
        # A pooled row at a time: its windows are copied before it is written.
        rows = np.arange(out_height)
        reads = np.clip(2 * rows - padding.top, 0, None) * width
        access = Access(pool.output, conv.input, reads, (rows + 1) * (out_width * channels))
        lowered = calling(
            body, "er_first_pool.h", "er_first_pool.c", "er_first_pool.inc", generated={f"{name}.S": text}
        )
        return replace(lowered, accesses=(access,))


def _scale(node: Conv2D) -> Prescaled | Refusal:
    """One shift for all channels; only for a ReLU that begins at the lowest output."""
    scale = requantization(node)
    if (scale.low, scale.high, scale.zero_point) != (-128, 127, -128):
        return Refusal(
            f"zero point {scale.zero_point} and outputs from {scale.low} to {scale.high}: a ReLU from -128 on is needed"
        )
    return prescaled(scale, *sums(node), _K, True)


def _numbers(node: Conv2D, scale: Prescaled) -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
    """By channel: five pairs of taps, start, multiplier, addend, bias. A channel that is constant gets no taps."""
    taps = node.weights.array.astype(np.int16).reshape(-1, 9)
    bias = requantization(node).bias.copy()
    taps = np.where(scale.constant[:, None], np.int16(0), taps)
    bias[scale.constant] = 0
    order = [0, 2, 3, 5, 6, 8, 1, 4, 7]
    padded = np.concatenate([taps[:, order], np.zeros((len(taps), 1), np.int16)], 1)
    pairs = np.ascontiguousarray(padded).view(np.int32)
    return np.concatenate([pairs, np.stack([scale.start, scale.multiplier, scale.addend, bias], 1)], 1)
