"""int8 depthwise convolutions without SIMD: the rows of a channel are copied with their padding, then multiplied.

Four or six outputs at a time. Windows of 3x3 at stride 1 and 2 are written out: about 50 instructions an output.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from edgerig.micro.c_text import initializer
from edgerig.micro.ir import DepthwiseConv2D, Node
from edgerig.micro.kernels.access import Access, row_begins
from edgerig.micro.kernels.base import Context, Kernel, Lowered
from edgerig.micro.kernels.refusals import Answer, exact
from edgerig.micro.kernels.scalar.cores import Core
from edgerig.micro.kernels.scalar.scaling import Scaling
from edgerig.micro.options import Options

HERE = Path(__file__).parent
#: Bytes that the copied rows of a channel may take, by thrift; what one row of the output sees goes in any case.
_PLANE = (4096, 1024, 0)
#: The widest stride that assembly knows.
_STRIDE = 2


class DepthwiseRows(Kernel):
    """Depthwise convolution of any window, stride, dilation, padding and number of outputs a channel."""

    node = DepthwiseConv2D
    reversible = True

    def __init__(self, core: Core) -> None:
        self.name, self.needs, self.core = f"{core.name}-depthwise", core.needs, core  # type: ignore[misc]
        self.mild = int(core.bands[0] > 0)  # type: ignore[misc]

    def accepts(self, node: Node, options: Options) -> Answer:
        assert isinstance(node, DepthwiseConv2D)
        known = {value.dtype for value in (node.input, node.weights, node.output)} == {"int8"}
        return known and exact(self.core.depthwise_scaling(node))

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, DepthwiseConv2D)
        core, scaling = self.core, self.core.depthwise_scaling(node)
        assert isinstance(scaling, Scaling)
        _, out_height, out_width, _ = node.output.shape
        reach = [(taps - 1) * gap + 1 for taps, gap in zip(node.kernel, node.dilation, strict=True)]
        width = (out_width - 1) * node.stride[1] + reach[1]
        most = (_PLANE[context.thrift] // width - reach[0]) // node.stride[0] + 1
        most = min(max(most, 1), core.bands[context.thrift] or out_height)
        # Bands of one height: no more of them, and the output lies nearer to the input.
        rows = -(-out_height // -(-out_height // most))
        group = min(max(core.outputs // out_width, 1), rows)
        by_channel = np.ascontiguousarray(node.weights.array[0].transpose(2, 0, 1))
        zero = node.input.zero_point + core.unsigned
        numbers = [
            *(*node.input.shape[1:], node.multiplier, *node.kernel, *node.stride, *node.dilation),
            *(node.padding.top, node.padding.left, out_height, out_width, zero, rows, group, width),
            *((out_height - 1) // rows * rows if context.backward else 0, -rows if context.backward else rows),
        ]
        weights = context.constant("weights", by_channel, stands_for=[node.weights])
        blocks = -(-out_width // core.together)
        steps = [node.dilation[1], node.stride[0] * width, 4 * out_width]
        row = initializer([node.dilation[0] * width, blocks, *node.kernel, *steps])
        fields = initializer([weights, scaling.table(context, node), scaling.range(), _sum(node), row, *numbers])
        layer = context.struct("depthwise", "er_sc_depthwise", fields)
        plane = context.scratch(((rows - 1) * node.stride[0] + reach[0]) * width + core.together * _STRIDE)
        sums = context.scratch(((group - 1) * out_width + blocks * core.together) * 4, "int32_t")
        x, y = context.read(node.input), context.write(node.output)
        arguments = f"&{layer}, {x}, {y}, {plane}, {sums}"
        body, files = f"er_sc_depthwise_{scaling.rounding}({arguments});", [HERE / "er_sc_depthwise.c"]
        if core.unsigned:
            body = f"er_sc_depthwise_bytes({arguments}, er_sc_scale_{scaling.rounding});"
            files = [HERE / "er_sc_depthwise_bytes.c", HERE / "er_sc_scale.c"]
        lowered = Lowered(body, (*files, *core.assembly), ("er_sc_depthwise.h",))
        return replace(lowered, accesses=((_backward if context.backward else _forward)(node, rows),))


def _forward(node: DepthwiseConv2D, rows: int) -> Access:
    """Of a band each channel's rows are copied, then its outputs are written."""
    _, height, width, channels = node.output.shape
    first, channel = np.arange(0, height, rows), np.arange(node.input.shape[3])
    reads = row_begins(node)[first, None] + channel
    last_pixel = np.minimum(first + rows, height) * width - 1
    writes = last_pixel[:, None] * channels + (channel + 1) * node.multiplier
    return Access(node.output, node.input, reads.reshape(-1), writes.reshape(-1))


def _backward(node: DepthwiseConv2D, rows: int) -> Access:
    """The same from the last band up."""
    (_, height, width, channels), (_, in_height, in_width, depth) = node.output.shape, node.input.shape
    first, channel = np.arange(0, height, rows)[::-1], np.arange(depth)
    last = np.minimum(first + rows, height) - 1
    seen = last * node.stride[0] - node.padding.top + (node.kernel[0] - 1) * node.dilation[0] + 1
    reads = (np.clip(seen, 0, in_height) * in_width - 1)[:, None] * depth + channel + 1
    writes = (first * width * channels)[:, None] + channel * node.multiplier
    return Access(node.output, node.input, reads.reshape(-1), writes.reshape(-1), backward=True)


def _sum(node: DepthwiseConv2D) -> str:
    """The function that sums a row."""
    if node.stride[1] > _STRIDE:
        return "0"
    square = node.kernel == (3, 3) and node.dilation == (1, 1)
    return f"er_sc_{'square' if square else 'any'}_{node.stride[1]}"
