"""Greatest and least values along axes, and where they stand; int8 and float."""

from __future__ import annotations

import math

from edgerig.micro.ir import Node
from edgerig.micro.ir.operators.extremes import ArgExtreme, Extreme
from edgerig.micro.kernels.base import Context, Lowered
from edgerig.micro.kernels.portable.common import Portable, struct
from edgerig.micro.kernels.portable.reduce import walks
from edgerig.micro.kernels.refusals import Answer
from edgerig.micro.options import Options

_LETTERS = {"int8": "s8", "float32": "f32"}


class ExtremeKernel(Portable):
    """REDUCE_MAX, REDUCE_MIN."""

    name = "portable-reduce"
    node = Extreme
    types = (("int8", "int8"), ("float32", "float32"))
    source = "micro_extreme"
    supports = "int8, float32"

    def accepts(self, node: Node, options: Options) -> Answer:
        return super().accepts(node, options) and isinstance(node, Extreme) and walks(node, "reduced") is not None

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Extreme)
        settings = context.struct("axes", "micro_extreme", struct(**(walks(node, "reduced") or {})))
        x, y, kind = context.read(node.input), context.write(node.output), _LETTERS[node.input.dtype]
        return self.lowered(f"micro_{node.op.lower()}_{kind}_run(&{settings}, {x}, {y});")


class ArgExtremeKernel(Portable):
    """ARG_MAX, ARG_MIN."""

    name = "portable-arg"
    node = ArgExtreme
    types = (("int8", "int32"), ("int8", "int64"), ("float32", "int32"), ("float32", "int64"))
    source = "micro_extreme"
    supports = "int8, float32"

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, ArgExtreme)
        shape, axis = node.input.shape, node.axis
        x, y, kind = context.read(node.input), context.write(node.output), _LETTERS[node.input.dtype]
        wide = "_wide" if node.output.dtype == "int64" else ""
        sizes = f"{math.prod(shape[:axis])}, {shape[axis]}, {math.prod(shape[axis + 1 :])}"
        return self.lowered(f"micro_{node.op.lower()}_{kind}{wide}_run({x}, {y}, {sizes});")
