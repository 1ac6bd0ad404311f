"""Activations of 16 bits: layers with weights of 8, pooling, sums and products, functions of one value."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from edgerig.micro.arithmetic.int16 import (
    curve_scale,
    exponential_table,
    reciprocal_table,
    requantization16,
    sigmoid_table,
    softmax16_scale,
)
from edgerig.micro.arithmetic.requantize import RANGES, activation_range, quantize_multiplier
from edgerig.micro.arithmetic.scales import mean_multiplier, rescaling
from edgerig.micro.arithmetic.tables import table
from edgerig.micro.ir import (
    AveragePool2D,
    Binary,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Logistic,
    MaxPool2D,
    Mean,
    Node,
    Pool2D,
    Quantize,
    Relu,
    Softmax,
    Tanh,
    TransposeConv,
    Value,
    Weighted,
)
from edgerig.micro.ir.operators.functions import LeakyRelu
from edgerig.micro.kernels.base import Context, Lowered
from edgerig.micro.kernels.portable.common import Portable, files, struct
from edgerig.micro.kernels.portable.elementwise import BinaryS8
from edgerig.micro.kernels.portable.geometry import transposed_sizes
from edgerig.micro.kernels.portable.reduce import pool_struct, walks
from edgerig.micro.kernels.portable.windows import sizes

INT16: tuple[tuple[str, str], ...] = (("int16", "int16"),)


class _Window(Portable):
    types = INT16
    source = "micro_window_s16"
    supports = "int16 with int8 weights"

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Weighted)
        scales = requantization16(node)
        pairs = np.stack([scales.multipliers, scales.shifts], axis=1)
        text = struct(
            **sizes(node),
            low=scales.low,
            high=scales.high,
            once=int(scales.once),
            weights=context.constant("weights", node.weights.array, stands_for=[node.weights]),
            bias=context.constant("bias", scales.bias, stands_for=[node.bias] if node.bias else []),
            scales=f"(const micro_shift_s16 *){context.constant('scales', pairs)}",
        )
        settings = context.struct("window", self.source, text)
        x, y = context.read(node.input), context.write(node.output)
        return self.lowered(f"micro_window_s16_run(&{settings}, {x}, {y});")


class ConvS16(_Window):
    """CONV_2D."""

    name = "portable-conv-s16"
    node = Conv2D


class DepthwiseS16(_Window):
    """DEPTHWISE_CONV_2D."""

    name = "portable-depthwise-s16"
    node = DepthwiseConv2D


class DenseS16(_Window):
    """FULLY_CONNECTED."""

    name = "portable-dense-s16"
    node = FullyConnected


class TransposeConvS16(Portable):
    """TRANSPOSE_CONV."""

    name = "portable-transpose-conv-s16"
    node = TransposeConv
    types = INT16
    source = "micro_transpose_conv_s16"
    supports = "int16 with int8 weights"

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, TransposeConv)
        scales = requantization16(node)
        kernel = np.ascontiguousarray(node.weights.array.transpose(1, 2, 0, 3))
        pairs = np.stack([scales.multipliers, scales.shifts], axis=1)
        text = struct(
            **transposed_sizes(node),
            low=scales.low,
            high=scales.high,
            once=int(scales.once),
            weights=context.constant("weights", kernel, stands_for=[node.weights]),
            bias=context.constant("bias", scales.bias, stands_for=[node.bias] if node.bias else []),
            scales=f"(const micro_shift_s16 *){context.constant('scales', pairs)}",
        )
        settings = context.struct("conv", self.source, text)
        sums = context.scratch(8 * node.output.shape[3], "int64_t")
        x, y = context.read(node.input), context.write(node.output)
        return self.lowered(f"micro_transpose_conv_s16_run(&{settings}, {x}, {y}, {sums});")


class _Pool(Portable):
    types = INT16
    source = "micro_pool_s16"
    supports = "int16"
    function: ClassVar[str]

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Pool2D)
        x, y = context.read(node.input), context.write(node.output)
        return self.lowered(f"micro_{self.function}_pool_s16_run(&{pool_struct(context, node)}, {x}, {y});")


class MaxPoolS16(_Pool):
    """Max pooling."""

    name = "portable-max-pool-s16"
    node = MaxPool2D
    function = "max"


class AveragePoolS16(_Pool):
    """Average pooling."""

    name = "portable-average-pool-s16"
    node = AveragePool2D
    function = "average"


class MeanS16(Portable):
    """MEAN."""

    name = "portable-mean-s16"
    node = Mean
    types = INT16
    source = "micro_pool_s16"
    supports = "int16"

    def _fits(self, node: Node) -> bool:
        assert isinstance(node, Mean)
        return walks(node, "summed") is not None

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Mean)
        _, multiplier, exponent = mean_multiplier(node)
        numbers = {"count_zero": 0, "multiplier": multiplier, "exponent": exponent, "output_zero": 0}
        settings = context.struct("mean", "micro_mean_s8", struct(**(walks(node, "summed") or {}), **numbers))
        x, y = context.read(node.input), context.write(node.output)
        return self.lowered(f"micro_mean_s16_run(&{settings}, {x}, {y});")


class BinaryS16(BinaryS8):
    """ADD, SUB, MUL, MAXIMUM, MINIMUM."""

    name = "portable-binary-s16"
    types = INT16
    supports = "int16 of ADD, SUB, MUL, MAXIMUM and MINIMUM"

    def _fits(self, node: Node) -> bool:
        return super()._fits(node) and node.op in ("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM")

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Binary)
        a, b, y = context.read(node.inputs[0]), context.read(node.inputs[1]), context.write(node.output)
        call = f"micro_{node.op.lower()}_s16_run(&{self.settings(node, context)}, {a}, {b}, {y});"
        return files(call, "micro_binary_s16")


class CurveS16(Portable):
    """LOGISTIC and TANH."""

    name = "portable-curve-s16"
    types = INT16
    source = "micro_curves_s16"

    def _fits(self, node: Node) -> bool:
        return isinstance(node, Logistic | Tanh)

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Logistic | Tanh)
        multiplier, shift = curve_scale(node)
        table = context.constant("sigmoid", sigmoid_table())
        x, y = context.read(node.input), context.write(node.output)
        function = f"micro_{node.op.lower()}_s16_run"
        return self.lowered(f"{function}({table}, {x}, {y}, {node.output.elements}, {multiplier}, {shift});")

    def overlays(self, node: Node) -> tuple[tuple[Value, Value], ...]:
        return ((node.output, node.input),)


class LeakyReluS16(Portable):
    """LEAKY_RELU."""

    name = "portable-leaky-relu-s16"
    node = LeakyRelu
    types = INT16
    source = "micro_curves_s16"

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, LeakyRelu)
        table(node)  # refuses what 32 bits would not hold
        source, target = np.float32(node.input.scale), np.float32(node.output.scale)
        rising, falling = (
            quantize_multiplier(float(np.float32(real)))
            for real in (source / target, source * np.float32(node.alpha) / target)
        )
        text = struct(
            count=node.output.elements,
            multiplier=rising[0],
            exponent=rising[1],
            multiplier_below=falling[0],
            exponent_below=falling[1],
        )
        settings = context.struct("leaky_relu", "micro_leaky_relu_s16", text)
        x, y = context.read(node.input), context.write(node.output)
        return self.lowered(f"micro_leaky_relu_s16_run(&{settings}, {x}, {y});")

    def overlays(self, node: Node) -> tuple[tuple[Value, Value], ...]:
        return ((node.output, node.input),)


class RescaleS16(Portable):
    """RELU and its kin, and QUANTIZE from and to int16."""

    name = "portable-rescale-s16"
    types = (*INT16, ("int16", "int8"), ("int8", "int16"))
    source = "micro_curves_s16"

    def _fits(self, node: Node) -> bool:
        return isinstance(node, Relu | Quantize)

    def lower(self, node: Node, context: Context) -> Lowered:
        text = struct(count=node.output.elements, **_rescaled(node))
        settings = context.struct("rescale", "micro_rescale", text)
        kinds = "_".join(f"s{value.dtype.removeprefix('int')}" for value in (node.input, node.output))
        x, y = context.read(node.input), context.write(node.output)
        return self.lowered(f"micro_rescale_{kinds}(&{settings}, {x}, {y});")


def _rescaled(node: Node) -> dict[str, Any]:
    multiplier, exponent = rescaling(node)
    low, high = RANGES[node.output.dtype]
    if isinstance(node, Relu):
        # As its preparation in TensorFlow Lite does, in single precision.
        multiplier, exponent = quantize_multiplier(float(np.float32(node.input.scale) / np.float32(node.output.scale)))
        low, high = activation_range(node.activation, node.output)
    zeros = {"zero_x": node.input.zero_point, "zero_y": node.output.zero_point}
    return {**zeros, "multiplier": multiplier, "exponent": exponent, "low": low, "high": high}


class SoftmaxS16(Portable):
    """SOFTMAX; output scale 1/32768."""

    name = "portable-softmax-s16"
    node = Softmax
    types = INT16
    source = "micro_curves_s16"
    supports = "int16 with an output scale of 1/32768"

    def _fits(self, node: Node) -> bool:
        return float(np.float32(node.output.scale)) == 1 / 32768

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Softmax)
        multiplier, exponent = softmax16_scale(node)
        depth = node.input.shape[-1]
        text = struct(
            rows=node.input.elements // depth,
            depth=depth,
            multiplier=multiplier,
            exponent=exponent,
            powers=context.constant("powers", exponential_table()),
            reciprocals=context.constant("reciprocals", reciprocal_table()),
        )
        settings = context.struct("softmax", "micro_softmax_s16", text)
        return self.lowered(
            f"micro_softmax_s16_run(&{settings}, {context.read(node.input)}, {context.write(node.output)});"
        )


KERNELS_16 = (
    ConvS16(),
    DepthwiseS16(),
    DenseS16(),
    TransposeConvS16(),
    MaxPoolS16(),
    AveragePoolS16(),
    MeanS16(),
    BinaryS16(),
    CurveS16(),
    LeakyReluS16(),
    RescaleS16(),
    SoftmaxS16(),
)
