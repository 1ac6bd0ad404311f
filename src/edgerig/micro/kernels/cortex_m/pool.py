"""Average pooling of int8, four channels at a time: 1.3 instructions an element of a large window."""

from __future__ import annotations

from pathlib import Path

from edgerig.micro.ir import AveragePool2D, Node, Value
from edgerig.micro.kernels.base import Context, Kernel, Lowered
from edgerig.micro.kernels.layouts import PLAIN, PLANAR
from edgerig.micro.options import Options
from edgerig.micro.quantized import activation_range

_HERE = Path(__file__).parent
#: Sums of so many int8 fit into 16 bits.
_MOST = 255


class AveragePool(Kernel):
    """Windows of at most 255 pixels, channels in whole words."""

    name = "average-pool-words"
    needs = frozenset({"thumb2", "dsp"})
    node = AveragePool2D

    def accepts(self, node: Node, options: Options) -> bool:
        if not isinstance(node, AveragePool2D) or node.input.dtype != "int8":
            return False
        window = node.window[0] * node.window[1]
        sizes = (*node.input.shape, *node.window, *node.stride)
        return window <= _MOST and node.input.shape[3] % 4 == 0 and max(sizes) < 1 << 15

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, AveragePool2D)
        files = (_HERE / "er_pool.c", _HERE / "er_pool.h")
        low, high = activation_range(node.activation, node.output)
        if context.layout(node.input) == PLANAR:
            _, height, width, depth = node.input.shape
            x, y = context.read(node.input), context.write(node.output)
            body = f"er_average_planes_s8({x}, {y}, {depth}, {height * width}, {low}, {high});"
            return Lowered(body, files, ("er_pool.h",))
        numbers = (
            *node.input.shape[1:], *node.window, *node.stride, node.padding.top, node.padding.left,
            *node.output.shape[1:3], low, high,
        )  # fmt: skip
        pool = context.struct("pool", "er_average_pool", "{ " + ", ".join(map(str, numbers)) + " }")
        body = f"er_average_pool_s8(&{pool}, {context.read(node.input)}, {context.write(node.output)});"
        return Lowered(body, files, ("er_pool.h",))

    def reads(self, node: Node, value: Value) -> tuple[str, ...]:
        whole = isinstance(node, AveragePool2D) and node.window == node.input.shape[1:3] and node.padding.none
        return (PLANAR, PLAIN) if whole else (PLAIN,)
