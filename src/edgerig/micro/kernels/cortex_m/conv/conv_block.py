"""3x3 convolution of int8 images with stride 1, with or without a 2x2 maximum behind it.

Four image columns are copied to int16 and serve two neighbouring pixels: each word is loaded once for three taps.
Measured with arm-none-eabi-gcc 12.2 -O2, instructions per multiply-accumulate: 16 to 16 channels 0.82, 32 to 32 0.77,
64 to 64 0.75; with the maximum 32 to 64 channels 0.76 of those that it computes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.c_text import initializer
from edgerig.micro.ir import Conv2D, Fused, MaxPool2D, Node, Value
from edgerig.micro.kernels.access import Access
from edgerig.micro.kernels.base import Context, Kernel, Lowered
from edgerig.micro.kernels.cortex_m.checks import sizes_below, stride_one, whole_words, window_3x3
from edgerig.micro.kernels.cortex_m.conv.pairs import Pairs, addend_of, channel_pairs, pairs_of, stream
from edgerig.micro.kernels.cortex_m.patch.patches import patched
from edgerig.micro.kernels.cortex_m.sources import calling
from edgerig.micro.kernels.refusals import Answer, counted, exact, require
from edgerig.micro.options import Options

#: Bytes of columns that are worth fewer copies, by thrift.
_COLUMNS = (2560, 1280, 0)
_LIMIT = 1 << 15
#: Steps of the unrolled loop.
_ROUND = 8


class ConvBlock(Kernel):
    """Two pixels by two channels in registers; 0.72 instructions per multiplication and 9 per output."""

    name = "conv-3x3"
    needs = frozenset({"thumb2", "dsp"})
    node = Conv2D

    def accepts(self, node: Node, options: Options) -> Answer:
        return isinstance(node, Conv2D) and _takes(node, True) and _pays(node)

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Conv2D)
        return _lower(node, node.output, context, 1)


class ConvPool(Kernel):
    """The maximum of four accumulators is taken before they are scaled."""

    name = "conv-3x3-pool"
    needs = frozenset({"thumb2", "dsp"})
    pattern = (Conv2D, MaxPool2D)

    def accepts(self, node: Node, options: Options) -> Answer:
        conv, pool = parts(node)
        return conv.input.dtype == "int8" and pools_by_two(pool) and _takes(conv, False)

    def lower(self, node: Node, context: Context) -> Lowered:
        conv, pool = parts(node)
        return _lower(conv, pool.output, context, 2)


def pools_by_two(pool: MaxPool2D) -> Answer:
    """A 2x2 maximum with stride 2 and nothing else; all its windows lie inside."""
    plain = pool.window == (2, 2) and pool.stride == (2, 2) and pool.padding.none and pool.activation == "NONE"
    return require(plain, "the pooling is not 2x2 with stride 2, without padding and activation")


def parts(node: Node) -> tuple[Conv2D, MaxPool2D]:
    assert isinstance(node, Fused)
    conv, pool = node.parts
    assert isinstance(conv, Conv2D)
    assert isinstance(pool, MaxPool2D)
    return conv, pool


def _takes(node: Conv2D, patches: bool) -> Answer:
    _, _, width, channels = node.output.shape
    return (
        node.input.dtype == "int8"
        and window_3x3(node)
        and stride_one(node)
        and require(width >= 2, "an output of one column")
        and require(channels % 2 == 0, f"{counted(channels, 'output channel')}, an even number is needed")
        and whole_words(node.input.shape[-1])
        and sizes_below((*node.input.shape, *node.output.shape), _LIMIT)
        and exact(pairs_of(node, patches=patches))
    )


def _pays(node: Conv2D) -> Answer:
    """Fewer instructions than conv_pairs: columns that are computed twice against pixels that are copied nine times."""
    _, height, width, outputs = node.output.shape
    channels = node.input.shape[-1]
    waste = (width % 2 * height) * (9 * channels * 0.71 + 9) * outputs
    copies = height * width * channels * 1.4 * (9 - 3)
    return require(waste < copies, f"the odd last column, computed twice, costs more than is saved at {width} columns")


def block_order(node: Conv2D) -> NDArray[np.intp]:
    """Row of taps, four inputs in the order 0 2 1 3, tap, the two inputs of a word."""
    channels = node.input.shape[-1]
    places = np.arange(9 * channels).reshape(3, 3, channels // 4, 2, 2)
    return np.ascontiguousarray(places.transpose(0, 2, 4, 1, 3)).reshape(-1)


def _rows(height: int, row_bytes: int, per_row: int, most: int) -> int:
    """Rows of a tile: a part of all rows, so that none is computed twice, whose columns take little memory."""
    fitting = [rows for rows in range(1, height + 1) if height % rows == 0 and (rows * per_row + 2) * row_bytes <= most]
    return max(fitting, default=1)


def _lower(node: Conv2D, output: Value, context: Context, pooled: int) -> Lowered:
    pairs = pairs_of(node, patches=pooled == 1)
    assert isinstance(pairs, Pairs)
    _, height, width, channels = node.input.shape
    _, out_height, out_width, out_channels = output.shape
    row_bytes = 8 * channels
    rows = pooled * _rows(out_height, row_bytes, pooled, _COLUMNS[context.thrift])
    job = _job(pairs, block_order(node), context, (out_channels, out_width * out_channels), (row_bytes, rows))
    numbers = (
        height,
        width,
        channels,
        out_height,
        out_width,
        out_channels,
        node.padding.top,
        node.padding.left,
        node.input.zero_point,
        pooled,
    )
    shape = context.struct("shape", "er_conv_block_shape", initializer(numbers))
    columns = context.scratch((rows + 2) * row_bytes, "uint32_t")
    edge = "0" if node.padding.none else context.scratch(channels)
    run = "er_block_pool" if pooled == 2 else "er_block_2"
    names = f"&{shape}, {run}, &{job}, {context.read(node.input)}, {context.write(output)}, {columns}, {edge}"
    lowered = calling(f"er_conv_block({names});", "er_conv_block.h", "er_conv_block.c", "er_block.S")
    access = _access(node, output, pooled, rows // pooled)
    return patched(replace(lowered, accesses=(access,)), node, pairs.left_out, context)


def _access(node: Conv2D, output: Value, pooled: int, rows: int) -> Access:
    """The order of er_conv_block: bands of so many output rows, in each tiles of two columns, or one with a maximum."""
    _, _, width, channels = node.input.shape
    _, out_height, out_width, out_channels = output.shape
    tile = 1 if pooled == 2 else 2
    y = np.minimum(np.arange(0, out_height, rows), out_height - rows)[:, None]
    x = np.minimum(np.arange(0, out_width, tile), out_width - tile)[None, :]
    row, column = (
        np.clip(at * pooled - before, 0, None) for at, before in ((y, node.padding.top), (x, node.padding.left))
    )
    ends = ((y + rows - 1) * out_width + x + tile) * out_channels
    return Access(output, node.input, ((row * width + column) * channels).reshape(-1), ends.reshape(-1))


def _job(
    pairs: Pairs, order: NDArray[np.intp], context: Context, strides: tuple[int, int], tile: tuple[int, int]
) -> str:
    weights = context.constant(
        "block",
        lambda: stream(pairs, order, channel_pairs(pairs.channels)),
        stands_for=[value for value in context.node.inputs if value.constant],
    )
    rounds, first = divmod(len(order) // 6 - 1, _ROUND)
    shift = int(pairs.fast.shift[0]) if pairs.fast else 0
    numbers = (
        context.end(weights),
        *strides,
        rounds + 1,
        first,
        addend_of(pairs),
        shift,
        pairs.scale.low,
        pairs.scale.high,
        *tile,
    )
    return context.struct("block", "er_block", f"{{ {weights}, " + ", ".join(map(str, numbers)) + " }")
