"""Sums of int8 and the step from float to int8."""

from __future__ import annotations

import itertools
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.arithmetic.requantize import activation_range, scale_by
from edgerig.micro.arithmetic.scales import sides_scales
from edgerig.micro.c_text import c_float, initializer
from edgerig.micro.ir import Add, Node, Quantize, Sub, Value
from edgerig.micro.kernels.base import Context, Kernel, Lowered
from edgerig.micro.kernels.cortex_m.elementwise.sums import sides
from edgerig.micro.kernels.cortex_m.sources import calling
from edgerig.micro.kernels.refusals import Answer, Refusal, exact, require
from edgerig.micro.options import Options

_SHIFT = 20


class AddBytes(Kernel):
    """ADD and SUB of two int8 tensors of one shape: two multiplications and a shift, 6.75 instructions an element.

    TensorFlow Lite's way has three doubling multiplications and three shifts. That the short one gives the same is
    tried out for all 65536 pairs of bytes when compiling.
    """

    name = "add-bytes"
    needs = frozenset({"thumb2", "dsp"})
    node = (Add, Sub)

    def accepts(self, node: Node, options: Options) -> Answer:
        if not isinstance(node, Add | Sub) or any(value.dtype != "int8" for value in (*node.inputs, node.output)):
            return False
        same = node.inputs[0].shape == node.inputs[1].shape == node.output.shape
        return (
            require(same, "the inputs have different shapes")
            and require(not any(value.constant for value in node.inputs), "an input is a constant")
            and exact(add_constants(node))
        )

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Add | Sub)
        factors = add_constants(node)
        assert not isinstance(factors, Refusal)
        add = context.struct("add", "er_add", initializer(factors))
        x0, x1, y = context.read(node.inputs[0]), context.read(node.inputs[1]), context.write(node.output)
        body = f"er_add_s8(&{add}, {x0}, {x1}, {y}, {node.output.elements});"
        return calling(body, "er_elementwise.h", "er_add.S")

    def overlays(self, node: Node) -> tuple[tuple[Value, Value], ...]:
        return ((node.output, node.inputs[0]),)


def add_constants(node: Add | Sub) -> tuple[int, int, int] | Refusal:
    """Factors of both inputs and the constant, in units of 2**-20 of the output; or why none are exact."""
    sign = -1 if isinstance(node, Sub) else 1
    first, second = sides(node)
    output = node.output
    limits = activation_range(node.activation, output)
    ratio, other = (float(np.float32(value.scale)) / float(np.float32(output.scale)) for value in node.inputs[:2])
    ratios = ratio, sign * other
    offset = sum(ratio * value.zero_point for ratio, value in zip(ratios, node.inputs, strict=False))
    ideal = round((output.zero_point - offset + 0.5) * 2**_SHIFT)
    scale = sides_scales(node).output
    return _factors(first.tobytes(), (sign * second).tobytes(), scale, output.zero_point, limits, ratios, ideal)


# A plan within little RAM looks at the same sum dozens of times: in every choice of bands, and when it is written.
@lru_cache(maxsize=256)
def _factors(
    left: bytes,
    right: bytes,
    scale: tuple[int, int],
    zero: int,
    limits: tuple[int, int],
    ratios: tuple[float, ...],
    ideal: int,
) -> tuple[int, int, int] | Refusal:
    """`add_constants` next to the ideal ones, of two sides (256 int64 each) by scale and zero point of the output."""
    first, second = (np.frombuffer(side, np.int64) for side in (left, right))
    wanted = _sums(first, second, scale, zero, limits)
    if wanted is None:
        return Refusal("the activation clamps within the range of int8")
    a, b = (round(ratio * 2**_SHIFT) for ratio in ratios)
    if 128 * (abs(a) + abs(b) + 6) + abs(ideal) + 1024 >= 1 << 31:
        return Refusal("the factors exceed 32 bits: the output's scale is far below those of the inputs")
    x = np.arange(-128, 128, dtype=np.int64)
    for up, across, more in itertools.product((0, 1, -1), (0, 1, -1), (0, 16, -16, 64, -64, 256, -256)):
        factors = (a + up, b + across, ideal + more)
        results = np.clip((x[:, None] * factors[0] + x[None, :] * factors[1] + factors[2]) >> _SHIFT, -128, 127)
        if np.array_equal(results, wanted):
            return factors
    return Refusal("no two factors are exact for all pairs of bytes")


def _sums(
    first: NDArray[np.int64], second: NDArray[np.int64], scale: tuple[int, int], zero: int, limits: tuple[int, int]
) -> NDArray[np.int64] | None:
    """The output for every pair of bytes; None where the activation clamps more than SSAT does."""
    total = scale_by(scale, first[:, None] + second[None, :]) + zero
    saturated = np.clip(total, -128, 127)
    return saturated if np.array_equal(np.clip(total, *limits), saturated) else None


class QuantizeBytes(Kernel):
    """float32 to int8: 6.5 instructions an element."""

    name = "quantize-bytes"
    needs = frozenset({"thumb2", "dsp", "fpv5"})
    node = Quantize

    def accepts(self, node: Node, options: Options) -> Answer:
        return isinstance(node, Quantize) and node.input.dtype == "float32" and node.output.dtype == "int8"

    def lower(self, node: Node, context: Context) -> Lowered:
        x, y, to = context.read(node.input), context.write(node.output), node.output
        body = f"er_quantize_s8({x}, {y}, {to.elements}, {to.zero_point}, {c_float(to.scale)});"
        return calling(body, "er_elementwise.h", "er_quantize.S")

    def overlays(self, node: Node) -> tuple[tuple[Value, Value], ...]:
        # From the first on: each is read before anything is written there.
        return ((node.output, node.input),)
