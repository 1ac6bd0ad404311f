"""Which tensor of the float network has the same meaning as one of a deployed network.

Quantizers keep the names of tensors. A name alone proves little, though: a converter may write another value under it.
So shapes must be equal, and in TFLite, whose operators may hold an activation, the operators as well. What is not
certain has no match, with the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from edgerig.models.graph.scheme import CONVERSIONS, FLOATS
from edgerig.models.graph.types import Graph, Operator, Tensor

#: Operators that ONNX Runtime fuses into the one before them when it quantizes.
_FUSED_BY_ONNX = frozenset({"Relu", "Clip"})


class Match(msgspec.Struct, frozen=True):
    """Indices of two tensors of equal meaning: in the deployed network, and in the float one."""

    deployed: int
    reference: int


class TensorMatcher:
    """Matches tensors of ``graph``, a deployed network, to those of ``reference``, the float one, of one format."""

    def __init__(self, graph: Graph, reference: Graph) -> None:
        self.graph, self.reference = graph, reference
        counts = Counter(tensor.name for tensor in reference.tensors)
        self._by_name = {tensor.name: tensor for tensor in reference.tensors if counts[tensor.name] == 1}
        self._repeated = {name for name, count in counts.items() if count > 1}
        self._names = Counter(tensor.name for tensor in graph.tensors)
        self._makers = _makers(graph)
        self._reference_makers = _makers(reference)
        self._readers: dict[int, list[Operator]] = {}
        for operator in graph.operators:
            for index in operator.inputs:
                self._readers.setdefault(index, []).append(operator)

    def output_of(self, operators: Sequence[int]) -> Match | str:
        """What the last of ``operators``, indices of a layer's, gives; or why it cannot be compared."""
        last = self.graph.operators[operators[-1]]
        outputs = [index for index in last.outputs if index >= 0]
        if len(outputs) != 1:
            return f"{last.op} has {len(outputs)} outputs"
        (output,) = outputs
        fused = next((reader.op for reader in self._readers.get(output, []) if reader.op in _FUSED_BY_ONNX), None)
        if fused and self._is_quantized(last):
            return f"{fused} behind it is computed in one with it, and its own values exist nowhere"
        counterpart = self._counterpart(output, self._forward(output))
        if isinstance(counterpart, str):
            return counterpart
        fault = self._fault(self.graph.tensors[output], last, counterpart)
        return fault or Match(self._as_read(output), counterpart.index)

    def input_of(self, index: int) -> Match | str:
        """The float network's tensor for the input ``index`` of an operator."""
        chain = [index]
        while (maker := self._makers.get(chain[-1])) is not None and maker.op in CONVERSIONS:
            chain.append(maker.inputs[0])
        counterpart = self._counterpart(chain[0], chain[1:])
        if isinstance(counterpart, str):
            return counterpart
        source, maker = self.graph.tensors[chain[-1]], self._makers.get(chain[-1])
        fault = self._fault(source, maker, counterpart)
        return fault or Match(index, counterpart.index)

    def _is_quantized(self, operator: Operator) -> bool:
        """Whether an operator of ONNX reads dequantized values."""
        makers = [self._makers.get(index) for index in operator.inputs]
        return any(maker is not None and maker.op == "DequantizeLinear" for maker in makers)

    def _forward(self, index: int) -> list[int]:
        """What conversions alone make of a tensor."""
        converted: list[int] = []
        for current in (pending := [index]):
            for reader in self._readers.get(current, []):
                if reader.op in CONVERSIONS:
                    converted += reader.outputs
                    pending += reader.outputs
        return converted

    def _as_read(self, index: int) -> int:
        """The tensor that the operators behind ``index`` read: in ONNX's QDQ form the dequantized one."""
        readers = self._readers.get(index, [])
        if index in self.graph.outputs or {reader.op for reader in readers} != {"QuantizeLinear"}:
            return index
        converted = [i for i in self._forward(index) if self._makers[i].op == "DequantizeLinear"]
        return converted[0] if converted else index

    def _counterpart(self, index: int, converted: Sequence[int]) -> Tensor | str:
        """The float network's tensor of the name of tensor ``index``, or of one that is the same but for its type."""
        for name in (self.graph.tensors[each].name for each in (index, *converted)):
            if name in self._repeated or self._names[name] > 1:
                return f"several tensors are called {name!r}"
            if name in self._by_name:
                return self._by_name[name]
        return f"the float network has no tensor {self.graph.tensors[index].name!r}"

    def _fault(self, tensor: Tensor, maker: Operator | None, counterpart: Tensor) -> str | None:
        """Why two tensors of one name may not have the same meaning, or are no numbers; None where they have."""
        if tensor.shape != counterpart.shape or tensor.unknown_shape or counterpart.unknown_shape:
            return f"its shape is {list(tensor.shape)}, and {list(counterpart.shape)} in the float network"
        if counterpart.dtype not in FLOATS:
            return f"it gives {counterpart.dtype}, which is not quantized"
        if tensor.dtype not in FLOATS and tensor.quantization is None:
            return f"it gives {tensor.dtype} without a scale"
        other = self._reference_makers.get(counterpart.index)
        if self.graph.format == "onnx":
            return None
        if (maker is None) != (other is None):
            return "it is computed in one of the two networks only"
        if maker is None or other is None:
            return None
        if maker.op != other.op:
            return f"{maker.op} computes it here, and {other.op} in the float network"
        activations = [str(each.options.get("fused_activation_function", "NONE")) for each in (maker, other)]
        if activations[0] != activations[1]:
            return f"its activation is {activations[0]} here, and {activations[1]} in the float network"
        return None


def _makers(graph: Graph) -> dict[int, Operator]:
    return {output: operator for operator in graph.operators for output in operator.outputs}
