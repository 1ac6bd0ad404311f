"""Convolution of int8 images with any kernel, stride, dilation and padding.

Three neighbouring pixels' windows are copied to int16 columns, and er_pairs multiplies them with all channels.
Measured with arm-none-eabi-gcc 12.2 -O2, instructions per multiply-accumulate: 1x1 of 64 to 64 channels 0.89, 3x3 of
64 to 64 channels 0.75, 3x3 stride 2 of 16 to 32 channels 0.88, 3x3 of 3 to 16 channels 1.85.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.ir import Conv2D, Node
from edgerig.micro.kernels.base import Context, Kernel, Lowered
from edgerig.micro.kernels.cortex_m.pairs import emit, pack, window_order
from edgerig.micro.options import Options

_HERE = Path(__file__).parent
_MOST = (1 << 15) - 1


class ConvPairs(Kernel):
    """Three pixels by two channels in registers; 0.71 instructions per multiplication and 8 per output."""

    name = "conv-pairs"
    needs = frozenset({"thumb2", "dsp"})
    node = Conv2D

    def accepts(self, node: Node, options: Options) -> bool:
        if not isinstance(node, Conv2D) or node.input.dtype != "int8":
            return False
        sizes = (*node.input.shape, *node.weights.shape, *node.output.shape, *node.stride, *node.dilation)
        small = max(sizes) <= _MOST and _run(node) <= _MOST and node.output.elements // node.output.shape[-1] <= _MOST
        return small and pack(node, _order(node)) is not None

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Conv2D)
        pairs = pack(node, _order(node))
        assert pairs is not None
        _, height, width, channels = node.input.shape
        _, out_height, out_width, out_channels = node.output.shape
        job, odd = emit(pairs, context, out_channels if out_height * out_width >= 3 else 0, 1)
        numbers = (
            height, width, out_width, out_height * out_width, channels, out_channels, *node.kernel, *node.stride,
            *node.dilation, node.padding.top, node.padding.left, _run(node), node.input.zero_point,
        )  # fmt: skip
        shape = context.struct("shape", "er_conv_pairs_shape", "{ " + ", ".join(map(str, numbers)) + " }")
        columns = context.scratch(3 * 4 * pairs.words, "uint32_t")
        edge = context.scratch(_run(node)) if _has_edge(node) else "0"
        names = f"&{shape}, {job}, {odd}, {context.read(node.input)}, {context.write(node.output)}, {columns}, {edge}"
        files = (_HERE / "er_conv_pairs.c", _HERE / "er_conv_pairs.h", _HERE / "er_pairs.S", _HERE / "er_pairs.h")
        return Lowered(f"er_conv_pairs({names});", files, ("er_conv_pairs.h",))


def _run(node: Conv2D) -> int:
    """Bytes of a window that lie side by side."""
    channels = node.input.shape[-1]
    return channels * (node.kernel[1] if node.dilation[1] == 1 else 1)


def _order(node: Conv2D) -> NDArray[np.intp]:
    height, width = node.kernel
    return window_order(height * (1 if node.dilation[1] == 1 else width), _run(node))


def _has_edge(node: Conv2D) -> bool:
    """Some window reaches beyond the image."""
    return not node.padding.none
