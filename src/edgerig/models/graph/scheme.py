"""The quantization scheme of a graph, by its actual tensors."""

from __future__ import annotations

from edgerig.models.graph.types import Graph, Operator

FLOATS = frozenset({"float32", "float16", "bfloat16", "float64"})
INT8S = frozenset({"int8", "uint8", "int4", "uint4", "int2", "uint2"})
#: Schemes, the most demanding first: where operators differ, the first of theirs is the network's.
ORDER = ("dynamic", "int16x8", "int8", "float16", "bfloat16", "float64", "float32")

#: Operators with weights: position of the activation and of the weight among the inputs.
WEIGHTED = {
    "CONV_2D": (0, 1), "DEPTHWISE_CONV_2D": (0, 1), "FULLY_CONNECTED": (0, 1), "TRANSPOSE_CONV": (2, 1),
    "BATCH_MATMUL": (0, 1), "CONV_3D": (0, 1), "SVDF": (0, 1), "UNIDIRECTIONAL_SEQUENCE_LSTM": (0, 1),
    "Conv": (0, 1), "ConvTranspose": (0, 1), "Gemm": (0, 1), "MatMul": (0, 1), "FusedConv": (0, 1),
    "QLinearConv": (0, 3), "QLinearMatMul": (0, 3), "ConvInteger": (0, 1), "MatMulInteger": (0, 1),
    "QGemm": (0, 3),
}  # fmt: skip
#: Others with weights, which quantizers of whole networks may leave as they are.
_ALSO_WEIGHTED = dict.fromkeys(
    (
        "LSTM", "GRU", "RNN", "Attention", "MatMulNBits", "MatMulIntegerToFloat", "DynamicQuantizeMatMul",
        "DynamicQuantizeLSTM", "QAttention",
    ),
    (0, 1),
)  # fmt: skip

#: Operators that only change how numbers are stored; the weight is the input of their chain.
CONVERSIONS = frozenset({"DEQUANTIZE", "QUANTIZE", "DequantizeLinear", "QuantizeLinear", "CAST", "Cast", "DENSIFY"})


def scheme_of(graph: Graph) -> str:
    """One of `ORDER`.

    Determined by the operators that have weights (by all activations where there are none). Where they differ, the
    scheme is the most demanding one among them, in this order: ``dynamic`` (weights of 8 bits or less under float
    activations), ``int16x8`` (16-bit activations), ``int8`` (8-bit activations), ``float16`` and ``bfloat16`` (weights
    stored so), ``float64``, ``float32``. So a file that says ``int8`` may still hold float operators.
    """
    makers = {output: operator for operator in graph.operators for output in operator.outputs}
    stored = stored_behind(graph, CONVERSIONS)
    kinds = {kind for operator in graph.operators if (kind := _operator_scheme(graph, operator, makers, stored))}
    if any(operator.op == "DynamicQuantizeLinear" for operator in graph.operators):
        kinds.add("dynamic")
    if not kinds:
        quantized = _quantized(graph)
        kinds = {
            _activation_scheme(tensor.dtype)
            for tensor in graph.tensors
            if not tensor.constant and (tensor.dtype in FLOATS or tensor.index in quantized)
        }
    return next((kind for kind in ORDER if kind in kinds), "float32")


def _quantized(graph: Graph) -> set[int]:
    """The integers that stand for reals: those with a scale, and the ends of ONNX's operators on such."""
    scaled = {tensor.index for tensor in graph.tensors if tensor.quantization is not None}
    ends = {
        index
        for operator in graph.operators
        if operator.op.startswith(("QLinear", "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"))
        for index in (*operator.inputs, *operator.outputs)
    }
    return scaled | ends


def _operator_scheme(
    graph: Graph, operator: Operator, makers: dict[int, Operator], behind: dict[int, int]
) -> str | None:
    places = WEIGHTED.get(operator.op) or _ALSO_WEIGHTED.get(operator.op)
    if places is None or len(operator.inputs) <= max(places):
        return None
    activation, weight = (operator.inputs[position] for position in places)
    if activation < 0 or weight < 0:
        return None
    stored = behind.get(weight, weight)
    if not graph.tensors[stored].constant:
        return None
    # In ONNX's QDQ form the integer tensor is the input of the DequantizeLinear that feeds the operator.
    maker = makers.get(activation)
    if maker is not None and maker.op == "DequantizeLinear":
        activation = maker.inputs[0]
    weight_dtype = graph.tensors[stored].dtype
    activation_dtype = graph.tensors[activation].dtype
    if activation_dtype in FLOATS:
        if weight_dtype in INT8S or weight_dtype.startswith("float8"):
            return "dynamic"
        return next(kind for kind in (*ORDER[3:-1], "float32") if kind in (weight_dtype, activation_dtype, "float32"))
    return _activation_scheme(activation_dtype)


def stored_behind(graph: Graph, conversions: frozenset[str]) -> dict[int, int]:
    """For each tensor that operators among ``conversions`` produce, the tensor at the start of their chain."""
    sources: dict[int, int] = {}
    for operator in graph.operators:
        if operator.op in conversions and operator.inputs[:1] > (-1,):
            source = sources.get(operator.inputs[0], operator.inputs[0])
            for output in operator.outputs:
                if not graph.tensors[output].constant:
                    sources[output] = source
    return sources


def _activation_scheme(dtype: str) -> str:
    if dtype in ("int16", "uint16"):
        return "int16x8"
    if dtype in INT8S:
        return "int8"
    return dtype if dtype in FLOATS else "float32"
