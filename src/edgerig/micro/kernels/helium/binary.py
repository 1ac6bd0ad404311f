"""ADD, SUB and MUL of int8 by Helium with LiteRT's own roundings, whatever the scales: 3.5 to 6.3 instructions each."""

from __future__ import annotations

from edgerig.micro.arithmetic.requantize import activation_range
from edgerig.micro.arithmetic.scales import product_scale, sides_scales
from edgerig.micro.c_text import initializer
from edgerig.micro.ir import Add, Binary, Mul, Node, Sub, Value
from edgerig.micro.kernels.base import Context, Kernel, Lowered
from edgerig.micro.kernels.cortex_m.elementwise.products import channel_factor, same_shapes
from edgerig.micro.kernels.cortex_m.sources import calling
from edgerig.micro.kernels.helium.scaling import NEEDS
from edgerig.micro.kernels.refusals import Answer, Refusal, require
from edgerig.micro.options import Options

#: Bits by which er_mve_binary.S shifts both sides.
_LEFT_SHIFT = 20
_MOST_SHIFT = 31


class SidesVectors(Kernel):
    """Sums and differences of two tensors of one shape."""

    name = "helium-sides"
    needs = NEEDS
    node = (Add, Sub)

    def accepts(self, node: Node, options: Options) -> Answer:
        if not isinstance(node, Add | Sub) or not _of_int8(node):
            return False
        scales = sides_scales(node)
        return (
            require(same_shapes(node), "the inputs have different shapes")
            and _no_constants(node)
            and require(scales.left_shift == _LEFT_SHIFT, f"both sides shifted by {scales.left_shift} bits")
            and _to_the_right(scales.first[1], scales.second[1], scales.output[1])
        )

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Binary)
        scales, limits = sides_scales(node), activation_range(node.activation, node.output)
        x0, x1 = node.inputs[:2]
        numbers = (
            *(x0.zero_point, scales.first[0], x1.zero_point, scales.second[0]),
            *(scales.output[0], node.output.zero_point),
            *(scales.first[1], scales.second[1], scales.output[1]),
            *limits,
        )
        name = "er_mve_difference" if isinstance(node, Sub) else "er_mve_sum"
        return _calling(name, context.struct("sides", "er_mve_sides", initializer(numbers)), node, context)

    def overlays(self, node: Node) -> tuple[tuple[Value, Value], ...]:
        return tuple((node.output, value) for value in node.inputs)


class ProductVectors(Kernel):
    """Products of two tensors of one shape, or of a tensor and one with a number for each of its channels."""

    name = "helium-product"
    needs = NEEDS
    node = Mul

    def accepts(self, node: Node, options: Options) -> Answer:
        if not isinstance(node, Mul) or not _of_int8(node):
            return False
        known = same_shapes(node) or channel_factor(node) is not None
        return (
            _no_constants(node)
            and require(known, "the inputs have different shapes, and neither is a number for each channel")
            and _to_the_right(product_scale(node)[1])
        )

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Mul)
        (multiplier, exponent), limits = product_scale(node), activation_range(node.activation, node.output)
        factor = channel_factor(node)
        x0, x1 = node.inputs[:2] if factor is None else (node.inputs[1 - factor], node.inputs[factor])
        zeros = x0.zero_point, x1.zero_point
        numbers = (*zeros, multiplier, node.output.zero_point, exponent, *limits)
        layer = context.struct("factors", "er_mve_factors", initializer(numbers))
        if factor is None:
            return _calling("er_mve_product", layer, node, context)
        sizes = f"{node.output.elements // x1.elements}, {x1.elements}"
        names = f"{context.read(x0)}, {context.read(x1)}, {context.write(node.output)}"
        return calling(f"er_mve_product_channels(&{layer}, {names}, {sizes});", *_FILES)

    def overlays(self, node: Node) -> tuple[tuple[Value, Value], ...]:
        return tuple((node.output, value) for value in node.inputs if value.elements == node.output.elements)


_FILES = ("er_mve_binary.h", "er_mve_binary.S", "er_mve_scale.inc")


def _calling(name: str, layer: str, node: Binary, context: Context) -> Lowered:
    names = ", ".join((*(context.read(value) for value in node.inputs[:2]), context.write(node.output)))
    return calling(f"{name}(&{layer}, {names}, {node.output.elements});", *_FILES)


def _of_int8(node: Binary) -> bool:
    return all(value.dtype == "int8" for value in (*node.inputs, node.output))


def _no_constants(node: Binary) -> Answer:
    return require(not any(value.constant for value in node.inputs), "an input is a constant")


def _to_the_right(*exponents: int) -> Answer:
    if max(exponents) > 0:
        return Refusal("scale asks for a left shift")
    return require(min(exponents) >= -_MOST_SHIFT, f"scale asks for a shift of {-min(exponents)}")
