"""Softmax and its logarithm, over the last axis."""

from __future__ import annotations

from edgerig.micro.arithmetic.scales import log_softmax_inverse, softmax_scale
from edgerig.micro.c_text import c_float
from edgerig.micro.ir import Node, Softmax, Value
from edgerig.micro.ir.operators.functions import LogSoftmax
from edgerig.micro.kernels.base import Context, Lowered
from edgerig.micro.kernels.portable.common import Portable, files, struct
from edgerig.micro.kernels.portable.convolution import INT8
from edgerig.micro.kernels.portable.elementwise import FLOAT32


class SoftmaxS8(Portable):
    """Softmax of int8; output scale 1/256, zero point -128."""

    name = "portable-softmax-s8"
    node = Softmax
    types = INT8
    source = "micro_softmax_s8"
    supports = "int8 with an output scale of 1/256 and zero point -128; float32"

    def _fits(self, node: Node) -> bool:
        return node.output.zero_point == -128 and abs(node.output.scale * 256 - 1) < 1e-4

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Softmax)
        multiplier, shift, least = softmax_scale(node)
        depth = node.input.shape[-1]
        text = struct(rows=node.input.elements // depth, depth=depth, multiplier=multiplier, shift=shift, least=least)
        settings = context.struct("softmax", "micro_softmax_s8", text)
        x, y = context.read(node.input), context.write(node.output)
        return self.lowered(f"micro_softmax_s8_run(&{settings}, {x}, {y});")


class SoftmaxF32(Portable):
    """Softmax of float."""

    name = "portable-softmax-f32"
    node = Softmax
    types = FLOAT32
    source = "micro_curves_f32"

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Softmax)
        depth = node.input.shape[-1]
        x, y = context.read(node.input), context.write(node.output)
        return self.lowered(
            f"micro_softmax_f32({x}, {y}, {node.input.elements // depth}, {depth}, {c_float(node.beta)});"
        )

    def overlays(self, node: Node) -> tuple[tuple[Value, Value], ...]:
        return ((node.output, node.input),)


class LogSoftmaxKernel(Portable):
    """LOG_SOFTMAX; int8 output scale 1/16, zero point 127."""

    name = "portable-log-softmax"
    node = LogSoftmax
    types = (*INT8, *FLOAT32)
    supports = "int8, float32"

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, LogSoftmax)
        depth = node.input.shape[-1]
        rows = node.input.elements // depth
        x, y = context.read(node.input), context.write(node.output)
        if node.input.dtype == "float32":
            return files(f"micro_log_softmax_f32({x}, {y}, {rows}, {depth});", "micro_curves_f32")
        multiplier, shift, least = softmax_scale(node)
        back, exponent = log_softmax_inverse(node)
        text = struct(
            rows=rows, depth=depth, multiplier=multiplier, shift=shift, least=least,
            back_multiplier=back, back_exponent=exponent,
        )  # fmt: skip
        settings = context.struct("softmax", "micro_softmax_s8", text)
        return files(f"micro_log_softmax_s8_run(&{settings}, {x}, {y});", "micro_softmax_s8")

    def overlays(self, node: Node) -> tuple[tuple[Value, Value], ...]:
        return ((node.output, node.input),)
