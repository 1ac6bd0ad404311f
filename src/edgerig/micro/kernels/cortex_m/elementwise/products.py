"""MUL of two int8 tensors that both change: of one shape, or of one with a number for each channel of the other.

The formula is that of `sums`; squeeze and excitation multiplies by a number for each channel.
"""

from __future__ import annotations

from edgerig.micro.arithmetic.scales import product_scale
from edgerig.micro.c_text import initializer
from edgerig.micro.ir import Add, Mul, Node, Sub, Value
from edgerig.micro.kernels.base import Context, Kernel, Lowered
from edgerig.micro.kernels.cortex_m.elementwise.sums import clamped, clamping, scaling
from edgerig.micro.kernels.refusals import Answer, Refusal, exact, require
from edgerig.micro.options import Options


class ProductBytes(Kernel):
    """Element by element, 10.5 instructions each; by channel 11."""

    name = "product-bytes"
    needs = frozenset({"thumb2", "dsp"})
    node = Mul

    def accepts(self, node: Node, options: Options) -> Answer:
        if not isinstance(node, Mul) or any(value.dtype != "int8" for value in (*node.inputs, node.output)):
            return False
        known = same_shapes(node) or channel_factor(node) is not None
        return (
            require(not any(value.constant for value in node.inputs), "an input is a constant")
            and require(known, "the inputs have different shapes, and neither is a number for each channel")
            and exact(_numbers(node))
        )

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Mul)
        numbers = _numbers(node)
        assert not isinstance(numbers, Refusal)
        side = channel_factor(node)
        if side is not None:
            return _channels(node, side, numbers, context)
        zeros = (node.inputs[0].zero_point, 2 * node.inputs[1].zero_point)
        layer = context.struct("product", "er_product", initializer([*map(str, zeros), *map(str, numbers)]))
        x0, x1, y = context.read(node.inputs[0]), context.read(node.inputs[1]), context.write(node.output)
        call = f"er_product_s8(&{layer}, {x0}, {x1}, {y}, {node.output.elements});"
        return clamped(call, clamping(node, y), "er_elementwise.h", "er_product.S")

    def overlays(self, node: Node) -> tuple[tuple[Value, Value], ...]:
        return tuple((node.output, value) for value in node.inputs if value.elements == node.output.elements)


def _channels(node: Mul, side: int, numbers: tuple[int, int, int], context: Context) -> Lowered:
    factor, other = node.inputs[side], node.inputs[1 - side]
    x, factors, y = context.read(other), context.read(factor), context.write(node.output)
    doubled = context.scratch(4 * factor.elements, "int32_t")
    fields = initializer([str(other.zero_point), doubled, *map(str, numbers), str(factor.elements)])
    lines = [
        f"const er_mul_channels mul = {fields};",
        f"for (int i = 0; i < {factor.elements}; i++)",
        f"    {doubled}[i] = 2 * ({factors}[i] - ({factor.zero_point}));",
        f"er_mul_channels_s8(&mul, {x}, {y}, {node.output.elements // factor.elements});",
    ]
    return clamped("\n".join(lines), clamping(node, y), "er_channels.h", "er_channels.S")


def same_shapes(node: Add | Sub | Mul) -> bool:
    """Both inputs and the output have one."""
    return node.inputs[0].shape == node.inputs[1].shape == node.output.shape


def channel_factor(node: Mul) -> int | None:
    """The input that has a number for each channel of the other, and none else."""
    if same_shapes(node):
        return None
    for index, value in enumerate(node.inputs):
        wide = node.inputs[1 - index].shape == node.output.shape != ()
        if wide and value.shape[-1:] == (value.elements,) == node.output.shape[-1:]:
            return index
    return None


def _numbers(node: Mul) -> tuple[int, int, int] | Refusal:
    """Multiplier, offset and shift."""
    spans = [(-128 - value.zero_point, 127 - value.zero_point) for value in node.inputs]
    corners = [first * second for first in spans[0] for second in spans[1]]
    return scaling(node, product_scale(node), min(corners), max(corners))
