"""Sums and products, functions of one value, changes of scale."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from edgerig.micro.arithmetic.requantize import activation_range, finite_range, real_range
from edgerig.micro.arithmetic.scales import binary_scales
from edgerig.micro.arithmetic.tables import table
from edgerig.micro.c_text import c_float
from edgerig.micro.ir import Binary, Dequantize, Lookup, Node, Quantize, Relu, Unary, Value
from edgerig.micro.ir.operators.functions import CASTS, Cast, Gelu
from edgerig.micro.kernels.base import C_TYPES, Context, Lowered
from edgerig.micro.kernels.portable.common import FOLDER, Portable, front, merged, strides, struct
from edgerig.micro.kernels.portable.convolution import INT8
from edgerig.micro.options import Options

FLOAT32 = (("float32", "float32"),)
BYTES = ("int8", "uint8")
#: Ends of names of C functions.
_SUFFIXES = {"int8": "s8", "uint8": "u8", "int16": "s16"}
AXES = 5
#: Functions of one float in ``micro_curves_f32.c``.
CURVES = frozenset({"LOGISTIC", "TANH", "HARD_SWISH", "EXP", "LOG", "GELU"})
#: Functions whose C includes a header of its own.
_HEADERS = {"SQRT": "micro_root.h", "RSQRT": "micro_root.h"}


class Table8(Portable):
    """A function of one byte, as a table of 256."""

    name = "portable-table-8"
    source = "micro_move"
    node = (Unary, Quantize, Lookup)
    supports = "int8, uint8, float32"

    def accepts(self, node: Node, options: Options) -> bool:
        return node.input.dtype in BYTES and node.output.dtype in BYTES

    def lower(self, node: Node, context: Context) -> Lowered:
        content = table(node).view(np.uint8)
        if node.input.dtype == "int8":
            # From the order of the integers to that of their bytes.
            content = np.roll(content, 128)
        name = context.constant("table", content, alignment=1)
        x, y = context.read(node.input, "uint8_t"), context.write(node.output, "uint8_t")
        return self.lowered(f"micro_table_run({name}, {x}, {y}, {node.output.elements});")

    def overlays(self, node: Node) -> tuple[tuple[Value, Value], ...]:
        return ((node.output, node.input),)


def binary_walk(node: Binary) -> tuple[list[int], list[int], list[int]] | None:
    """Sizes of the output and steps of both inputs, at most five axes; None if it takes more."""
    shape = node.output.shape
    steps = []
    for value in node.inputs[:2]:
        given = front(value.shape, len(shape), 1)
        each = strides(given)
        steps.append([0 if size == 1 else step for size, step in zip(given, each, strict=True)])
    sizes, (first, second) = merged(shape, *steps)
    if len(sizes) > AXES:
        return None
    return front(sizes, AXES, 1), front(first, AXES, 0), front(second, AXES, 0)


def _whole(node: Node) -> tuple[tuple[Value, Value], ...]:
    """The output may take the place of an input that is read element by element."""
    return tuple((node.output, value) for value in node.inputs if value.shape == node.output.shape)


class _Binary(Portable):
    """An operator on two values; its C functions are called ``micro_<operator>_<type>_run``."""

    node = Binary
    type_name: ClassVar[str]

    def _fits(self, node: Node) -> bool:
        assert isinstance(node, Binary)
        return binary_walk(node) is not None

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Binary)
        settings = self.settings(node, context)
        a, b, y = context.read(node.inputs[0]), context.read(node.inputs[1]), context.write(node.output)
        function = f"micro_{node.op.lower()}_{self.type_name}_run"
        return Lowered(
            f"{function}(&{settings}, {a}, {b}, {y});",
            (FOLDER / f"micro_{node.op.lower()}.c", FOLDER / "micro_binary.h"),
            ("micro_binary.h",),
            declarations=(f"MICRO_BINARY_{self.type_name.upper()}({function});",),
        )

    def settings(self, node: Binary, context: Context) -> str:
        """The struct of the operator."""
        walk = binary_walk(node)
        assert walk is not None
        text = struct(size=walk[0], step_a=walk[1], step_b=walk[2], **self._numbers(node))
        return context.struct("binary", f"micro_binary_{self.type_name}", text)

    def _numbers(self, node: Binary) -> dict[str, Any]:
        raise NotImplementedError

    def overlays(self, node: Node) -> tuple[tuple[Value, Value], ...]:
        return _whole(node)


class BinaryS8(_Binary):
    """`Binary` operators of int8."""

    name = "portable-binary-s8"
    types = INT8
    type_name = "s8"
    supports = "int8, float32"

    def _numbers(self, node: Binary) -> dict[str, Any]:
        zero_a, zero_b, zero_y = (value.zero_point for value in (*node.inputs, node.output))
        low, high = activation_range(node.activation, node.output)
        return {"zero_a": zero_a, "zero_b": zero_b, "zero_y": zero_y, "low": low, "high": high, **binary_scales(node)}


class BinaryF32(_Binary):
    """`Binary` operators of float."""

    name = "portable-binary-f32"
    types = FLOAT32
    type_name = "f32"

    def _numbers(self, node: Binary) -> dict[str, Any]:
        low, high = real_range(node.activation)
        return {"low": low, "high": high}


class CurveF32(Portable):
    """Functions of one float: in ``micro_<operator>.c``, or in `CURVES`, which share an exponential function."""

    name = "portable-curve-f32"
    types = FLOAT32
    source = "micro_curves_f32"

    def _fits(self, node: Node) -> bool:
        return isinstance(node, Unary)

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Unary)
        x, y = context.read(node.input), context.write(node.output)
        count = node.output.elements
        if isinstance(node, Relu):
            low, high = finite_range(node.activation)
            return self.lowered(f"micro_clamp_f32({x}, {y}, {count}, {c_float(low)}, {c_float(high)});")
        function = f"micro_{node.op.lower()}_f32"
        if isinstance(node, Gelu) and node.approximate:
            function = "micro_gelu_tanh_f32"
        if node.op in CURVES:
            return self.lowered(f"{function}({x}, {y}, {count});")
        numbers = [c_float(getattr(node, name)) for name in node.parameters]
        arguments = "".join(f", float {name}" for name in node.parameters)
        sources = (f"micro_{node.op.lower()}.c", *filter(None, [_HEADERS.get(node.op)]))
        return Lowered(
            f"{function}({', '.join([x, y, str(count), *numbers])});",
            tuple(FOLDER / source for source in sources),
            declarations=(f"void {function}(const float *x, float *y, int32_t count{arguments});",),
        )

    def overlays(self, node: Node) -> tuple[tuple[Value, Value], ...]:
        return ((node.output, node.input),)


class QuantizeFrom32(Portable):
    """Float to integers."""

    name = "portable-quantize"
    node = Quantize
    types: ClassVar[tuple[tuple[str, str], ...]] = (("float32", "int8"), ("float32", "uint8"), ("float32", "int16"))
    source = "micro_convert"
    supports = "float32 to int8, uint8 or int16; int8 or uint8 to int8 or uint8"

    def lower(self, node: Node, context: Context) -> Lowered:
        x, y, to = context.read(node.input), context.write(node.output), node.output
        kind = _SUFFIXES[to.dtype]
        return self.lowered(f"micro_quantize_{kind}({x}, {y}, {to.elements}, {c_float(to.scale)}, {to.zero_point});")

    def overlays(self, node: Node) -> tuple[tuple[Value, Value], ...]:
        # From the first on: each is read before anything is written there. Only bytes may lie over floats in C.
        return ((node.output, node.input),) if node.output.dtype in BYTES else ()


class DequantizeTo32(Portable):
    """Integers to float."""

    name = "portable-dequantize"
    node = Dequantize
    types = (("int8", "float32"), ("uint8", "float32"), ("int16", "float32"))
    source = "micro_convert"
    supports = "int8, uint8 or int16 to float32"

    def lower(self, node: Node, context: Context) -> Lowered:
        x, y, source = context.read(node.input), context.write(node.output), node.input
        kind = _SUFFIXES[source.dtype]
        return self.lowered(
            f"micro_dequantize_{kind}({x}, {y}, {source.elements}, {c_float(source.scale)}, {source.zero_point});"
        )

    def overlays(self, node: Node) -> tuple[tuple[Value, Value], ...]:
        # From the last on: each is read before anything is written there.
        return ((node.output, node.input),) if node.input.dtype in BYTES else ()


class CastKernel(Portable):
    """CAST: a C file for each pair of types.

    Not a loop in the layer function: there GCC 12 (-O1, -Os) sees both pointers come from one static array, walks them
    by one register, and takes the stores for none that anybody could see.
    """

    name = "portable-cast"
    node = Cast
    types = tuple((source, target) for source in CASTS for target in CASTS)
    supports = "float32, int8, uint8, int16, int32, bool"

    def lower(self, node: Node, context: Context) -> Lowered:
        source, target = node.input.dtype, node.output.dtype
        name = f"micro_cast_{source}_{target}"
        head = f"void {name}(const {C_TYPES[source]} *x, {C_TYPES[target]} *y, int32_t count)"
        loop = (
            f"for (int32_t i = 0; i < count; i++)\n        y[i] = ({C_TYPES[target]})({_cast('x[i]', source, target)});"
        )
        text = f"/* CAST of {source} to {target}. */\n#include <stdint.h>\n\n{head}\n{{\n    {loop}\n}}\n"
        x, y = context.read(node.input), context.write(node.output)
        call = f"{name}({x}, {y}, {node.output.elements});"
        return Lowered(call, generated={f"{name}.c": text}, declarations=(f"{head};",))


def _cast(number: str, source: str, target: str) -> str:
    """A C expression of one value in its new type, before it is cast."""
    if target == "bool":
        return f"{number} != 0"
    if target == "float32" or source != "float32":
        return number
    limits = np.iinfo(target)
    least = "INT32_MIN" if target == "int32" else str(limits.min)
    # The least float above an int32 is 2**31, so that every number below it fits. What is no number becomes 0.
    high, low = c_float(float(limits.max + 1)), c_float(float(limits.min - (target != "int32")))
    within = f"{number} > {low} ? ({C_TYPES[target]}){number} : {number} <= {low} ? {least} : 0"
    return f"{number} >= {high} ? {limits.max} : {within}"
