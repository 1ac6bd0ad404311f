"""Sums of int8 and the step from float to int8."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.arithmetic.requantize import activation_range, scale_by
from edgerig.micro.arithmetic.scales import LEFT_SHIFT, sum_scales
from edgerig.micro.c_text import c_float, initializer
from edgerig.micro.ir import Add, Binary, Node, Quantize, Sub, Value
from edgerig.micro.kernels.base import Context, Kernel, Lowered
from edgerig.micro.kernels.cortex_m.sources import calling
from edgerig.micro.options import Options

_SHIFT = 20
#: Elements from which on 2 KiB of tables are worth their flash.
_LEAST = {"speed": 256, "size": 4096}
#: Beyond it the zero point, moved left by the shift, leaves too little of 32 bits.
_MOST_SHIFT = 22


class AddBytes(Kernel):
    """ADD of two int8 tensors of one shape: two multiplications and a shift, 6.75 instructions an element.

    TensorFlow Lite's way has three doubling multiplications and three shifts. That the short one gives the same is
    tried out for all 65536 pairs of bytes when compiling.
    """

    name = "add-bytes"
    needs = frozenset({"thumb2", "dsp"})
    node = Add

    def accepts(self, node: Node, options: Options) -> bool:
        if not isinstance(node, Add) or any(value.dtype != "int8" for value in (*node.inputs, node.output)):
            return False
        same = node.inputs[0].shape == node.inputs[1].shape == node.output.shape
        return same and not any(value.constant for value in node.inputs) and add_constants(node) is not None

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Add)
        factors = add_constants(node)
        assert factors is not None
        add = context.struct("add", "er_add", initializer(factors))
        x0, x1, y = context.read(node.inputs[0]), context.read(node.inputs[1]), context.write(node.output)
        body = f"er_add_s8(&{add}, {x0}, {x1}, {y}, {node.output.elements});"
        return calling(body, "er_elementwise.h", "er_add.S")

    def overlays(self, node: Node) -> tuple[tuple[Value, Value], ...]:
        return ((node.output, node.inputs[0]),)


def add_constants(node: Add) -> tuple[int, int, int] | None:
    """Factors of both inputs and the constant, in units of 2**-20 of the output; None if none are exact."""
    wanted = _sums(node)
    if wanted is None:
        return None
    ratios = [float(np.float32(value.scale)) / float(np.float32(node.output.scale)) for value in node.inputs[:2]]
    offset = sum(ratio * value.zero_point for ratio, value in zip(ratios, node.inputs, strict=False))
    ideal = round((node.output.zero_point - offset + 0.5) * 2**_SHIFT)
    a, b = (round(ratio * 2**_SHIFT) for ratio in ratios)
    if 128 * (a + b + 6) + abs(ideal) + 1024 >= 1 << 31:
        return None
    x = np.arange(-128, 128, dtype=np.int64)
    for up, across, more in itertools.product((0, 1, -1), (0, 1, -1), (0, 16, -16, 64, -64, 256, -256)):
        factors = (a + up, b + across, ideal + more)
        results = np.clip((x[:, None] * factors[0] + x[None, :] * factors[1] + factors[2]) >> _SHIFT, -128, 127)
        if np.array_equal(results, wanted):
            return factors
    return None


def _sums(node: Add) -> NDArray[np.int64] | None:
    """The output for every pair of bytes; None where the activation clamps more than SSAT does."""
    low, high = activation_range(node.activation, node.output)
    scales = sum_scales(node)
    first, second = _sides(node)
    total = scale_by(scales.output, first[:, None] + second[None, :]) + node.output.zero_point
    saturated = np.clip(total, -128, 127)
    return saturated if np.array_equal(np.clip(total, low, high), saturated) else None


def _sides(node: Binary) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each byte of either side of a sum, from -128 on, in units that both sides have in common."""
    scales = sum_scales(node)
    first, second = (
        scale_by(scale, (np.arange(-128, 128, dtype=np.int64) - value.zero_point) << LEFT_SHIFT)
        for value, scale in zip(node.inputs[:2], (scales.first, scales.second), strict=True)
    )
    return first, second


class SumTables(Kernel):
    """ADD and SUB of two int8 tensors of one shape by two tables of 256 numbers, 10.5 instructions an element.

    The tables hold both sides after the first two of TensorFlow Lite's three roundings. They take 2 KiB of flash.
    """

    name = "sum-tables"
    needs = frozenset({"thumb2", "dsp"})
    node = Binary

    def accepts(self, node: Node, options: Options) -> bool:
        if not isinstance(node, Add | Sub) or any(value.dtype != "int8" for value in (*node.inputs, node.output)):
            return False
        same = node.inputs[0].shape == node.inputs[1].shape == node.output.shape
        return same and node.output.elements >= _LEAST[options.optimize] and sum_tables(node) is not None

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Add | Sub)
        tables = sum_tables(node)
        assert tables is not None
        names = [context.constant(f"side{index}", table) for index, table in enumerate(tables[:2])]
        layer = context.struct("sum", "er_sum", initializer([*names, *tables[2]]))
        x0, x1, y = context.read(node.inputs[0]), context.read(node.inputs[1]), context.write(node.output)
        return calling(f"er_sum_s8(&{layer}, {x0}, {x1}, {y}, {node.output.elements});", "er_elementwise.h", "er_sum.S")

    def overlays(self, node: Node) -> tuple[tuple[Value, Value], ...]:
        return tuple((node.output, value) for value in node.inputs)


def sum_tables(node: Add | Sub) -> tuple[NDArray[np.int32], NDArray[np.int32], tuple[int, int, int]] | None:
    """Tables by byte, and multiplier, offset and shift; None where the activation clamps more than SSAT does.

    high32(2 t * multiplier + 2**31) is the rounding doubling high multiply of ``t``. The rounding shift after it adds
    half of what it drops, less 1 if the product is negative; where ``t`` is, and the product is 0, that changes
    nothing.
    """
    low, high = activation_range(node.activation, node.output)
    scale = sum_scales(node).output
    multiplier, exponent = scale
    if not 1 <= -exponent <= _MOST_SHIFT:
        return None
    first, second = _sides(node)
    second = -second if isinstance(node, Sub) else second
    ends = np.array([first.min() + second.min(), first.max() + second.max()])
    least, most = (scale_by(scale, ends) + node.output.zero_point).tolist()
    # Beyond SSAT's limits nothing may be clamped that can be reached.
    if max(low, least) > max(-128, least) or min(high, most) < min(127, most):
        return None
    offset = (1 << (-exponent - 1)) + (node.output.zero_point << -exponent)
    # From the order of the integers to that of their bytes.
    sides = [np.roll(2 * side, 128).astype(np.int32) for side in (first, second)]
    return sides[0], sides[1], (multiplier, offset, -exponent)


class QuantizeBytes(Kernel):
    """float32 to int8: 6.5 instructions an element."""

    name = "quantize-bytes"
    needs = frozenset({"thumb2", "dsp", "fpv5"})
    node = Quantize

    def accepts(self, node: Node, options: Options) -> bool:
        return isinstance(node, Quantize) and node.input.dtype == "float32" and node.output.dtype == "int8"

    def lower(self, node: Node, context: Context) -> Lowered:
        x, y, to = context.read(node.input), context.write(node.output), node.output
        body = f"er_quantize_s8({x}, {y}, {to.elements}, {to.zero_point}, {c_float(to.scale)});"
        return calling(body, "er_elementwise.h", "er_quantize.S")

    def overlays(self, node: Node) -> tuple[tuple[Value, Value], ...]:
        # From the first on: each is read before anything is written there.
        return ((node.output, node.input),)
