"""Biases that the quantizer loses, because the weights beside them are 0: they are put right in the quantized file.

An integer kernel has a scale for each output channel, made of its largest weight, and a bias is stored in steps of that
times the input's scale. Where all weights of a channel are 0, as pruning may leave them, the library takes a scale of
some 1e-11, in which no bias fits its integers: it is cut off, and the channel gives 0. Any scale is right for such
weights; here they get the largest of the kernel's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Quantization
from edgerig.compilers import flatbuffer
from edgerig.compilers.stored_numbers import store_numbers
from edgerig.models.graph.tflite_file import read_tflite_network
from edgerig.models.graph.types import Graph, Tensor

#: Positions of data, kernel and bias of operators that have them.
WEIGHTED = {
    "CONV_2D": (0, 1, 2),
    "CONV_3D": (0, 1, 2),
    "DEPTHWISE_CONV_2D": (0, 1, 2),
    "FULLY_CONNECTED": (0, 1, 2),
    "TRANSPOSE_CONV": (2, 1, 3),
}
#: A bias takes at most so many steps: sums of products have room beside it in 32 bits.
MOST_STEPS = 2**30
#: Of a kernel that is 0 altogether: steps that its largest bias takes.
FINE_STEPS = 2**20
#: Share of itself by which a bias may be off, besides a step.
NEAR = 2.0**-20


class _Layer(msgspec.Struct, frozen=True):
    """Tensors of an operator, its data's scale, and its kernel's own."""

    kernel: Tensor
    bias: Tensor
    data_scale: float
    own: Quantization


def with_biases(quantized: bytes, original: bytes, file: str) -> bytes:
    """``quantized`` with every bias that was cut off as it should be; unchanged where there is none.

    Args:
        original: The float network that it was made from; kernels and biases are taken from tensors of the same names
            and shapes.
    """
    graph, numbers = read_tflite_network(quantized, file)
    before, content = read_tflite_network(original, file)
    reals = {(t.name, t.shape): content[t.index] for t in before.tensors if t.constant and t.dtype == "float32"}
    model = None
    for layer in _layers(graph, numbers):
        bias, kernel = (reals.get((tensor.name, tensor.shape)) for tensor in (layer.bias, layer.kernel))
        stored = np.asarray(layer.own.scales) * layer.data_scale
        if bias is None or kernel is None:
            continue
        if np.all(np.abs(stored * numbers[layer.bias.index] - bias) <= stored + NEAR * np.abs(bias)):
            continue
        scales = _fitting(layer, kernel, bias)
        model = model or flatbuffer.unpack(quantized)
        steps, most = scales * layer.data_scale, 7 if layer.kernel.dtype == "int4" else 127
        integers = np.clip(np.round(kernel / _along(scales, layer, kernel)), -most, most).astype(np.int8)
        store_numbers(model, layer.kernel.index, integers, scales, int4=layer.kernel.dtype == "int4")
        whole = np.round(bias / steps).astype(numbers[layer.bias.index].dtype)
        store_numbers(model, layer.bias.index, whole, steps, int4=False)
    return quantized if model is None else flatbuffer.pack(model)


def _layers(graph: Graph, numbers: Mapping[int, NDArray[Any]]) -> Iterator[_Layer]:
    """The operators whose kernel and bias are stored as integers."""
    for operator in graph.operators:
        places = WEIGHTED.get(operator.op, ())
        if not places or max(places) >= len(operator.inputs):
            continue
        indices = [operator.inputs[position] for position in places]
        if any(index < 0 for index in indices) or not {*indices[1:]} <= numbers.keys():
            continue
        data, kernel, bias = (graph.tensors[index] for index in indices)
        if kernel.dtype in ("int8", "int4") and kernel.quantization and data.quantization and bias.quantization:
            yield _Layer(kernel, bias, data.quantization.scale, kernel.quantization)


def _fitting(layer: _Layer, kernel: NDArray[Any], bias: NDArray[Any]) -> NDArray[np.float32]:
    """Scales of the kernel in whose steps the biases fit, as near to its own as can be."""
    scales = np.asarray(layer.own.scales, np.float64)
    if layer.own.axis is not None:
        others = tuple(axis for axis in range(kernel.ndim) if axis != layer.own.axis)
        silent = ~kernel.any(axis=others)
    else:
        silent = np.array([not kernel.any()])
    largest = np.abs(bias).reshape(len(scales), -1).max(axis=1) if len(scales) > 1 else np.abs(bias).max(keepdims=True)
    usual = scales[~silent].max() if not silent.all() else largest.max() / FINE_STEPS / layer.data_scale
    scales = np.where(silent, usual, scales)
    fitting: NDArray[np.float32] = np.maximum(scales, largest / MOST_STEPS / layer.data_scale).astype(np.float32)
    return fitting


def _along(scales: NDArray[np.float32], layer: _Layer, kernel: NDArray[Any]) -> NDArray[np.float32]:
    """Scales in the shape in which a kernel is divided by them."""
    return scales.reshape([-1 if axis == layer.own.axis else 1 for axis in range(kernel.ndim)])
