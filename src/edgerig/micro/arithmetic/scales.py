"""Multipliers and shifts of operators without weights, as the preparation of LiteRT's kernels works them out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edgerig.errors import CompileError
from edgerig.micro.arithmetic.requantize import quantize_multiplier
from edgerig.micro.ir import BatchMatMul, Binary, Mean, Node, Sides, Softmax
from edgerig.micro.ir.operators.functions import LogSoftmax
from edgerig.micro.ir.operators.recurrent import Svdf

#: Integer bits of the scaled differences of a softmax.
DIFFERENCE_BITS = 5
#: Bits by which both sides of a sum of int16 are shifted.
SHIFT_16 = 15


@dataclass(frozen=True)
class SidesScales:
    """Integer parameters of an int8 operator that brings both sides to one scale.

    Attributes:
        left_shift: Bits by which each side is shifted first.
        first: Multiplier and exponent of the first side; ``second`` and ``output`` likewise.
    """

    left_shift: int
    first: tuple[int, int]
    second: tuple[int, int]
    output: tuple[int, int]


def sides_scales(node: Binary) -> SidesScales:
    """As the preparation of ADD, SUB and SQUARED_DIFFERENCE in TensorFlow Lite works them out.

    Raises:
        CompileError: The operator does not bring both sides to one scale.
    """
    sides = node.scaling
    if not isinstance(sides, Sides):
        raise CompileError(f"{node.where()} does not bring its inputs to one scale.")
    scales = [float(np.float32(value.scale)) for value in (*node.inputs[:2], node.output)]
    twice, left_shift = 2 * max(scales[0], scales[1]), sides_shift(node)
    return SidesScales(
        left_shift,
        quantize_multiplier(scales[0] / twice),
        quantize_multiplier(scales[1] / twice),
        quantize_multiplier(twice**sides.degree / ((1 << left_shift * sides.degree) * scales[2])),
    )


def sides_shift(node: Binary) -> int:
    """Bits by which each side of an operator that brings both to one scale is shifted first."""
    assert isinstance(node.scaling, Sides)
    return SHIFT_16 if node.output.dtype == "int16" else node.scaling.left_shift


def binary_scales(node: Binary) -> dict[str, tuple[int, int]]:
    """Multipliers and exponents of an int8 operator on two values, by their names in C: of inputs and output."""
    if node.scaling in ("none", "one"):
        return {}
    if node.scaling == "product":
        return {"y": product_scale(node)}
    if node.scaling == "slope":
        first, product = slope_scales(node)
        return {"a": first, "y": product}
    scales = sides_scales(node)
    return {"a": scales.first, "b": scales.second, "y": scales.output}


def product_scale(node: Binary) -> tuple[int, int]:
    """Multiplier and exponent of an int8 MUL."""
    first, second, output = (np.float32(value.scale) for value in (*node.inputs[:2], node.output))
    return quantize_multiplier(float(first * second / output))


def slope_scales(node: Binary) -> tuple[tuple[int, int], tuple[int, int]]:
    """Multipliers and exponents of an int8 PRELU: of its input, and of the input times the slope.

    As its preparation in TensorFlow Lite does, in single precision.
    """
    first, second, output = (np.float32(value.scale) for value in (*node.inputs[:2], node.output))
    return quantize_multiplier(float(first / output)), quantize_multiplier(float(first * second / output))


def matmul_scale(node: BatchMatMul) -> tuple[int, int]:
    """Multiplier and exponent of an int8 BATCH_MATMUL, in double precision of the stored floats."""
    first, second, output = (float(np.float32(value.scale)) for value in (*node.inputs[:2], node.output))
    return quantize_multiplier(first * second / output)


def mean_multiplier(node: Mean) -> tuple[int, int, int]:
    """Elements of each mean, and multiplier and exponent that divide by them and rescale.

    As QuantizedMeanOrSum of TensorFlow Lite folds the division into the multiplier.
    """
    count = math.prod(node.input.shape[axis] for axis in node.axes)
    multiplier, exponent = rescaling(node)
    shift = min(count.bit_length() - 1, 32, 31 + exponent)
    return count, (multiplier << shift) // count, exponent - shift


def svdf_scales(node: Svdf) -> tuple[tuple[int, int], tuple[int, int]]:
    """Multipliers and exponents of an int8 SVDF: from the products of features to the state, and on to the output.

    As its preparation in TensorFlow Lite does, in single precision.
    """
    source, features, time, state, output = (
        np.float32(value.scale) for value in (node.input, node.features, node.time, node.state, node.output)
    )
    return quantize_multiplier(float(source * features / state)), quantize_multiplier(float(state * time / output))


def softmax_scale(node: Softmax | LogSoftmax) -> tuple[int, int, int]:
    """Multiplier and left shift of the differences, and the smallest difference that counts (PreprocessSoftmaxScaling).

    The scale is beta * input scale * 2**(31 - 5), at most 2**31 - 1.
    """
    beta = node.beta if isinstance(node, Softmax) else 1.0
    real = min(
        float(np.float32(beta)) * float(np.float32(node.input.scale)) * (1 << (31 - DIFFERENCE_BITS)),
        float((1 << 31) - 1),
    )
    multiplier, shift = quantize_multiplier(real)
    if shift < 0 or multiplier == 0:
        raise CompileError(f"The scale of the input of {node.where()} is too small.", "Quantize the network again.")
    radius = np.floor(((1 << DIFFERENCE_BITS) - 1) * (1 << (31 - DIFFERENCE_BITS)) / (1 << shift))
    return multiplier, shift, -int(radius)


def log_softmax_inverse(node: LogSoftmax) -> tuple[int, int]:
    """Multiplier and exponent from differences on the scale of the logarithm back to those of the input's integers."""
    multiplier, shift, _ = softmax_scale(node)
    return quantize_multiplier((1 << (31 - shift)) / multiplier)


def rescaling(node: Node) -> tuple[int, int]:
    """Multiplier and exponent from the input's scale to the output's, in double precision of the stored floats."""
    return quantize_multiplier(float(np.float32(node.input.scale)) / float(np.float32(node.output.scale)))
