"""Integers that are shifted left before they are scaled: refused where 32 bits would not hold them.

What LiteRT computes then is not defined, and differs between processors.
"""

from __future__ import annotations

import math

from edgerig.errors import CompileError
from edgerig.micro import ir
from edgerig.micro.arithmetic.int16 import matmul16_scale
from edgerig.micro.arithmetic.scales import (
    matmul_scale,
    mean_multiplier,
    product_scale,
    rescaling,
    sides_scales,
    sides_shift,
    slope_scales,
    svdf_scales,
)
from edgerig.micro.ir import Node
from edgerig.micro.ir.operators.recurrent import Svdf

#: How far a value less its zero point gets from 0; that of int16 is 0.
_REACHES = {"int8": 255, "uint8": 255, "int16": 32768}


def check_overflow(node: Node) -> None:
    """See that what an integer operator scales stays within 32 bits. Of `Weighted` ones, `requantization` does.

    Raises:
        CompileError: The scale of its output is too small for those of its inputs.
    """
    if not node.outputs or not node.inputs or node.output.dtype not in _REACHES:
        return
    if any(value.quantization is None for value in (node.input, node.output)):
        return
    refuse_overflow(node, *_reach(node))


def refuse_overflow(node: Node, reach: int, exponent: int) -> None:
    """See that integers of at most ``reach``, scaled with ``exponent``, stay within 32 bits.

    Raises:
        CompileError: They do not.
    """
    if reach << max(exponent, 0) >= 1 << 31:
        raise CompileError(
            f"{node.where()} multiplies by a scale so large that its numbers would overflow 32 bits.",
            "The scale of its output is too small for those of its inputs: quantize the network again.",
        )


def _reach(node: Node) -> tuple[int, int]:
    """How far from 0 the integers can get that are scaled, and the exponent of that scale."""
    each = _REACHES.get(node.input.dtype, 0)
    if isinstance(node, ir.Binary):
        return _reach_of_binary(node, each)
    if isinstance(node, ir.BatchMatMul) and node.input.dtype == "int16":
        matmul16_scale(node)  # of sums of 64 bits; raises
        return 0, 0
    if isinstance(node, ir.BatchMatMul):
        shape = node.input.shape
        return each**2 * shape[-2 if node.transposed[0] else -1], matmul_scale(node)[1]
    if isinstance(node, ir.Mean):
        return each * math.prod(node.input.shape[axis] for axis in node.axes), mean_multiplier(node)[2]
    if isinstance(node, ir.AveragePool2D) and node.input.dtype == "int16":
        return each * math.prod(node.window), 0
    if isinstance(node, Svdf):
        # Sums over time use all bits, and wrap around beyond them as LiteRT's do: no room for a shift to the left.
        first, second = svdf_scales(node)
        return max((each * 128 * node.input.elements, first[1]), (1 << 30, second[1]), key=_shifted)
    if isinstance(node, ir.Relu | ir.Quantize) and each:
        return each, rescaling(node)[1]
    return 0, 0


def _reach_of_binary(node: ir.Binary, each: int) -> tuple[int, int]:
    if node.scaling == "none" or node.scaling == "one":
        return 0, 0
    if node.scaling == "product":
        return each**2, product_scale(node)[1]
    if node.scaling == "slope":
        return max((each, rescaling(node)[1]), (each**2, slope_scales(node)[1][1]), key=_shifted)
    # Each side is at most half of it when it is on the scale of both.
    return (each << sides_shift(node)) ** node.scaling.degree, sides_scales(node).output[1]


def _shifted(reach: tuple[int, int]) -> int:
    return reach[0] << max(reach[1], 0)
