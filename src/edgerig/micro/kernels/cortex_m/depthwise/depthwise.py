"""Depthwise 3x3 convolution, alone or with the pointwise convolution that follows it (int8).

A band of rows goes through the depthwise part into int16 columns, which the pointwise part reads at once: what lies
between the two never takes memory of its own, and where both sides are of one size the output takes the place of the
input. Instructions counted on the simulated STM32F746: the depthwise part 13 to 16 an output at stride 1 (images of at
least 36 pixels; 21 at 9 pixels), 19 to 29 at stride 2; the pointwise part 0.71 a multiplication and 6.3 an output.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edgerig.micro.arithmetic.requantize import activation_range
from edgerig.micro.c_text import initializer
from edgerig.micro.ir import Conv2D, DepthwiseConv2D, Weighted
from edgerig.micro.kernels.access import Access
from edgerig.micro.kernels.base import THRIFT, Context, Lowered
from edgerig.micro.kernels.cortex_m.assembly import Function, source
from edgerig.micro.kernels.cortex_m.checks import sizes_below, window_3x3
from edgerig.micro.kernels.cortex_m.depthwise.depthwise_code import UNROLLED, Shape, depthwise
from edgerig.micro.kernels.cortex_m.depthwise.depthwise_kernels import AloneKernel, SeparableKernel
from edgerig.micro.kernels.cortex_m.depthwise.pointwise_part import (
    PointwisePart,
    pointwise_part,
    stands_for,
)
from edgerig.micro.kernels.cortex_m.depthwise.scaling import Scaling, scaling_of
from edgerig.micro.kernels.cortex_m.patch.patches import patched
from edgerig.micro.kernels.cortex_m.sources import sources
from edgerig.micro.kernels.layouts import PLANAR
from edgerig.micro.kernels.refusals import Answer, by, exact, require

#: Columns may take this share of a layer's input and output, by thrift; and bytes within these bounds. Of 224x224
#: pixels, more would save 1 % of the instructions and take 12 % more memory.
_SHARES = ({"speed": 3 / 4, "size": 1 / 2}, {"speed": 1 / 4, "size": 1 / 8}, {"speed": 0, "size": 0})
_LEAST, _MOST = (2048, 2048, 0), 8192
#: Pixels of images that go through whole: what each band costs would weigh more there.
_SMALL = 48


class Depthwise(AloneKernel):
    """Depthwise 3x3, stride 1 or 2, any padding up to one pixel at the top and left."""

    name = "depthwise-3x3"

    def fits(self, node: DepthwiseConv2D) -> Answer:
        return _depthwise_fits(node, True)

    def lower_alone(self, node: DepthwiseConv2D, context: Context) -> Lowered:
        return _lower(node, None, context)


class Separable(SeparableKernel):
    """Depthwise 3x3 and the pointwise convolution after it."""

    name = "depthwise-pointwise"

    def fits(self, first: DepthwiseConv2D) -> Answer:
        return _depthwise_fits(first, False)

    def lower_pair(self, first: DepthwiseConv2D, second: Conv2D, context: Context) -> Lowered:
        return _lower(first, second, context)


@dataclass(frozen=True)
class First:
    """The depthwise part: its code and what that depends on, names of its constants, rows that it makes.

    ``left_out``: channels that are computed after it, where nothing follows.
    """

    code: Function
    shape: Shape
    weights: str
    scales: str
    addend: int
    out_height: int
    left_out: tuple[int, ...] = ()


def _lower(node: DepthwiseConv2D, second: Conv2D | None, context: Context) -> Lowered:
    scaling = scaling_of(node, second is None)
    assert isinstance(scaling, Scaling)
    planar = context.layout(node.input) == PLANAR
    unrolled = UNROLLED[context.options.optimize]
    shape = replace(_shape(node), planar=planar, shift=scaling.shift, unrolled=unrolled)
    nine = scaling.weights(node).reshape(9, -1).T
    weights = context.constant("depthwise", nine, stands_for=stands_for(node))
    scales = context.constant("depthwise_scales", scaling.numbers)
    first = First(depthwise(shape), shape, weights, scales, scaling.addend, node.output.shape[1], scaling.left_out)
    return lower_separable(node, first, second, context)


def lower_separable(node: DepthwiseConv2D, first: First, second: Conv2D | None, context: Context) -> Lowered:
    """The layer function's C: bands of the depthwise part, and of the pointwise one or of what only stores."""
    last: Weighted = second or node
    shape, code = first.shape, first.code
    planar_out = context.layout(last.output) == PLANAR
    # What lies pixel by pixel needs no second buffer, since the output may begin before the input.
    in_place = node.input.shape == last.output.shape and shape.planar and planar_out and not first.left_out
    bands = _bands(node.input.elements + last.output.elements, first.out_height, shape, in_place, context)
    part = PointwisePart("er_columns_store", rounds=shape.channels)
    if second is not None:
        part = pointwise_part(second, context)
    generated = {f"{code.name}.S": source([code]), **part.generated}
    context.structs.append(f"extern er_depthwise_run {code.name};")
    out_channels = last.output.shape[3]
    pixels = last.output.elements // out_channels
    strides = (-(-pixels // 4) * 4, 1) if planar_out else (1, out_channels)
    room = strides[0] - pixels if strides[1] == 1 else 0
    limits = activation_range(node.activation, node.output)
    clamped = limits != (-128, 127)
    row = shape.width if shape.planar else shape.width * shape.channels
    numbers = [
        code.name,
        part.run,
        part.single,
        first.weights,
        first.scales,
        part.job(strides, shape.tile),
        first.addend,
        shape.height,
        first.out_height,
        shape.out_width,
        shape.stride,
        node.padding.top,
        bands.rows,
        shape.rows,
        shape.window,
        (first.out_height - 1) // bands.rows * bands.rows if context.backward else 0,
        f"-{bands.rows}u" if context.backward else bands.rows,
        row,
        shape.pitch,
        bands.plane_words,
        "er_columns_clamp_s16" if clamped else "0",
        *(halves(limit) for limit in limits),
        halves(node.input.zero_point),
        out_channels,
        room,
        bands.column_bytes // 4 if bands.two else 0,
    ]
    layer = context.struct("layer", "er_separable", initializer(numbers))
    columns = context.scratch(bands.column_bytes * (2 if bands.two else 1), "uint32_t")
    plane = context.scratch(4 * bands.plane_words, "uint32_t")
    by_tail = part.single == "0" and pixels % 3 and 3 - pixels % 3 > room
    tail = context.scratch(4 * out_channels) if by_tail else "0"
    names = f"&{layer}, {context.read(node.input)}, {context.write(last.output)}, {columns}, {plane}, {tail}"
    overlays = ((last.output, node.input),) if in_place else ()
    order = _backward if context.backward else _forward
    accesses = () if shape.planar or planar_out else (order(node, last, first, bands.rows),)
    clamp = ("er_columns_clamp.S",) if clamped else ()
    files = (*sources("er_separable.c", "er_separable.h", *clamp), *part.files)
    lowered = Lowered(
        f"er_separable_layer({names});", files, ("er_separable.h",), generated, overlays, accesses=accesses
    )
    return patched(lowered, node, first.left_out, context)


def _forward(node: DepthwiseConv2D, last: Weighted, first: First, rows: int) -> Access:
    """The order of er_separable_layer with one buffer of columns: each band of ``rows`` is read, then it is written."""
    begins, line, out_line = np.arange(0, first.out_height, rows), *_lines(last, first)
    reads = np.clip(begins * first.shape.stride - node.padding.top, 0, None) * line
    return Access(last.output, node.input, reads, np.minimum(begins + rows, first.out_height) * out_line)


def _backward(node: DepthwiseConv2D, last: Weighted, first: First, rows: int) -> Access:
    """The same from the last band up."""
    begins, line, out_line = np.arange(0, first.out_height, rows)[::-1], *_lines(last, first)
    lowest = np.minimum(begins + rows, first.out_height) - 1
    seen = np.clip(lowest * first.shape.stride - node.padding.top + first.shape.window, 0, first.shape.height)
    return Access(last.output, node.input, seen * line, begins * out_line, backward=True)


def _lines(last: Weighted, first: First) -> tuple[int, int]:
    """Bytes of a row of the input and of the output."""
    return first.shape.width * first.shape.channels, last.output.nbytes // first.out_height


def halves(number: int) -> str:
    """A word with an int16 twice, in C."""
    return f"0x{(number & 0xFFFF) * 0x10001:08x}u"


@dataclass(frozen=True)
class _Bands:
    """Output rows of a band, and the memory that it takes; ``two`` buffers of columns take turns."""

    rows: int
    column_bytes: int
    plane_words: int
    two: bool


def _bands(elements: int, out_height: int, shape: Shape, in_place: bool, context: Context) -> _Bands:
    """As few bands as the share of memory allows, of about the same height; ``elements`` of input and output."""
    share = (_SHARES[context.thrift][context.options.optimize]) / (2 if in_place else 1)
    allowed = min(max(_LEAST[context.thrift], share * elements), _MOST)
    step_bytes = -(-shape.rows * shape.out_width // 3) * shape.tile
    steps = -(-out_height // shape.rows)
    most = max(1, min(steps, int(allowed) // step_bytes))
    if out_height * shape.out_width <= _SMALL and context.thrift < THRIFT:
        most = steps
    count = -(-steps // most)
    each = -(-steps // count)
    rows = each * shape.rows
    # Two words more: the last pair of a row of odd width reads one beyond its own pixels.
    plane_words = ((rows - 1) * shape.stride + shape.window) * shape.pitch // 4 + 2
    return _Bands(rows, each * step_bytes, plane_words, in_place and count > 1)


def _shape(node: DepthwiseConv2D) -> Shape:
    _, height, width, channels = node.input.shape
    return Shape(
        channels, width, node.output.shape[2], height, node.stride[0], node.padding.left, node.padding.right, 0, True
    )


def _depthwise_fits(node: DepthwiseConv2D, patches: bool) -> Answer:
    padding = node.padding
    small = max(padding.top, padding.left) <= 1 and max(padding.bottom, padding.right) <= 2
    return (
        node.input.dtype == "int8"
        and window_3x3(node)
        and require(node.stride in ((1, 1), (2, 2)), f"stride {by(node.stride)}, 1x1 or 2x2 is needed")
        and require(node.multiplier == 1, f"{node.multiplier} outputs of each channel, one is needed")
        and require(small, "padding of more than one pixel at the top or left, or two at the bottom or right")
        and require(node.weights.array.min() >= -128, "weights below -128")
        and _sizes_fit(node)
        and exact(scaling_of(node, patches))
    )


def _sizes_fit(node: DepthwiseConv2D) -> Answer:
    width = node.input.shape[2]
    return require(
        _shape(node).fits(), f"rows of {width} pixels, beyond the reach of its instructions"
    ) and sizes_below(node.input.shape, 1 << 16)
