"""An int8 ONNX file in QDQ form as a network that is trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.compilers.qat.fake_quant import Grid, integers, snapped, widened
from edgerig.compilers.qat.network import Parameters, QuantizedNetwork
from edgerig.compilers.qat.onnx_operators import RULES, check_trainable
from edgerig.compilers.qat.tflite_network import GREATEST_BIAS
from edgerig.errors import CompileError
from edgerig.models.graph.onnx_file import read_onnx, read_onnx_weights
from edgerig.models.graph.types import Operator

#: Operators with weights: data, kernel and bias are their first three inputs.
WEIGHTED = ("Conv", "Gemm", "MatMul")
#: What ONNX Runtime's quantizer appends to the name of what it stores as integers.
SUFFIX = "_quantized"


class _Stored(msgspec.Struct, frozen=True):
    """A constant that a DequantizeLinear reads: its integers and scales as tensors, and the axis of several scales."""

    numbers: int
    scale: int
    axis: int | None


class _Layer(msgspec.Struct, frozen=True):
    """An operator's constants, and the scale of its data."""

    kernel: _Stored
    bias: _Stored | None
    data_scale: int


class OnnxNetwork(QuantizedNetwork):
    """See `QuantizedNetwork`. Activations that share a scale in the file go on sharing it."""

    def __init__(self, data: bytes, original: bytes, file: str) -> None:
        """
        Args:
            data: ONNX in QDQ form, int8 or uint8. original: The float network that it was quantized from.

        Raises:
            CompileError: An operator cannot be trained; names it.
        """
        self.data, self._file, path = data, file, Path(file).with_suffix(".onnx")
        self._graph, self._constants = read_onnx(data, path), read_onnx_weights(data, path)
        self._makers = {output: op for op in self._graph.operators for output in op.outputs}
        self._layers = [layer for op in self._graph.operators if (layer := self._layer(op)) is not None]
        self._check()
        self._zeros = {
            op.inputs[1]: op.inputs[2] if len(op.inputs) > 2 else -1
            for op in self._graph.operators
            if op.op == "QuantizeLinear"
        }
        self._fixed = {
            op.inputs[1] for op in self._graph.operators
            if op.op == "QuantizeLinear" and op.inputs[0] in self._graph.inputs
        }  # fmt: skip
        before = read_onnx(original, path)
        content = read_onnx_weights(original, path)
        self._real = {tensor.name: content[tensor.index] for tensor in before.tensors if tensor.index in content}
        self.parameters = self._start()
        exact = {str(layer.kernel.numbers): self._exact(layer.kernel) for layer in self._layers}
        self.reals = {name: real for name, real in exact.items() if real is not None}

    def outputs(self, parameters: Parameters, inputs: Sequence[Any], *, rounded: bool) -> list[Any]:
        grids, weights = self._grids(parameters), self._weights(parameters)
        values: dict[int, Any] = {**self._constants, **dict(zip(self._graph.inputs, inputs, strict=True))}
        before: dict[int, Any] = {}
        for operator in self._graph.operators:
            (output,), first = operator.outputs[:1], operator.inputs[0]
            if operator.op == "QuantizeLinear":
                values[output], before[output] = snapped(values[first], grids[operator.inputs[1]]), values[first]
            elif operator.op == "DequantizeLinear":
                values[output] = self._dequantized(operator, values, weights)
                before[output] = before.get(first)
            else:
                taken = [values[index] if index >= 0 else None for index in operator.inputs]
                result = RULES[operator.op](operator, taken, self._graph.tensors[output].shape)
                values.update(zip(operator.outputs, result if isinstance(result, tuple) else [result], strict=False))
        if rounded:
            return [values[index] for index in self._graph.outputs]
        return [values[i] if before.get(i) is None else before[i] for i in self._graph.outputs]

    def written(self, parameters: Parameters) -> bytes:
        import jax
        import onnx

        grids, stored = jax.jit(self._to_store)(parameters)
        content: dict[int, NDArray[Any]] = {}
        for scale, grid in grids.items():
            if scale not in self._fixed:
                content[scale] = np.asarray(grid.scale)
                if self._zeros[scale] >= 0:
                    content[self._zeros[scale]] = np.asarray(grid.zero)
        for layer in self._layers:
            for part in (layer.kernel, *([layer.bias] if layer.bias else [])):
                content[part.numbers], content[part.scale] = map(np.asarray, stored[part.numbers])
        names = {self._graph.tensors[index].name: index for index in content}
        model = onnx.load_model_from_string(self.data)
        for proto in model.graph.initializer:
            index = names.get(proto.name)
            if index is not None:
                old = self._constants[index]
                new = np.asarray(content[index]).reshape(old.shape).astype(old.dtype)
                proto.CopyFrom(onnx.numpy_helper.from_array(new, proto.name))
        return bytes(model.SerializeToString())

    def numbers(self, data: bytes) -> dict[str, NDArray[Any]]:
        content = read_onnx_weights(data, Path(self._file).with_suffix(".onnx"))
        return {name: content[int(name)] for name in self.parameters["weights"]}

    def axis(self, name: str) -> int | None:
        return next(layer.kernel.axis for layer in self._layers if layer.kernel.numbers == int(name))

    def _layer(self, op: Operator) -> _Layer | None:
        if op.op not in WEIGHTED:
            return None
        data, kernel, bias = ([*(self._makers.get(index) for index in op.inputs), None])[:3]
        weights = self._constant_of(kernel)
        if weights is None or data is None or data.op != "DequantizeLinear":
            return None
        return _Layer(weights, self._constant_of(bias), data.inputs[1])

    def _constant_of(self, op: Operator | None) -> _Stored | None:
        if op is None or op.op != "DequantizeLinear" or op.inputs[0] not in self._constants:
            return None
        several = self._constants[op.inputs[1]].size > 1
        return _Stored(op.inputs[0], op.inputs[1], int(op.options.get("axis", 1)) if several else None)

    def _check(self) -> None:
        check_trainable(self._graph, self._file)
        for part in ("kernel", "bias"):
            indices = [stored.numbers for layer in self._layers if (stored := getattr(layer, part)) is not None]
            twice = next((index for index in indices if indices.count(index) > 1), None)
            if twice is not None:
                raise CompileError(
                    f"{self._file} cannot be trained as integers: several operators share the weights "
                    f"{self._graph.tensors[twice].name!r}.",
                    "Compiler onnx-int8 quantizes without training.",
                )

    def _start(self) -> Parameters:
        biases = [layer.bias for layer in self._layers if layer.bias is not None]
        kernels = [layer.kernel for layer in self._layers]
        return {
            "weights": {str(kernel.numbers): self._start_of(kernel) for kernel in kernels},
            "biases": {str(bias.numbers): self._start_of(bias) for bias in biases},
            "steps": {str(k.numbers): np.zeros(self._constants[k.scale].shape, np.float32) for k in kernels},
            "ranges": {str(scale): np.zeros(2, np.float32) for scale in sorted(self._zeros.keys() - self._fixed)},
        }

    def _start_of(self, stored: _Stored) -> NDArray[np.float32]:
        """A weight as it was before it was rounded; where that is not there, as it is stored."""
        real, numbers = self._exact(stored), self._constants[stored.numbers]
        if real is not None:
            return real
        whole: NDArray[np.float32] = (numbers * self._along(stored, self._constants[stored.scale])).astype(np.float32)
        return whole

    def _exact(self, stored: _Stored) -> NDArray[np.float32] | None:
        """A weight as the float network has it; None where that does not have it."""
        name, shape = self._graph.tensors[stored.numbers].name, self._constants[stored.numbers].shape
        real = self._real.get(name.removesuffix(SUFFIX))
        return real.astype(np.float32) if real is not None and real.shape == shape else None

    def _along(self, stored: _Stored, scales: Any) -> Any:
        rank = self._constants[stored.numbers].ndim
        return scales.reshape([-1 if axis == stored.axis else 1 for axis in range(rank)])

    def _grids(self, parameters: Parameters) -> dict[int, Grid]:
        """The grid of activations by the tensor that holds their scale."""
        grids = {}
        for scale, zero in self._zeros.items():
            kind = np.iinfo(self._constants[zero].dtype if zero >= 0 else np.uint8)
            offset = self._constants[zero].reshape(()) if zero >= 0 else 0
            start = Grid(self._constants[scale].reshape(()), np.float32(offset), int(kind.min), int(kind.max))
            fixed = scale in self._fixed
            grids[scale] = start if fixed else widened(start, parameters["ranges"][str(scale)])
        return grids

    def _weight_grids(self, parameters: Parameters, grids: dict[int, Grid]) -> dict[int, tuple[Any, Grid, Any]]:
        """Real values, grid and flat scales of each kernel and bias."""
        import jax.numpy as jnp

        weights = {}
        for layer in self._layers:
            key = layer.kernel.numbers
            scales = self._constants[layer.kernel.scale] * jnp.exp(parameters["steps"][str(key)])
            grid = Grid(self._along(layer.kernel, scales), np.float32(0), -127, 127)
            weights[key] = parameters["weights"][str(key)], grid, scales
            if layer.bias is not None:
                key, scales = layer.bias.numbers, scales * grids[layer.data_scale].scale
                own = Grid(self._along(layer.bias, scales), np.float32(0), -GREATEST_BIAS, GREATEST_BIAS)
                weights[key] = parameters["biases"][str(key)], own, scales
        return weights

    def _weights(self, parameters: Parameters) -> dict[int, Any]:
        grids = self._weight_grids(parameters, self._grids(parameters))
        return {index: snapped(values, grid) for index, (values, grid, _) in grids.items()}

    def _to_store(self, parameters: Parameters) -> tuple[dict[int, Grid], dict[int, tuple[Any, Any]]]:
        grids = self._grids(parameters)
        weights = self._weight_grids(parameters, grids)
        return grids, {index: (integers(values, grid), scales) for index, (values, grid, scales) in weights.items()}

    def _dequantized(self, operator: Operator, values: dict[int, Any], weights: dict[int, Any]) -> Any:
        """What the integers stand for: of activations they have it already, of constants it is computed."""
        index = operator.inputs[0]
        if index in weights:
            return weights[index]
        stored = self._constant_of(operator)
        if stored is None:
            return values[index]
        zero = self._constants[operator.inputs[2]] if len(operator.inputs) > 2 else np.zeros(1)
        real = self._constants[index] - self._along(stored, zero.astype(np.float32))
        return real * self._along(stored, self._constants[stored.scale])
