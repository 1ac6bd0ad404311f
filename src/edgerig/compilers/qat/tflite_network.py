"""An int8 TFLite file as a network that is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Quantization
from edgerig.compilers import flatbuffer
from edgerig.compilers.qat.fake_quant import Grid, integers, snapped, widened
from edgerig.compilers.qat.groups import groups_of
from edgerig.compilers.qat.network import Parameters, QuantizedNetwork
from edgerig.compilers.qat.tflite_operators import RULES, activated, check_trainable
from edgerig.compilers.stored_numbers import store_numbers, store_scales
from edgerig.errors import CompileError
from edgerig.models.graph.tflite_file import read_tflite_network
from edgerig.models.graph.types import Graph, Operator

#: Positions of kernel and bias.
WEIGHTED = {"CONV_2D": (1, 2), "DEPTHWISE_CONV_2D": (1, 2), "FULLY_CONNECTED": (1, 2), "TRANSPOSE_CONV": (1, 3)}
#: Position of the data that a kernel is multiplied with, where it is not 0.
DATA = {"TRANSPOSE_CONV": 2}
#: Greatest integer of a kernel, whose least is its negative: LiteRT's kernels multiply faster without -128.
GREATEST = {"int8": 127, "int4": 7}
#: Greatest integer of a bias that a float32 holds, too.
GREATEST_BIAS = 2**31 - 128


class _Layer(msgspec.Struct, frozen=True):
    """The tensors of an operator with trained weights; ``bias`` is -1 where it has none."""

    kernel: int
    bias: int
    data: int


class TfliteNetwork(QuantizedNetwork):
    """See `QuantizedNetwork`. Kernels keep their integers' symmetry, and biases the scale of input times kernel."""

    def __init__(self, data: bytes, original: bytes, file: str) -> None:
        """
        Args:
            data: int8 TFLite. original: The float network that it was quantized from; its weights are taken from
                there where a tensor of the same name and shape has them.

        Raises:
            CompileError: An operator cannot be trained; names it.
        """
        self.data, self._file = data, file
        self._graph, self._constants = read_tflite_network(data, file)
        self._groups, self._fixed = groups_of(self._graph)
        layers = ((op.index, _layer(op, self._constants)) for op in self._graph.operators)
        self._layers = {index: layer for index, layer in layers if layer is not None}
        self._check()
        self.parameters, self.reals = self._start(original)

    def outputs(self, parameters: Parameters, inputs: Sequence[Any], *, rounded: bool) -> list[Any]:
        grids = self._grids(parameters)
        values = {index: self._constant(index) for index in self._constants}
        for index, value in zip(self._graph.inputs, inputs, strict=True):
            values[index] = snapped(value, grids[self._groups[index]])
        results: dict[int, Any] = {}
        for operator in self._graph.operators:
            taken = [values[index] if index >= 0 else None for index in operator.inputs]
            layer = self._layers.get(operator.index)
            if layer is not None:
                self._put_weights(operator, layer, taken, parameters, grids)
            shape = self._graph.tensors[operator.outputs[0]].shape
            computed = RULES[operator.op](operator, taken, shape)
            several = computed if isinstance(computed, tuple) else (computed,)
            for index, value in zip(operator.outputs, several, strict=True):
                results[index] = activated(operator, value)
                assert results[index].shape == self._graph.tensors[index].shape, operator
                values[index] = snapped(results[index], grids[self._groups[index]])
        ends = values if rounded else results
        return [ends[index] for index in self._graph.outputs]

    def written(self, parameters: Parameters) -> bytes:
        import jax

        grids, stored = jax.jit(self._stored)(parameters)
        model = flatbuffer.unpack(self.data)
        for index, group in self._groups.items():
            if group not in self._fixed:
                scale, zero = (float(value) for value in grids[group][:2])
                store_scales(model.subgraphs[0].tensors[index], [scale], [round(zero)])
        for index, (numbers, scales) in stored.items():
            packed = self._graph.tensors[index].dtype == "int4"
            store_numbers(model, index, np.asarray(numbers), np.asarray(scales).reshape(-1), int4=packed)
        return flatbuffer.pack(model)

    def _stored(self, parameters: Parameters) -> tuple[dict[int, Grid], dict[int, tuple[Any, Any]]]:
        """The grids of activations, and integers and scales of each kernel and bias; JAX traces it."""
        grids, stored = self._grids(parameters), {}
        for layer in self._layers.values():
            grid = self._kernel_grid(layer.kernel, parameters)
            numbers = integers(parameters["weights"][str(layer.kernel)], grid).astype("int8")
            stored[layer.kernel] = numbers, grid.scale.reshape(-1)
            if layer.bias >= 0:
                own = self._bias_grid(layer, grid, grids)
                numbers = integers(parameters["biases"][str(layer.bias)], own).astype("int32")
                stored[layer.bias] = numbers, own.scale
        return grids, stored

    def numbers(self, data: bytes) -> dict[str, NDArray[Any]]:
        _, content = read_tflite_network(data, self._file)
        return {name: content[int(name)] for name in self.parameters["weights"]}

    def axis(self, name: str) -> int | None:
        quantization = _of(self._graph, int(name))
        return quantization.axis if len(quantization.scales) > 1 else None

    def _check(self) -> None:
        check_trainable(self._graph, self._file)
        for operator in self._graph.operators:
            strange = [i for i in (*operator.outputs, *self._graph.inputs) if i not in self._groups]
            if strange:
                tensor = self._graph.tensors[strange[0]]
                raise CompileError(f"{self._file} cannot be trained as integers: {tensor.name!r} is {tensor.dtype}.")
        # A kernel that several operators read is trained by all of them; a bias has the scale of one's data.
        biases = [layer.bias for layer in self._layers.values() if layer.bias >= 0]
        twice = next((index for index in biases if biases.count(index) > 1), None)
        if twice is not None:
            raise CompileError(
                f"{self._file} cannot be trained as integers: several operators share the bias "
                f"{self._graph.tensors[twice].name!r}.",
                "Compiler int8 quantizes without training.",
            )

    def _start(self, original: bytes) -> tuple[Parameters, dict[str, NDArray[np.float32]]]:
        """The parameters as the file has them, and the kernels as the float network has them."""
        before, content = read_tflite_network(original, self._file)
        named = {(t.name, t.shape): content[t.index] for t in before.tensors if t.dtype == "float32" and t.constant}

        def real(index: int) -> NDArray[np.float32]:
            tensor = self._graph.tensors[index]
            value = named.get((tensor.name, tensor.shape))
            return np.asarray(self._constant(index) if value is None else value, np.float32)

        layers = self._layers.values()
        tensors = {str(layer.kernel): self._graph.tensors[layer.kernel] for layer in layers}
        # What is not there in real numbers is rounded: a 0 of that may have been any small weight.
        reals = {i: named[t.name, t.shape] for i, t in tensors.items() if (t.name, t.shape) in named}
        parameters: Parameters = {
            "weights": {str(layer.kernel): real(layer.kernel) for layer in layers},
            "biases": {str(layer.bias): real(layer.bias) for layer in layers if layer.bias >= 0},
            "steps": {str(layer.kernel): np.zeros(len(_of(self._graph, layer.kernel).scales), np.float32)
                      for layer in layers},
            "ranges": {str(group): np.zeros(2, np.float32) for group in set(self._groups.values()) - self._fixed},
        }  # fmt: skip
        return parameters, reals

    def _grids(self, parameters: Parameters) -> dict[int, Grid]:
        """The grid of each group of activations."""
        grids = {}
        for group in set(self._groups.values()):
            own = _of(self._graph, group)
            # A constant, such as a kernel, may have one for each channel.
            along = own.spread(len(self._graph.tensors[group].shape))
            scales, zeros = (np.asarray(each, np.float32).reshape(along) for each in (own.scales, own.zero_points))
            start = Grid(scales, zeros)
            fixed = group in self._fixed
            grids[group] = start if fixed else widened(start, parameters["ranges"][str(group)])
        return grids

    def _kernel_grid(self, index: int, parameters: Parameters) -> Grid:
        import jax.numpy as jnp

        tensor, own = self._graph.tensors[index], _of(self._graph, index)
        scales = np.asarray(own.scales, np.float32) * jnp.exp(parameters["steps"][str(index)])
        greatest = GREATEST[tensor.dtype]
        return Grid(scales.reshape(_along(own, len(tensor.shape))), np.float32(0), -greatest, greatest)

    def _bias_grid(self, layer: _Layer, kernel: Grid, grids: dict[int, Grid]) -> Grid:
        scale = kernel.scale.reshape(-1) * grids[self._groups[layer.data]].scale
        return Grid(scale, np.float32(0), -GREATEST_BIAS, GREATEST_BIAS)

    def _put_weights(
        self, operator: Operator, layer: _Layer, taken: list[Any], parameters: Parameters, grids: dict[int, Grid]
    ) -> None:
        """Kernel and bias, on their grids, among the inputs of the operator."""
        kernel_at, bias_at = WEIGHTED[operator.op]
        grid = self._kernel_grid(layer.kernel, parameters)
        taken[kernel_at] = snapped(parameters["weights"][str(layer.kernel)], grid)
        if layer.bias >= 0:
            bias = parameters["biases"][str(layer.bias)]
            taken[bias_at] = snapped(bias, self._bias_grid(layer, grid, grids))

    def _constant(self, index: int) -> NDArray[Any]:
        """A constant of the file in real numbers; indices and shapes as they are."""
        tensor, content = self._graph.tensors[index], self._constants[index]
        if tensor.quantization is None:
            return content
        shape = _along(tensor.quantization, len(tensor.shape))
        zeros = np.asarray(tensor.quantization.zero_points, np.float32).reshape(shape)
        real: NDArray[Any] = (content - zeros) * np.asarray(tensor.quantization.scales, np.float32).reshape(shape)
        return real


def _layer(operator: Operator, constants: dict[int, NDArray[Any]]) -> _Layer | None:
    """The trained tensors of an operator; None where it has none, or they are computed."""
    if operator.op not in WEIGHTED:
        return None
    kernel, bias = (operator.inputs[at] if at < len(operator.inputs) else -1 for at in WEIGHTED[operator.op])
    return None if kernel not in constants else _Layer(kernel, bias, operator.inputs[DATA.get(operator.op, 0)])


def _of(graph: Graph, index: int) -> Quantization:
    quantization = graph.tensors[index].quantization
    assert quantization is not None, "the pipeline takes tensors with scales alone"
    return quantization


def _along(quantization: Quantization, rank: int) -> tuple[int, ...]:
    """The shape in which scales are multiplied with a tensor of so many axes."""
    if quantization.axis is None:
        return (1,) * rank
    return tuple(len(quantization.scales) if axis == quantization.axis else 1 for axis in range(rank))
