"""Arithmetic of single operators: multiply-accumulates, and what ST's MACC figure adds to them.

MACs are the multiplications with accumulation of convolutions, dense layers, matrix products and batch
normalization. Borders are counted as if the padding were data, as is usual. A transposed convolution has one MAC
for each input element, kernel element and output channel.

MACC is the figure of ST's X-CUBE-AI: MACs, and 1 for each output of a ReLU, 1 for each element that a pooling
window looks at, 1 for each bias of a convolution (not of a dense layer), 15 for each element of a softmax. That
reproduces ST's number for the MNIST network. The other terms are edgerig's own extension: 1 for each output
of other element-wise operators, 10 for each sigmoid or tanh, 1 for each element that a reduction reads.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from edgerig.models.graph.types import Graph, Operator, Tensor

SOFTMAX_COST = 15
CURVE_COST = 10


class Costs:
    """The tensors of one operator, for the counting rules."""

    def __init__(self, graph: Graph, operator: Operator) -> None:
        self.graph, self.operator = graph, operator

    def input(self, position: int) -> Tensor | None:
        """Input tensor, None where it is left out."""
        inputs = self.operator.inputs
        return self.graph.tensors[inputs[position]] if position < len(inputs) and inputs[position] >= 0 else None

    def need(self, position: int) -> Tensor:
        """Input tensor that must be there with a shape."""
        tensor = self.input(position)
        if tensor is None or tensor.unknown_shape:
            raise UncountableError(f"the shape of input {position} is not known")
        return tensor

    @property
    def output(self) -> Tensor:
        """First output tensor."""
        index = next((index for index in self.operator.outputs if index >= 0), None)
        if index is None or self.graph.tensors[index].unknown_shape:
            raise UncountableError("the shape of its output is not known")
        return self.graph.tensors[index]

    def option(self, name: str, default: object = None) -> object:
        """Attribute of the operator."""
        return self.operator.options.get(name, default)


class UncountableError(Exception):
    """An operator whose cost cannot be computed; holds the reason."""


#: MACs, and the additional terms of MACC.
Cost = tuple[int, int]
Rule = Callable[[Costs], Cost]


def operator_cost(graph: Graph, operator: Operator) -> Cost:
    """MACs of an operator and what MACC adds to them.

    Raises:
        UncountableError: The operator is not known, or its shapes make no sense.
    """
    rule = RULES.get(operator.op)
    if rule is None:
        raise UncountableError(f"operator {operator.options.get('custom_code') or operator.op} is not known")
    costs = Costs(graph, operator)
    try:
        macs, extra = rule(costs)
    except (IndexError, TypeError, ValueError, ZeroDivisionError) as error:
        raise UncountableError("its shapes make no sense") from error
    return macs, extra + _activation(costs)


def _activation(costs: Costs) -> int:
    """The cost of an activation function that is fused into an operator."""
    name = str(costs.option("fused_activation_function") or costs.option("activation") or "").lower()
    if costs.operator.op in ("Activation", "FusedConv"):
        return 0
    return _CURVES.get(name, 0) * costs.output.elements


_CURVES = {
    "relu": 1, "relu6": 1, "relu_n1_to_1": 1, "leaky_relu": 1,
    "tanh": CURVE_COST, "sigmoid": CURVE_COST, "hard_sigmoid": CURVE_COST, "elu": CURVE_COST, "selu": CURVE_COST,
    "gelu": CURVE_COST, "silu": CURVE_COST, "swish": CURVE_COST, "softmax": SOFTMAX_COST,
}  # fmt: skip


def _free(_: Costs) -> Cost:
    return 0, 0


def _elementwise(each: int = 1) -> Rule:
    return lambda costs: (0, each * costs.output.elements)


def _reduction(costs: Costs) -> Cost:
    return 0, costs.need(0).elements


def _biases(costs: Costs, position: int) -> int:
    bias = costs.input(position)
    return bias.elements if bias is not None else 0


def _kernel(slices: slice, bias: int, weight: int = 1) -> Rule:
    """One MAC for each output element and each kernel element in ``slices`` of the weight's shape."""
    return lambda costs: (
        costs.output.elements * math.prod(costs.need(weight).shape[slices]),
        _biases(costs, bias),
    )


