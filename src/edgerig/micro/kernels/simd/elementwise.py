"""Sums, products and pooling; float to int8."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from edgerig.micro.arithmetic.scales import binary_scales
from edgerig.micro.c_text import c_float
from edgerig.micro.ir import Add, AveragePool2D, Binary, MaxPool2D, Mul, Node, Pool2D, Quantize, Sub
from edgerig.micro.kernels.access import by_pixels, window_begins
from edgerig.micro.kernels.base import Context, Lowered
from edgerig.micro.kernels.portable.common import FOLDER as PORTABLE
from edgerig.micro.kernels.portable.elementwise import BinaryF32, BinaryS8, QuantizeFrom32, binary_walk
from edgerig.micro.kernels.portable.float32 import PoolF32
from edgerig.micro.kernels.portable.reduce import AveragePoolS8, MaxPoolS8, pool_struct
from edgerig.micro.kernels.refusals import Answer, require
from edgerig.micro.kernels.simd.packing import FOLDER, NEEDS
from edgerig.micro.options import Options

#: Left shifts of products of two bytes that fit into 32 bits.
_MOST_LEFT = 14
#: Pixels of a window whose average is exact in single precision.
_MOST_PIXELS = 1 << 16


def _files(body: str, name: str, struct_header: str) -> Lowered:
    """A body that calls what a C file defines, whose settings are those of a portable kernel."""
    return Lowered(body, (FOLDER / f"{name}.c", PORTABLE / struct_header), (f"{name}.h",))


def _lies_close(node: Node) -> Answer:
    """Along the last axis both inputs lie one behind the other, or are one number."""
    walk = binary_walk(node) if isinstance(node, Add | Sub | Mul) else None
    if walk is None:
        return False
    return require(all(steps[-1] in (0, 1) for steps in walk[1:]), "elements that lie apart")


class BinarySimd(BinaryS8):
    """ADD, SUB and MUL of int8."""

    name = "simd-binary-s8"
    needs = NEEDS
    supports = ""

    def accepts(self, node: Node, options: Options) -> Answer:
        if not super().accepts(node, options) or not isinstance(node, Binary):
            return False
        return _lies_close(node) and require(_scales_fit(node), "a scale that shifts sums to the left")

    def lower(self, node: Node, context: Context) -> Lowered:
        return _binary(self, node, context)


def _scales_fit(node: Binary) -> bool:
    """No left shift of sums, and none of products that leaves 32 bits."""
    most = _MOST_LEFT if isinstance(node, Mul) else 0
    return max(exponent for _, exponent in binary_scales(node).values()) <= most


class BinarySimdF32(BinaryF32):
    """ADD, SUB and MUL of float."""

    name = "simd-binary-f32"
    needs = NEEDS

    def accepts(self, node: Node, options: Options) -> Answer:
        return super().accepts(node, options) and _lies_close(node)

    def lower(self, node: Node, context: Context) -> Lowered:
        return _binary(self, node, context)


def _binary(kernel: BinaryS8 | BinaryF32, node: Node, context: Context) -> Lowered:
    assert isinstance(node, Binary)
    settings = kernel.settings(node, context)
    a, b, y = context.read(node.inputs[0]), context.read(node.inputs[1]), context.write(node.output)
    call = f"er_simd_{node.op.lower()}_{kernel.type_name}_run(&{settings}, {a}, {b}, {y});"
    return _files(call, f"er_simd_binary_{kernel.type_name}", "micro_binary.h")


def _pool(function: str, header: str, settings: str, node: Node, context: Context) -> Lowered:
    assert isinstance(node, Pool2D)
    x, y = context.read(node.input), context.write(node.output)
    name = f"er_simd_pool_{function.rpartition('_')[2]}"
    lowered = _files(f"er_simd_{function}_run(&{settings}, {x}, {y});", name, header)
    return replace(lowered, accesses=(by_pixels(node.output, node.input, window_begins(node), mixed=True),))


class MaxPoolSimd(MaxPoolS8):
    """Maxima of int8."""

    name = "simd-max-pool-s8"
    needs = NEEDS
    supports = ""

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Pool2D)
        return _pool("max_pool_s8", "micro_pool_s8.h", pool_struct(context, node), node, context)


class AveragePoolSimd(AveragePoolS8):
    """Averages of int8."""

    name = "simd-average-pool-s8"
    needs = NEEDS
    supports = ""

    def accepts(self, node: Node, options: Options) -> Answer:
        if not super().accepts(node, options) or not isinstance(node, AveragePool2D):
            return False
        return require(node.window[0] * node.window[1] <= _MOST_PIXELS, "a window of more than 65,536 pixels")

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Pool2D)
        return _pool("average_pool_s8", "micro_pool_s8.h", pool_struct(context, node), node, context)


class PoolSimdF32(PoolF32):
    """Maxima and averages of float."""

    name = "simd-pool-f32"
    needs = NEEDS

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Pool2D)
        function = "max_pool_f32" if isinstance(node, MaxPool2D) else "average_pool_f32"
        return _pool(function, "micro_image_f32.h", self.settings(node, context), node, context)


class QuantizeSimd(QuantizeFrom32):
    """Float to int8."""

    name = "simd-quantize"
    needs = NEEDS
    types: ClassVar[tuple[tuple[str, str], ...]] = (("float32", "int8"),)
    supports = ""

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Quantize)
        x, y, to = context.read(node.input), context.write(node.output), node.output
        call = f"er_simd_quantize_s8({x}, {y}, {to.elements}, {c_float(to.scale)}, {to.zero_point});"
        return Lowered(call, (FOLDER / "er_simd_convert.c",), ("er_simd_convert.h",))
