"""int8 networks as uint8 ones, as converters made them before there was int8."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgerig.testing.networks.tflite_builder import packed

#: Operators with weights at input 1; of a transposed convolution their zero point must be 128.
_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


def as_unsigned(data: bytes, seed: int, *, far: bool = False) -> bytes:
    """The int8 network ``data`` in uint8: integers and zero points are 128 more; scales of weights are one a tensor.

    Args:
        data: A TFLite file of one subgraph.
        seed: Of the zero points of weights.
        far: Whether these are so far from 128 that weights without them take 9 bits.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    (graph,), rng = model.subgraphs, np.random.default_rng(seed)
    codes = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    for operator in graph.operators:
        name = codes[model.operatorCodes[operator.opcodeIndex].builtinCode]
        if name in (*_WEIGHTED, "TRANSPOSE_CONV"):
            transposed = name == "TRANSPOSE_CONV"
            source, weights = (
                graph.tensors[operator.inputs[position]] for position in ((2, 1) if transposed else (0, 1))
            )
            _one_scale(weights, int(rng.integers(40, 90) * rng.choice([-1, 1])) if far and not transposed else 0)
            position = 3 if transposed else 2
            if len(operator.inputs) > position and operator.inputs[position] >= 0:
                bias = graph.tensors[operator.inputs[position]].quantization
                bias.scale, bias.zeroPoint = [source.quantization.scale[0] * weights.quantization.scale[0]], [0]
    for tensor in graph.tensors:
        if tensor.type == schema.TensorType.INT8:
            _shift(model, tensor, schema.TensorType.UINT8)
    return packed(model)


def _one_scale(weights: Any, zero_point: int) -> None:
    weights.quantization.scale, weights.quantization.zeroPoint = [weights.quantization.scale[0]], [zero_point]


def _shift(model: Any, tensor: Any, kind: int) -> None:
    tensor.type = kind
    tensor.quantization.zeroPoint = [int(zero) + 128 for zero in tensor.quantization.zeroPoint]
    content = model.buffers[tensor.buffer].data
    if content is not None and len(content):
        model.buffers[tensor.buffer].data = np.asarray(content, np.uint8) ^ 128
