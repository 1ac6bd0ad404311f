"""Engines that give the tensors between the layers: on this machine, or on a device before."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import TensorSpec
from edgerig.datasets.preprocess import quantize_input
from edgerig.models.graph.types import Graph, Tensor

Array = NDArray[Any]


class Probe(ABC):
    """A network that tells its tensors after each inference, as real numbers."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    @abstractmethod
    def run(self, inputs: dict[int, Array]) -> None:
        """One inference; ``inputs`` are real numbers by tensor index, of the tensors' shapes."""

    @abstractmethod
    def value(self, index: int) -> NDArray[np.float64]:
        """Tensor ``index`` after the last inference, dequantized."""


class TfliteProbe(Probe):
    """LiteRT's interpreter with all tensors preserved. XNNPACK preserves none and is not used.

    Args:
        data: The file. graph: as read from it.
        reference: Whether LiteRT's reference kernels run it, which define the result of integer operators.
    """

    def __init__(self, data: bytes, graph: Graph, *, reference: bool = False) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        super().__init__(graph)
        kernels = OpResolverType.BUILTIN_REF if reference else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        self._interpreter = Interpreter(
            model_content=data,
            num_threads=1,
            experimental_op_resolver_type=kernels,
            experimental_preserve_all_tensors=True,
        )
        self._interpreter.allocate_tensors()

    def run(self, inputs: dict[int, Array]) -> None:
        # Tensors that carry state begin anew: a sample's error must not depend on the samples before it.
        self._interpreter.reset_all_variables()
        for index, values in inputs.items():
            self._interpreter.set_tensor(index, quantized(values, self.graph.tensors[index]))
        self._interpreter.invoke()

    def value(self, index: int) -> NDArray[np.float64]:
        return dequantized(self._interpreter.get_tensor(index), self.graph.tensors[index])


class OnnxProbe(Probe):
    """ONNX Runtime, with the ``wanted`` tensors as outputs of the graph."""

    def __init__(self, data: bytes, graph: Graph, wanted: Collection[int]) -> None:
        import onnx
        import onnxruntime

        super().__init__(graph)
        model = onnx.load_model_from_string(data)
        present = {value.name for value in model.graph.output}
        self._names = {index: graph.tensors[index].name for index in sorted(wanted)}
        for name in dict.fromkeys(self._names.values()):
            if name not in present:
                model.graph.output.append(onnx.ValueInfoProto(name=name))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self._values: dict[str, Array] = {}

    def run(self, inputs: dict[int, Array]) -> None:
        feed = {
            self.graph.tensors[index].name: quantized(values, self.graph.tensors[index])
            for index, values in inputs.items()
        }
        names = list(dict.fromkeys(self._names.values()))
        self._values = dict(zip(names, self._session.run(names, feed), strict=True))

    def value(self, index: int) -> NDArray[np.float64]:
        return dequantized(np.asarray(self._values[self._names[index]]), self.graph.tensors[index])


class RecordedProbe(Probe):
    """What a device gave, inference by inference.

    Args:
        values: By tensor index, shape (n, *shape), in the tensor's dtype.
    """

    def __init__(self, graph: Graph, values: Mapping[int, Array]) -> None:
        super().__init__(graph)
        self._values, self._position = values, -1

    def run(self, inputs: dict[int, Array]) -> None:
        self._position += 1

    def value(self, index: int) -> NDArray[np.float64]:
        return dequantized(self._values[index][self._position], self.graph.tensors[index])


def quantized(values: Array, tensor: Tensor) -> Array:
    """Real numbers in the type of ``tensor``, by its own scale; integers, such as indices, as they are."""
    if values.dtype.kind in "iub" and tensor.quantization is None:
        return values.astype(tensor.dtype).reshape(tensor.shape)
    spec = TensorSpec(tensor.name, tensor.shape, tensor.dtype, tensor.quantization)
    return quantize_input(np.asarray(values, np.float32).reshape(tensor.shape), spec)


def dequantized(values: Array, tensor: Tensor) -> NDArray[np.float64]:
    """``scale * (q - zero_point)`` of a quantized tensor, the values themselves of any other; float64."""
    real = values.astype(np.float64)
    quantization = tensor.quantization
    if quantization is None or values.dtype.kind == "f":
        return real
    shape = quantization.spread(values.ndim)
    zeros = quantization.zero_points or (0,) * len(quantization.scales)
    return (real - np.reshape(np.asarray(zeros, float), shape)) * np.reshape(np.asarray(quantization.scales), shape)
