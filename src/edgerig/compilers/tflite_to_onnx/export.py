"""The export rules by operator, and the ONNX model around their nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from edgerig import __version__
from edgerig.compilers.tflite_to_onnx import pointwise, shapes, spatial
from edgerig.compilers.tflite_to_onnx.builder import Array, Builder, UnsupportedError
from edgerig.errors import CompileError
from edgerig.models.graph.types import Graph
from edgerig.text import cause_of

#: Old enough for every runtime in use, new enough for per-channel QDQ (13) and HardSwish (14).
OPSET, IR_VERSION = 17, 8

RULES: dict[str, pointwise.Rule] = {
    "CONV_2D": spatial.conv_2d,
    "DEPTHWISE_CONV_2D": spatial.depthwise_conv_2d,
    "TRANSPOSE_CONV": spatial.transpose_conv,
    "MAX_POOL_2D": spatial.max_pool,
    "AVERAGE_POOL_2D": spatial.average_pool,
    "PAD": spatial.pad,
    "PADV2": spatial.pad,
    "MIRROR_PAD": spatial.pad,
    "RESIZE_NEAREST_NEIGHBOR": spatial.resize,
    "RESIZE_BILINEAR": spatial.resize,
    "DEPTH_TO_SPACE": spatial.depth_to_space,
    "SPACE_TO_DEPTH": spatial.space_to_depth,
    "FULLY_CONNECTED": pointwise.fully_connected,
    "BATCH_MATMUL": pointwise.batch_matmul,
    "SOFTMAX": pointwise.softmax,
    "LOG_SOFTMAX": pointwise.softmax,
    "LEAKY_RELU": pointwise.leaky_relu,
    "PRELU": pointwise.prelu,
    "RELU6": pointwise.clip,
    "RELU_N1_TO_1": pointwise.clip,
    "RELU_0_TO_1": pointwise.clip,
    "GELU": pointwise.gelu,
    "RSQRT": pointwise.rsqrt,
    "SQUARE": pointwise.square,
    "SQUARED_DIFFERENCE": pointwise.squared_difference,
    "CAST": pointwise.cast,
    "SELECT": pointwise.select,
    "SELECT_V2": pointwise.select,
    "NOT_EQUAL": pointwise.not_equal,
    "ARG_MAX": pointwise.arg("ArgMax"),
    "ARG_MIN": pointwise.arg("ArgMin"),
    "MEAN": pointwise.reduction("ReduceMean"),
    "SUM": pointwise.reduction("ReduceSum"),
    "REDUCE_MAX": pointwise.reduction("ReduceMax"),
    "REDUCE_MIN": pointwise.reduction("ReduceMin"),
    "REDUCE_PROD": pointwise.reduction("ReduceProd"),
    "RESHAPE": shapes.reshape,
    "SQUEEZE": shapes.reshape,
    "EXPAND_DIMS": shapes.reshape,
    "TRANSPOSE": shapes.transpose,
    "CONCATENATION": shapes.concatenation,
    "SPLIT": shapes.split,
    "SPLIT_V": shapes.split,
    "PACK": shapes.pack,
    "UNPACK": shapes.unpack,
    "SLICE": shapes.slice_,
    "STRIDED_SLICE": shapes.strided_slice,
    "GATHER": shapes.gather,
    "BROADCAST_TO": shapes.broadcast_to,
    "TILE": shapes.tile,
    "SHAPE": shapes.shape_,
    "FILL": shapes.fill,
    **{
        name: pointwise.unary(kind)
        for name, kind in {
            "RELU": "Relu", "LOGISTIC": "Sigmoid", "TANH": "Tanh", "ELU": "Elu", "HARD_SWISH": "HardSwish",
            "EXP": "Exp", "LOG": "Log", "SQRT": "Sqrt", "SIN": "Sin", "COS": "Cos", "NEG": "Neg", "ABS": "Abs",
            "FLOOR": "Floor", "CEIL": "Ceil", "ROUND": "Round", "LOGICAL_NOT": "Not", "SIGN": "Sign",
        }.items()
    },
    **{
        name: pointwise.binary(kind)
        for name, kind in {
            "ADD": "Add", "SUB": "Sub", "MUL": "Mul", "DIV": "Div", "POW": "Pow", "MAXIMUM": "Max",
            "MINIMUM": "Min", "EQUAL": "Equal", "GREATER": "Greater", "GREATER_EQUAL": "GreaterOrEqual",
            "LESS": "Less", "LESS_EQUAL": "LessOrEqual", "LOGICAL_AND": "And", "LOGICAL_OR": "Or",
        }.items()
    },
}  # fmt: skip

SUPPORTED = tuple(sorted(RULES))


def export_onnx(graph: Graph, weights: Mapping[int, Array], name: str) -> bytes:
    """A checked ONNX model that computes what the float TFLite network ``graph`` computes.

    Args:
        graph: As `edgerig.models.graph.read_graph` gives it for a TFLite file.
        weights: As `edgerig.models.graph.read_weights` gives them.
        name: The network's name, in the model and in messages.

    Raises:
        CompileError: Names every operator that cannot be exported, with its position.
    """
    _check_known(graph, name)
    builder = Builder(graph, weights)
    inputs = _unique_names(builder, graph.inputs)
    for index, input_name in zip(graph.inputs, inputs, strict=True):
        builder.put(index, input_name)
    outputs = _unique_names(builder, graph.outputs)
    for operator in graph.operators:
        builder.scope = operator.name
        try:
            RULES[operator.op](builder, operator)
        except UnsupportedError as reason:
            raise CompileError(
                f"{name}: operator {operator.index} ({operator.op}, {operator.name!r}) cannot be exported to ONNX: "
                f"{reason}.",
                "Change that layer, or stay with TFLite.",
            ) from reason
    values = [builder.get(index) for index in graph.outputs]
    _name_outputs(builder, values, outputs, set(inputs))
    return _model(builder, inputs, outputs, name)


def _check_known(graph: Graph, name: str) -> None:
    strange = [operator for operator in graph.operators if operator.op not in RULES]
    if not strange:
        return
    listed = ", ".join(f"{op.index} ({op.options.get('custom_code') or op.op}, {op.name!r})" for op in strange[:5])
    more = f" and {len(strange) - 5} more" if len(strange) > 5 else ""
    raise CompileError(
        f"{name} cannot be exported to ONNX: no rule for operator {listed}{more}.",
        f"Supported: {', '.join(SUPPORTED)}.",
    )


def _unique_names(builder: Builder, indices: tuple[int, ...]) -> list[str]:
    return [builder.unique(builder.tensor(index).name) for index in indices]


def _name_outputs(builder: Builder, values: list[str], outputs: list[str], inputs: set[str]) -> None:
    """Name the values that leave the graph; an input, a constant or a value that leaves twice is copied."""
    renamed: dict[str, str] = {}
    for value, output in zip(values, outputs, strict=True):
        if value in inputs or value in builder.initializers or value in renamed:
            _copy(builder, value, output)
        else:
            renamed[value] = output
    for node in builder.nodes:
        node.input[:] = [renamed.get(item, item) for item in node.input]
        node.output[:] = [renamed.get(item, item) for item in node.output]


def _copy(builder: Builder, value: str, output: str) -> None:
    from onnx import helper

    builder.nodes.append(helper.make_node("Identity", [value], [output], name=output))


def _model(builder: Builder, inputs: list[str], outputs: list[str], name: str) -> bytes:
    import onnx
    from onnx import helper, numpy_helper

    def info(index: int, name: str) -> Any:
        tensor = builder.tensor(index)
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype))
        return helper.make_tensor_value_info(name, kind, list(tensor.shape))

    source = builder.graph
    graph = helper.make_graph(
        builder.nodes,
        name,
        [info(index, given) for index, given in zip(source.inputs, inputs, strict=True)],
        [info(index, given) for index, given in zip(source.outputs, outputs, strict=True)],
        [numpy_helper.from_array(array, name) for name, array in builder.initializers.items()],
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="edgerig",
        producer_version=__version__,
    )
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:
        raise CompileError(f"{name}: the exported ONNX model is not valid: {cause_of(error)}.") from error
    data: bytes = model.SerializeToString()
    return data
