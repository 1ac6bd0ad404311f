"""TFLite files with weights stored in another type, or with changed quantization: valid and invalid ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Rng = np.random.Generator

#: Storage types of a float constant, which DEQUANTIZE then reads.
STORED = ("int8", "int8", "int8", "uint8", "float16")


def dequantize_constants(data: bytes, seed: int) -> bytes:
    """The float network ``data`` with its float constants stored as int8, uint8 or float16, each before a DEQUANTIZE.

    int8 and uint8 get a scale for the whole tensor or one for each channel of any axis; zero points are 0, one for
    all, or differ. The stored integers are random: the network computes other outputs than before.
    """
    from edgerig.compilers import flatbuffer

    rng = np.random.default_rng(seed)
    model = flatbuffer.unpack(data)
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    operators = list(graph.operators)
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.DEQUANTIZE
    # From version 5 on LiteRT reads a scale for each channel.
    code.version = 5
    model.operatorCodes.append(code)
    before = []
    for index, tensor in enumerate(list(graph.tensors)):
        if tensor.type != schema.TensorType.FLOAT32 or not _constant(model, tensor):
            continue
        stored = _store(schema, model, tensor, rng)
        graph.tensors.append(stored)
        tensor.buffer = 0
        operator = schema.OperatorT()
        operator.opcodeIndex = len(model.operatorCodes) - 1
        operator.inputs, operator.outputs = [len(graph.tensors) - 1], [index]
        operator.builtinOptionsType = schema.BuiltinOptions.DequantizeOptions
        operator.builtinOptions = schema.DequantizeOptionsT()
        before.append(operator)
    graph.operators = before + operators
    return flatbuffer.pack(model)


def change_quantization(data: bytes, seed: int) -> bytes:
    """The file ``data`` with the scales, zero points, axis or shape of one or two tensors changed, validly or not."""
    from edgerig.compilers import flatbuffer

    rng = np.random.default_rng(seed)
    model = flatbuffer.unpack(data)
    tensors = model.subgraphs[0].tensors
    for _ in range(int(rng.integers(1, 3))):
        tensor = tensors[int(rng.integers(len(tensors)))]
        change = _CHANGES[int(rng.integers(len(_CHANGES)))]
        change(tensor, rng)
    return flatbuffer.pack(model)


def _constant(model: Any, tensor: Any) -> bool:
    content = model.buffers[tensor.buffer].data
    return content is not None and len(content) > 0


def _store(schema: Any, model: Any, tensor: Any, rng: Rng) -> Any:
    kind = STORED[int(rng.integers(len(STORED)))]
    shape = [int(size) for size in _listed(tensor.shape)]
    stored = schema.TensorT()
    stored.name, stored.shape, stored.type = tensor.name + b"_stored", shape, getattr(schema.TensorType, kind.upper())
    buffer = schema.BufferT()
    model.buffers.append(buffer)
    stored.buffer = len(model.buffers) - 1
    if kind == "float16":
        real = np.frombuffer(bytes(model.buffers[tensor.buffer].data), np.float32)
        buffer.data = np.frombuffer(real.astype(np.float16).tobytes(), np.uint8)
        return stored
    low, high = np.iinfo(kind).min, np.iinfo(kind).max
    buffer.data = np.frombuffer(rng.integers(low, high + 1, shape).astype(kind).tobytes(), np.uint8)
    axes = [axis for axis, size in enumerate(shape) if size > 1]
    axis = int(rng.choice(axes)) if axes and rng.integers(4) else None
    count = 1 if axis is None else shape[axis]
    parameters = schema.QuantizationParametersT()
    parameters.scale = [float(scale) for scale in np.exp(rng.uniform(-6, -2, count))]
    zeros = [np.zeros(count, int), np.full(count, rng.integers(low, high + 1)), rng.integers(low, high + 1, count)]
    parameters.zeroPoint = [int(zero) for zero in zeros[int(rng.integers(3))]]
    parameters.quantizedDimension = axis or 0
    stored.quantization = parameters
    return stored


def _parameters(tensor: Any) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    if tensor.quantization is None:
        tensor.quantization = schema.QuantizationParametersT()
    return tensor.quantization


def _listed(values: Any) -> list[Any]:
    return [] if values is None else list(values)


def _count(tensor: Any, rng: Rng) -> None:
    """As many scales and zero points as the length of some axis, or of none."""
    parameters = _parameters(tensor)
    shape = [int(size) for size in _listed(tensor.shape)]
    axis = int(rng.integers(max(len(shape), 1)))
    count = int(rng.choice([shape[axis] if shape else 1, 1, 2, 3]))
    parameters.scale = [float(scale) for scale in np.exp(rng.uniform(-6, -2, count))]
    parameters.zeroPoint = [int(zero) for zero in rng.integers(-5, 6, count) * rng.integers(2)]
    parameters.quantizedDimension = axis


def _drop(tensor: Any, rng: Rng) -> None:
    parameters = _parameters(tensor)
    if rng.integers(2):
        parameters.scale = None
    if rng.integers(2):
        parameters.zeroPoint = None


def _axis(tensor: Any, rng: Rng) -> None:
    _parameters(tensor).quantizedDimension = int(rng.integers(-1, 5))


def _zero(tensor: Any, rng: Rng) -> None:
    parameters = _parameters(tensor)
    zeros = _listed(parameters.zeroPoint) or [0]
    zeros[int(rng.integers(len(zeros)))] = int(rng.choice([1, -1, 5, -128, 127, 128, 255, 1 << 40]))
    parameters.zeroPoint = [int(zero) for zero in zeros]


def _scale(tensor: Any, rng: Rng) -> None:
    parameters = _parameters(tensor)
    scales = _listed(parameters.scale) or [0.1]
    scales[int(rng.integers(len(scales)))] = float(rng.choice([0.0, -0.1, 1e-30, 0.01, 1.0, 1e30, np.inf, np.nan]))
    parameters.scale = [float(scale) for scale in scales]


def _shape(tensor: Any, rng: Rng) -> None:
    shape = [int(size) for size in _listed(tensor.shape)]
    if shape:
        position = int(rng.integers(len(shape)))
        shape[position] = int(rng.choice([0, 1, shape[position] + 1, max(shape[position] - 1, 1)]))
        tensor.shape = shape


def _blocks(tensor: Any, rng: Rng) -> None:
    from ai_edge_litert import schema_py_generated as schema

    parameters = _parameters(tensor)
    parameters.detailsType = schema.QuantizationDetails.BlockwiseQuantization
    parameters.details = schema.BlockwiseQuantizationT()
    parameters.details.scales, parameters.details.blockSize = 0, 2


#: Changes of scales and their count come more often than others.
_CHANGES: tuple[Callable[[Any, Rng], None], ...] = (
    _count,
    _count,
    _count,
    _drop,
    _axis,
    _zero,
    _zero,
    _scale,
    _shape,
    _blocks,
)
