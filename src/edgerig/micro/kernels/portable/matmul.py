"""Products of matrices."""

from __future__ import annotations

import math

from edgerig.micro.arithmetic.int16 import matmul16_scale
from edgerig.micro.arithmetic.scales import matmul_scale
from edgerig.micro.ir import BatchMatMul, Node
from edgerig.micro.kernels.base import Context, Lowered
from edgerig.micro.kernels.portable.common import Portable, struct


class MatMul(Portable):
    """BATCH_MATMUL; a side may be one matrix for all of the other's."""

    name = "portable-matmul"
    node = BatchMatMul
    types = (("int8", "int8"), ("int16", "int16"), ("float32", "float32"))
    source = "micro_matmul"
    supports = "int8, int16 with one scale for each tensor, float32; both sides of one batch, or one a single matrix"

    def _fits(self, node: Node) -> bool:
        assert isinstance(node, BatchMatMul)
        # Sums of int8 must stay within 32 bits.
        return _plain(node) and (node.output.dtype != "int8" or 255 * 255 * node.depth < 1 << 31)

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, BatchMatMul)
        first, second = node.inputs
        rows, columns = node.output.shape[-2:]
        count = math.prod(node.output.shape[:-2])
        a = (1, first.shape[-1]) if node.transposed[0] else (first.shape[-1], 1)
        b = (1, second.shape[-1]) if node.transposed[1] else (second.shape[-1], 1)
        kind = {"int8": "s8", "int16": "s16", "float32": "f32"}[node.output.dtype]
        small = kind == "s8"
        multiplier, exponent = _scale(node)
        zeros = [value.zero_point if small else 0 for value in (first, second, node.output)]
        text = struct(
            count=count,
            rows=rows,
            columns=columns,
            depth=node.depth,
            a_next=rows * node.depth if math.prod(first.shape[:-2]) == count else 0,
            a_row=a[0],
            a_depth=a[1],
            b_next=columns * node.depth if math.prod(second.shape[:-2]) == count else 0,
            b_depth=b[0],
            b_column=b[1],
            a_zero=zeros[0],
            b_zero=zeros[1],
            y_zero=zeros[2],
            multiplier=multiplier,
            exponent=exponent,
        )
        settings = context.struct("matmul", "micro_matmul", text)
        x0, x1, y = context.read(first), context.read(second), context.write(node.output)
        return self.lowered(f"micro_matmul_{kind}_run(&{settings}, {x0}, {x1}, {y});")


def _scale(node: BatchMatMul) -> tuple[int, int]:
    if node.output.dtype == "float32":
        return 0, 0
    return matmul_scale(node) if node.output.dtype == "int8" else matmul16_scale(node)


def _plain(node: Node) -> bool:
    """No broadcasting within the batch axes: each side has the whole batch, or a single matrix."""
    count = math.prod(node.output.shape[:-2])
    return all(math.prod(value.shape[:-2]) in (1, count) for value in node.inputs)