def _scatter(data: int, slices: slice, bias: int) -> Rule:
    """Transposed: one MAC for each input element and each kernel element in ``slices`` of the weight's shape."""
    return lambda costs: (
        costs.need(data).elements * math.prod(costs.need(1).shape[slices]),
        _biases(costs, bias),
    )


def _fully_connected(costs: Costs) -> Cost:
    return costs.output.elements * costs.need(1).shape[-1], 0


def _matmul(costs: Costs) -> Cost:
    left = costs.need(0).shape
    inner = left[-2] if costs.option("adj_x") or costs.option("transA") else left[-1]
    return costs.output.elements * inner, 0


def _tflite_pool(costs: Costs) -> Cost:
    window = int(str(costs.option("filter_width"))) * int(str(costs.option("filter_height")))
    return 0, costs.output.elements * window


def _onnx_pool(costs: Costs) -> Cost:
    window = costs.option("kernel_shape")
    if not isinstance(window, list):
        raise ValueError
    return 0, costs.output.elements * math.prod(window)


def _keras_pool(costs: Costs) -> Cost:
    window = costs.option("pool_size")
    rank = len(costs.output.shape) - 2
    sizes = [window] * rank if isinstance(window, int) else window
    if not isinstance(sizes, list | tuple):
        raise ValueError
    return 0, costs.output.elements * math.prod(sizes)


def _separable(costs: Costs) -> Cost:
    depthwise, pointwise = costs.need(1).shape, costs.need(2).shape
    points = costs.output.elements // pointwise[-1]
    return points * (math.prod(depthwise) + math.prod(pointwise)), _biases(costs, 3)


def _normalization(costs: Costs) -> Cost:
    return costs.output.elements, 0


def _keras_activation(costs: Costs) -> Cost:
    return 0, _CURVES.get(str(costs.option("activation")).lower(), 1) * costs.output.elements


def _named(names: str, rule: Rule) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


