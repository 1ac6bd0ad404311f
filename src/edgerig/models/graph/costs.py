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

from edgerig.models.graph.cost_rules import (
    CURVE_COST,
    CURVES,
    SOFTMAX_COST,
    Cost,
    Costs,
    Rule,
    UncountableError,
    alike,
    elementwise,
    free,
    kernel,
    matmul,
    normalization,
    reduction,
    scatter,
)
from edgerig.models.graph.keras_costs import KERAS_RULES
from edgerig.models.graph.keras_recurrent import RECURRENT
from edgerig.models.graph.types import Graph, Operator


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
    if costs.operator.op in ("Activation", "FusedConv") or costs.operator.op in RECURRENT:
        return 0
    return CURVES.get(name, 0) * costs.output.elements


def _fully_connected(costs: Costs) -> Cost:
    return costs.output.elements * costs.need(1).shape[-1], 0


def _tflite_pool(costs: Costs) -> Cost:
    window = int(str(costs.option("filter_width"))) * int(str(costs.option("filter_height")))
    return 0, costs.output.elements * window


def _onnx_pool(costs: Costs) -> Cost:
    window = costs.option("kernel_shape")
    if not isinstance(window, list):
        raise ValueError
    return 0, costs.output.elements * math.prod(window)


RULES: dict[str, Rule] = {
    # TFLite: kernels (out, height, width, in), depthwise (1, height, width, out)
    "CONV_2D": kernel(slice(1, None), 2),
    "DEPTHWISE_CONV_2D": kernel(slice(1, 3), 2),
    "CONV_3D": kernel(slice(0, 4), 2),
    "TRANSPOSE_CONV": scatter(2, slice(0, 3), 3),
    "FULLY_CONNECTED": _fully_connected,
    "BATCH_MATMUL": matmul,
    **alike("MAX_POOL_2D AVERAGE_POOL_2D L2_POOL_2D", _tflite_pool),
    "SOFTMAX": elementwise(SOFTMAX_COST),
    **alike("LOG_SOFTMAX", elementwise(SOFTMAX_COST)),
    **alike("LOGISTIC TANH ELU GELU EXP LOG SQRT RSQRT SIN COS POW HARD_SWISH", elementwise(CURVE_COST)),
    **alike("RELU RELU6 RELU_N1_TO_1 RELU_0_TO_1 LEAKY_RELU PRELU", elementwise()),
    **alike("ADD SUB MUL DIV MAXIMUM MINIMUM SQUARED_DIFFERENCE NEG ABS SIGN SQUARE FLOOR ROUND CEIL", elementwise()),
    **alike("EQUAL NOT_EQUAL GREATER GREATER_EQUAL LESS LESS_EQUAL LOGICAL_AND LOGICAL_OR LOGICAL_NOT", elementwise()),
    **alike("SELECT SELECT_V2 RESIZE_BILINEAR", elementwise()),
    **alike("MEAN SUM REDUCE_MAX REDUCE_MIN REDUCE_PROD ARG_MAX ARG_MIN L2_NORMALIZATION", reduction),
    **alike("RESHAPE SQUEEZE EXPAND_DIMS TRANSPOSE CONCATENATION SPLIT SPLIT_V PACK UNPACK SLICE STRIDED_SLICE", free),
    **alike("PAD PADV2 MIRROR_PAD QUANTIZE DEQUANTIZE CAST SHAPE GATHER TILE BROADCAST_TO REVERSE_V2 FILL", free),
    **alike("RESIZE_NEAREST_NEIGHBOR SPACE_TO_DEPTH DEPTH_TO_SPACE SPACE_TO_BATCH_ND BATCH_TO_SPACE_ND", free),
    **alike("VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE CALL_ONCE", free),
    # ONNX: kernels (out, in, height, width), transposed (in, out, height, width)
    **alike("Conv FusedConv com.microsoft.FusedConv", kernel(slice(1, None), 2)),
    "ConvInteger": kernel(slice(1, None), 99),
    "QLinearConv": kernel(slice(1, None), 8, weight=3),
    "ConvTranspose": scatter(0, slice(1, None), 2),
    **alike("Gemm MatMul MatMulInteger QLinearMatMul com.microsoft.QGemm", matmul),
    **alike("MaxPool AveragePool LpPool com.microsoft.QLinearAveragePool", _onnx_pool),
    **alike("GlobalAveragePool GlobalMaxPool com.microsoft.QLinearGlobalAveragePool", reduction),
    **alike("ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ArgMax ArgMin", reduction),
    **alike("Softmax LogSoftmax com.microsoft.QLinearSoftmax", elementwise(SOFTMAX_COST)),
    **alike("Sigmoid Tanh Elu Selu Gelu Erf Exp Log Sqrt Pow HardSwish HardSigmoid Softplus", elementwise(CURVE_COST)),
    **alike("Relu LeakyRelu PRelu Clip Add Sub Mul Div Max Min Neg Abs Floor Ceil Round Sign Where", elementwise()),
    **alike("Equal Greater GreaterOrEqual Less LessOrEqual And Or Not", elementwise()),
    **alike("com.microsoft.QLinearAdd com.microsoft.QLinearMul com.microsoft.QLinearSigmoid", elementwise()),
    **alike("BatchNormalization InstanceNormalization LayerNormalization", normalization),
    **alike("Reshape Flatten Squeeze Unsqueeze Identity Transpose Concat Split Slice Gather Pad Cast Shape", free),
    **alike("Dropout Constant ConstantOfShape Expand Tile Resize Upsample DepthToSpace SpaceToDepth", free),
    **alike("QuantizeLinear DequantizeLinear DynamicQuantizeLinear com.microsoft.QLinearConcat", free),
    **KERAS_RULES,
}
