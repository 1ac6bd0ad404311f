"""Tiny networks, written directly as flatbuffers, to test runtimes and to time loops.

They need ``flatbuffers`` and the schema inside the LiteRT wheel, both of the base install; `dense_onnx` needs onnx.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Input scale and zero point, weight scale, output scale and zero point of `dense_tflite_int8`.
INT8_INPUT = (0.02, -3)
INT8_OUTPUT = (0.05, 4)
INT8_WEIGHT_SCALE = 0.01


def dense_weights(features: int, classes: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights (classes, features) and bias (classes,), float32, as every network of this module uses them."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(0, 1 / np.sqrt(features), (classes, features)).astype(np.float32)
    return weights, rng.normal(0, 0.1, classes).astype(np.float32)


def dense_tflite(
    path: Path, features: int | tuple[int, ...] = 8, classes: int = 4, seed: int = 0, gain: float = 1.0, batch: int = 1
) -> Path:
    """A float32 TFLite network ``softmax(gain W x + b)``: input (batch, features), output (batch, classes).

    ``features`` may be a shape, such as (28, 28, 1), whose elements are taken in order. A ``gain`` of 0 makes a network
    whose output does not depend on its input.
    """
    from ai_edge_litert import schema_py_generated as schema

    shape = (features,) if isinstance(features, int) else features
    weights, bias = dense_weights(math.prod(shape), classes, seed)
    weights = weights * np.float32(gain)
    net = _TfliteNetwork(schema)
    x = net.tensor("x", (batch, *shape), schema.TensorType.FLOAT32)
    w = net.tensor("w", weights.shape, schema.TensorType.FLOAT32, weights)
    b = net.tensor("b", bias.shape, schema.TensorType.FLOAT32, bias)
    logits = net.tensor("logits", (batch, classes), schema.TensorType.FLOAT32)
    y = net.tensor("y", (batch, classes), schema.TensorType.FLOAT32)
    net.fully_connected([x, w, b], logits)
    net.softmax(logits, y)
    return net.write(path, [x], [y])


def linear_tflite(path: Path, weights: NDArray[np.float32], bias: NDArray[np.float32], batch: int = 1) -> Path:
    """A float32 TFLite network ``W x + b`` of ``weights`` (values, features) and ``bias`` (values,)."""
    from ai_edge_litert import schema_py_generated as schema

    net = _TfliteNetwork(schema)
    x = net.tensor("x", (batch, weights.shape[1]), schema.TensorType.FLOAT32)
    w = net.tensor("w", weights.shape, schema.TensorType.FLOAT32, weights)
    b = net.tensor("b", bias.shape, schema.TensorType.FLOAT32, bias)
    y = net.tensor("y", (batch, len(bias)), schema.TensorType.FLOAT32)
    net.fully_connected([x, w, b], y)
    return net.write(path, [x], [y])


def dense_tflite_int8(
    path: Path, features: int = 8, classes: int = 4, seed: int = 0, input_quantization: tuple[float, int] = INT8_INPUT
) -> Path:
    """An int8 TFLite network ``W x + b``, quantized per tensor: int8 input (1, features), int8 output (1, classes).

    An ``input_quantization`` other than the one that the weights were made for gives a file that clamps its inputs.
    """
    from ai_edge_litert import schema_py_generated as schema

    weights, bias = dense_weights(features, classes, seed)
    kinds = schema.TensorType
    net = _TfliteNetwork(schema)
    x = net.tensor("x", (1, features), kinds.INT8, quantization=input_quantization)
    quantized = np.clip(np.round(weights / INT8_WEIGHT_SCALE), -127, 127).astype(np.int8)
    w = net.tensor("w", weights.shape, kinds.INT8, quantized, (INT8_WEIGHT_SCALE, 0))
    bias_scale = INT8_INPUT[0] * INT8_WEIGHT_SCALE
    b = net.tensor("b", bias.shape, kinds.INT32, np.round(bias / bias_scale).astype(np.int32), (bias_scale, 0))
    y = net.tensor("y", (1, classes), kinds.INT8, quantization=INT8_OUTPUT)
    net.fully_connected([x, w, b], y, version=4)
    return net.write(path, [x], [y])


def two_input_tflite(path: Path, features: int = 8, classes: int = 4, seed: int = 0) -> Path:
    """A float32 TFLite network of two inputs and two outputs: ``s = a + b`` and ``y = W s + c``.

    Inputs ``a`` and ``b`` (1, features); outputs ``s`` (1, features) and ``y`` (1, classes).
    """
    from ai_edge_litert import schema_py_generated as schema

    weights, bias = dense_weights(features, classes, seed)
    float32 = schema.TensorType.FLOAT32
    net = _TfliteNetwork(schema)
    first, second = (net.tensor(name, (1, features), float32) for name in ("a", "b"))
    total = net.tensor("s", (1, features), float32)
    net.operator(schema.BuiltinOperator.ADD, [first, second], [total], "AddOptions", schema.AddOptionsT())
    w = net.tensor("w", weights.shape, float32, weights)
    c = net.tensor("c", bias.shape, float32, bias)
    y = net.tensor("y", (1, classes), float32)
    net.fully_connected([total, w, c], y)
    return net.write(path, [first, second], [total, y])


def two_output_tflite(
    path: Path, features: int = 8, sizes: tuple[int, int] = (4, 3), seed: int = 0, names: tuple[str, str] = ("a", "b")
) -> Path:
    """A float32 TFLite network of the outputs ``names``: dense layers of (1, features), by ``seed`` and the next.

    Their sizes are ``sizes``.
    """
    from ai_edge_litert import schema_py_generated as schema

    float32 = schema.TensorType.FLOAT32
    net = _TfliteNetwork(schema)
    x = net.tensor("x", (1, features), float32)
    outputs = []
    for position, (name, classes) in enumerate(zip(names, sizes, strict=True)):
        weights, bias = dense_weights(features, classes, seed + position)
        w = net.tensor(f"w_{name}", weights.shape, float32, weights)
        c = net.tensor(f"c_{name}", bias.shape, float32, bias)
        outputs.append(net.tensor(name, (1, classes), float32))
        net.fully_connected([x, w, c], outputs[-1])
    return net.write(path, [x], outputs)


def channel_means_tflite(path: Path, shape: tuple[int, ...] = (1, 3, 5, 7)) -> Path:
    """A float32 TFLite network with channels first: the mean of each channel, which shows the brightest one."""
    from ai_edge_litert import schema_py_generated as schema

    net = _TfliteNetwork(schema)
    x = net.tensor("x", shape, schema.TensorType.FLOAT32)
    axes = net.tensor("axes", (2,), schema.TensorType.INT32, np.array([2, 3], np.int32))
    y = net.tensor("y", shape[:2], schema.TensorType.FLOAT32)
    net.operator(schema.BuiltinOperator.MEAN, [x, axes], [y], "ReducerOptions", schema.ReducerOptionsT())
    return net.write(path, [x], [y])


def bright_pixels_tflite(path: Path, height: int, width: int) -> Path:
    """A float32 TFLite network for RGB from 0 to 1: a class map (1, height, width, 2), 1 where a pixel is nearly white.

    The logits are 0 and 10 (R + G + B) - 27, so that class 1 begins above a mean of 0.9.
    """
    from ai_edge_litert import schema_py_generated as schema

    net = _TfliteNetwork(schema)
    weights, bias = np.array([[0, 0, 0], [10, 10, 10]], np.float32), np.array([0, -27], np.float32)
    x = net.tensor("x", (1, height, width, 3), schema.TensorType.FLOAT32)
    w = net.tensor("w", weights.shape, schema.TensorType.FLOAT32, weights)
    b = net.tensor("b", bias.shape, schema.TensorType.FLOAT32, bias)
    y = net.tensor("y", (1, height, width, 2), schema.TensorType.FLOAT32)
    options = schema.FullyConnectedOptionsT()
    options.keepNumDims = True
    net.operator(schema.BuiltinOperator.FULLY_CONNECTED, [x, w, b], [y], "FullyConnectedOptions", options)
    return net.write(path, [x], [y])


def dense_onnx(path: Path, features: int = 8, classes: int = 4, seed: int = 0, batch: int | str = 1) -> Path:
    """The float32 ONNX network ``softmax(W x + b)``; ``batch`` may be a name, for a dynamic axis."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights, bias = dense_weights(features, classes, seed)
    graph = helper.make_graph(
        [
            helper.make_node("Gemm", ["x", "w", "b"], ["logits"], name="dense", transB=1),
            helper.make_node("Softmax", ["logits"], ["y"], name="softmax", axis=1),
        ],
        "dense",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, features])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, classes])],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(bias, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, str(path))
    return path


