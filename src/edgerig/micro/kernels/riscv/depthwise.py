"""int8 depthwise convolutions for RISC-V: the rows of a channel are copied with their padding, then multiplied.

Four outputs at a time. Windows of 3x3 at stride 1 and 2 are written out: about 50 instructions an output.
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
from edgerig.micro.kernels.riscv.scaling import NEEDS, Scaling, scaling_of
from edgerig.micro.options import Options

HERE = Path(__file__).parent
#: Bytes that the copied rows of a channel may take, by thrift; what one row of the output sees goes in any case.
_PLANE = (4096, 1024, 0)
#: Outputs that are summed together, and what loads of the last ones may read behind the copied rows.
_TOGETHER, _SLACK = 4, 8


class DepthwiseRows(Kernel):
    """Depthwise convolution of any window, stride, dilation, padding and number of outputs a channel."""

    name = "riscv-depthwise"
    needs = NEEDS
    node = DepthwiseConv2D

    def accepts(self, node: Node, options: Options) -> Answer:
        assert isinstance(node, DepthwiseConv2D)
        known = {value.dtype for value in (node.input, node.weights, node.output)} == {"int8"}
        return known and exact(scaling_of(node))

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, DepthwiseConv2D)
        scaling = scaling_of(node)
        assert isinstance(scaling, Scaling)
        _, out_height, out_width, _ = node.output.shape
        reach = [(taps - 1) * gap + 1 for taps, gap in zip(node.kernel, node.dilation, strict=True)]
        width = (out_width - 1) * node.stride[1] + reach[1]
        most = (_PLANE[context.thrift] // width - reach[0]) // node.stride[0] + 1
        rows = min(max(most, 1), out_height)
        by_channel = np.ascontiguousarray(node.weights.array[0].transpose(2, 0, 1))
        numbers = [
            *(*node.input.shape[1:], node.multiplier, *node.kernel, *node.stride, *node.dilation),
            *(node.padding.top, node.padding.left, out_height, out_width, node.input.zero_point, rows, width),
        ]
        weights = context.constant("weights", by_channel, stands_for=[node.weights])
        row = initializer([node.dilation[0] * width, -(-out_width // _TOGETHER), *node.kernel, node.dilation[1]])
        fields = initializer([weights, scaling.table(context, node), scaling.range(), _sum(node), row, *numbers])
        layer = context.struct("depthwise", "er_rv_depthwise", fields)
        plane = context.scratch(((rows - 1) * node.stride[0] + reach[0]) * width + _SLACK)
        sums = context.scratch(-(-out_width // _TOGETHER) * _TOGETHER * 4, "int32_t")
        x, y = context.read(node.input), context.write(node.output)
        body = f"er_rv_depthwise_{scaling.rounding}(&{layer}, {x}, {y}, {plane}, {sums});"
        return replace(
            Lowered(body, (HERE / "er_rv_depthwise.c", HERE / "er_rv_rows.S"), ("er_rv_depthwise.h",)),
            accesses=(_access(node, rows),),
        )


def _access(node: DepthwiseConv2D, rows: int) -> Access:
    """Of a band each channel's rows are copied, then its outputs are written."""
    _, height, width, channels = node.output.shape
    first, channel = np.arange(0, height, rows), np.arange(node.input.shape[3])
    reads = row_begins(node)[first, None] + channel
    last_pixel = np.minimum(first + rows, height) * width - 1
    writes = last_pixel[:, None] * channels + (channel + 1) * node.multiplier
    return Access(node.output, node.input, reads.reshape(-1), writes.reshape(-1))


def _sum(node: DepthwiseConv2D) -> str:
    """The function that sums a row."""
    if node.stride[1] > 2:
        return "0"
    square = node.kernel == (3, 3) and node.dilation == (1, 1)
    return f"er_rv_{'square' if square else 'any'}_{node.stride[1]}"
