"""Operators with a state of their own."""

from __future__ import annotations

from edgerig.micro.arithmetic.requantize import real_range
from edgerig.micro.arithmetic.scales import svdf_scales
from edgerig.micro.ir import Node
from edgerig.micro.ir.operators.recurrent import Svdf
from edgerig.micro.kernels.base import Context, Lowered
from edgerig.micro.kernels.portable.common import Portable, struct


class SvdfKernel(Portable):
    """SVDF."""

    name = "portable-svdf"
    node = Svdf
    types = (("int8", "int8"), ("float32", "float32"))
    source = "micro_svdf"
    supports = "int8 with a state of int16, float32"

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Svdf)
        small = node.input.dtype == "int8"
        low, high = real_range(node.activation)
        sizes = {
            "inputs": node.features.shape[1],
            "units": node.output.elements,
            "rank": node.rank,
            "memory": node.time.shape[1],
        }
        settings = context.struct(
            "svdf", "micro_svdf", struct(**sizes, **(_integers(node) if small else {"low": low, "high": high}))
        )
        pointers = [context.read(value) for value in (node.input, node.features, node.time)]
        bias = "0" if node.bias is None else context.read(node.bias)
        state, y = context.write(node.state), context.write(node.output)
        return self.lowered(
            f"micro_svdf_{'s8' if small else 'f32'}_run(&{settings}, {', '.join([*pointers, bias, state, y])});"
        )


def _integers(node: Svdf) -> dict[str, int]:
    first, second = svdf_scales(node)
    return {
        "zero_x": node.input.zero_point,
        "zero_y": node.output.zero_point,
        "state_multiplier": first[0],
        "state_exponent": first[1],
        "multiplier": second[0],
        "exponent": second[1],
    }