class _TfliteNetwork:
    """Collects tensors and operators of one subgraph and writes the file (schema.fbs of TensorFlow Lite, version 3)."""

    def __init__(self, schema: Any) -> None:
        self._schema = schema
        self._buffers = [schema.BufferT()]
        self._tensors: list[Any] = []
        self._operators: list[Any] = []
        self._codes: list[Any] = []

    def tensor(
        self,
        name: str,
        shape: tuple[int, ...],
        kind: int,
        data: NDArray[Any] | None = None,
        quantization: tuple[float, int] | None = None,
    ) -> int:
        schema = self._schema
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name.encode(), list(shape), kind, 0
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            self._buffers.append(buffer)
            tensor.buffer = len(self._buffers) - 1
        if quantization is not None:
            parameters = schema.QuantizationParametersT()
            parameters.scale, parameters.zeroPoint = [quantization[0]], [quantization[1]]
            tensor.quantization = parameters
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    def operator(
        self, code: int, inputs: list[int], outputs: list[int], options_name: str, options: Any, version: int = 1
    ) -> None:
        schema = self._schema
        entry = schema.OperatorCodeT()
        entry.builtinCode, entry.deprecatedBuiltinCode, entry.version = code, min(code, 127), version
        self._codes.append(entry)
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self._codes) - 1
        operator.inputs, operator.outputs = inputs, outputs
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, options_name)
        operator.builtinOptions = options
        self._operators.append(operator)

    def fully_connected(self, inputs: list[int], output: int, version: int = 1) -> None:
        options = self._schema.FullyConnectedOptionsT()
        code = self._schema.BuiltinOperator.FULLY_CONNECTED
        self.operator(code, inputs, [output], "FullyConnectedOptions", options, version)

    def softmax(self, tensor: int, output: int) -> None:
        options = self._schema.SoftmaxOptionsT()
        options.beta = 1.0
        self.operator(self._schema.BuiltinOperator.SOFTMAX, [tensor], [output], "SoftmaxOptions", options)

    def write(self, path: Path, inputs: list[int], outputs: list[int]) -> Path:
        import flatbuffers

        schema = self._schema
        graph = schema.SubGraphT()
        graph.tensors, graph.operators, graph.name = self._tensors, self._operators, b"main"
        graph.inputs, graph.outputs = inputs, outputs
        model = schema.ModelT()
        model.version, model.operatorCodes, model.subgraphs = 3, self._codes, [graph]
        model.buffers, model.description = self._buffers, b"edgerig"
        model.signatureDefs = [self._signature(inputs, outputs)]
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        path.write_bytes(bytes(builder.Output()))
        return path

    def _signature(self, inputs: list[int], outputs: list[int]) -> Any:
        def entry(index: int) -> Any:
            mapped = self._schema.TensorMapT()
            mapped.name, mapped.tensorIndex = self._tensors[index].name, index
            return mapped

        signature = self._schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
        signature.inputs, signature.outputs = [entry(i) for i in inputs], [entry(i) for i in outputs]
        return signature