RULES: dict[str, Rule] = {
    # TFLite: kernels (out, height, width, in), depthwise (1, height, width, out)
    "CONV_2D": _kernel(slice(1, None), 2),
    "DEPTHWISE_CONV_2D": _kernel(slice(1, 3), 2),
    "CONV_3D": _kernel(slice(0, 4), 2),
    "TRANSPOSE_CONV": _scatter(2, slice(0, 3), 3),
    "FULLY_CONNECTED": _fully_connected,
    "BATCH_MATMUL": _matmul,
    **_named("MAX_POOL_2D AVERAGE_POOL_2D L2_POOL_2D", _tflite_pool),
    "SOFTMAX": _elementwise(SOFTMAX_COST),
    **_named("LOG_SOFTMAX", _elementwise(SOFTMAX_COST)),
    **_named("LOGISTIC TANH ELU GELU EXP LOG SQRT RSQRT SIN COS POW HARD_SWISH", _elementwise(CURVE_COST)),
    **_named("RELU RELU6 RELU_N1_TO_1 RELU_0_TO_1 LEAKY_RELU PRELU", _elementwise()),
    **_named("ADD SUB MUL DIV MAXIMUM MINIMUM SQUARED_DIFFERENCE NEG ABS SIGN SQUARE FLOOR ROUND CEIL", _elementwise()),
    **_named(
        "EQUAL NOT_EQUAL GREATER GREATER_EQUAL LESS LESS_EQUAL LOGICAL_AND LOGICAL_OR LOGICAL_NOT", _elementwise()
    ),
    **_named("SELECT SELECT_V2 RESIZE_BILINEAR", _elementwise()),
    **_named("MEAN SUM REDUCE_MAX REDUCE_MIN REDUCE_PROD ARG_MAX ARG_MIN L2_NORMALIZATION", _reduction),
    **_named(
        "RESHAPE SQUEEZE EXPAND_DIMS TRANSPOSE CONCATENATION SPLIT SPLIT_V PACK UNPACK SLICE STRIDED_SLICE", _free
    ),
    **_named("PAD PADV2 MIRROR_PAD QUANTIZE DEQUANTIZE CAST SHAPE GATHER TILE BROADCAST_TO REVERSE_V2 FILL", _free),
    **_named("RESIZE_NEAREST_NEIGHBOR SPACE_TO_DEPTH DEPTH_TO_SPACE SPACE_TO_BATCH_ND BATCH_TO_SPACE_ND", _free),
    **_named("VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE CALL_ONCE", _free),
    # ONNX: kernels (out, in, height, width), transposed (in, out, height, width)
    **_named("Conv FusedConv com.microsoft.FusedConv", _kernel(slice(1, None), 2)),
    "ConvInteger": _kernel(slice(1, None), 99),
    "QLinearConv": _kernel(slice(1, None), 8, weight=3),
    "ConvTranspose": _scatter(0, slice(1, None), 2),
    **_named("Gemm MatMul MatMulInteger QLinearMatMul com.microsoft.QGemm", _matmul),
    **_named("MaxPool AveragePool LpPool com.microsoft.QLinearAveragePool", _onnx_pool),
    **_named("GlobalAveragePool GlobalMaxPool com.microsoft.QLinearGlobalAveragePool", _reduction),
    **_named("ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ArgMax ArgMin", _reduction),
    **_named("Softmax LogSoftmax com.microsoft.QLinearSoftmax", _elementwise(SOFTMAX_COST)),
    **_named(
        "Sigmoid Tanh Elu Selu Gelu Erf Exp Log Sqrt Pow HardSwish HardSigmoid Softplus", _elementwise(CURVE_COST)
    ),
    **_named("Relu LeakyRelu PRelu Clip Add Sub Mul Div Max Min Neg Abs Floor Ceil Round Sign Where", _elementwise()),
    **_named("Equal Greater GreaterOrEqual Less LessOrEqual And Or Not", _elementwise()),
    **_named("com.microsoft.QLinearAdd com.microsoft.QLinearMul com.microsoft.QLinearSigmoid", _elementwise()),
    **_named("BatchNormalization InstanceNormalization LayerNormalization", _normalization),
    **_named("Reshape Flatten Squeeze Unsqueeze Identity Transpose Concat Split Slice Gather Pad Cast Shape", _free),
    **_named("Dropout Constant ConstantOfShape Expand Tile Resize Upsample DepthToSpace SpaceToDepth", _free),
    **_named("QuantizeLinear DequantizeLinear DynamicQuantizeLinear com.microsoft.QLinearConcat", _free),
    # Keras: kernels (height, width, in, out), transposed (height, width, out, in)
    **_named("Conv1D Conv2D", _kernel(slice(0, -1), 2)),
    "DepthwiseConv2D": _kernel(slice(0, 2), 2),
    "SeparableConv2D": _separable,
    "Conv2DTranspose": _scatter(0, slice(0, 3), 2),
    "Dense": _matmul,
    **_named("MaxPooling1D MaxPooling2D AveragePooling1D AveragePooling2D", _keras_pool),
    **_named("GlobalAveragePooling1D GlobalAveragePooling2D GlobalMaxPooling1D GlobalMaxPooling2D", _reduction),
    "Activation": _keras_activation,
    **_named("ReLU LeakyReLU PReLU Rescaling Normalization", _elementwise()),
    **_named("Subtract Multiply Average Maximum Minimum", _elementwise()),
    **_named("Concatenate Permute UpSampling1D UpSampling2D ZeroPadding2D Cropping2D Resizing", _free),
    **_named("SpatialDropout1D SpatialDropout2D GaussianNoise GaussianDropout ActivityRegularization", _free),
    **_named("RandomFlip RandomRotation RandomZoom RandomTranslation RandomContrast RandomBrightness", _free),
}
