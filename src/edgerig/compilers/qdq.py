"""What of an ONNX graph in QDQ form runs in float."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from edgerig.models.graph.memory import constant_tensors
from edgerig.models.graph.scheme import FLOATS
from edgerig.models.graph.types import Graph, Operator

#: Inputs that are parameters and not data, by operator: regions and factors stay float, whatever is resized.
SETTINGS = {"Resize": (1, 2, 3), "Upsample": (1,)}

#: Operators that ONNX Runtime fuses into their producer when quantizing.
FOLDED = frozenset({"Relu", "Clip"})


#: Operators that are infinite or not defined at 0, to which integers of a wide range round small numbers.
STEEP = frozenset({"Log", "Reciprocal", "Sqrt"})
#: Those of which that is so where this input is computed.
STEEP_IN = {"Div": 1, "Pow": 1}
#: Operators that bring the input of such an operator about, and those that apply what it gives.
BEFORE = frozenset(
    {"Abs", "Add", "Clip", "Max", "Mul", "Pow", "ReduceMean", "ReduceSum", "ReduceSumSquare", "Reshape", "Sqrt", "Sub"}
)
BEHIND = frozenset({"Add", "Div", "Mul", "Neg", "Reciprocal", "Reshape", "Sqrt", "Sub", "Transpose"})


class Unquantized(NamedTuple):
    """An operator that runs in float, and a sentence that names the tensor by which that shows."""

    operator: Operator
    sentence: str


def computing(graph: Graph) -> list[Operator]:
    """The operators of a QDQ graph that are no conversions."""
    return [operator for operator in graph.operators if operator.op not in ("QuantizeLinear", "DequantizeLinear")]


def in_float(graph: Graph) -> dict[str, int]:
    """How many operators of a QDQ graph run in float, by what they are."""
    left = {each.operator.index: each.operator.op for each in unquantized(graph)}
    return dict(sorted(Counter(left.values()).items()))


def steep(graph: Graph) -> list[Operator]:
    """The operators of a float graph that are to stay in float: steep ones, and those around them that compute no more
    values than they do, as between the variance of a normalization and what is multiplied by its inverse root.
    """
    makers = {output: operator for operator in graph.operators for output in operator.outputs}
    constants = constant_tensors(graph)

    def size(operator: Operator) -> int:
        return graph.tensors[operator.outputs[0]].elements

    def is_steep(operator: Operator) -> bool:
        at = STEEP_IN.get(operator.op)
        computed = at is not None and at < len(operator.inputs) and operator.inputs[at] not in constants
        return operator.op in STEEP or computed

    chosen = {operator.index: operator for operator in graph.operators if is_steep(operator)}
    before = list(chosen.values())
    while before:
        operator = before.pop()
        for maker in (makers.get(index) for index in operator.inputs):
            if maker is not None and maker.op in BEFORE and size(maker) == size(operator) and maker.index not in chosen:
                chosen[maker.index] = maker
                before.append(maker)
    # In the order of the graph, so that what comes behind others that were chosen is found at once.
    small = {output: size(operator) for operator in chosen.values() for output in operator.outputs}
    for operator in graph.operators:
        sizes = [small[index] for index in operator.inputs if index in small]
        if sizes and operator.op in BEHIND and operator.index not in chosen:
            chosen[operator.index] = operator
            if size(operator) == max(sizes):
                small |= dict.fromkeys(operator.outputs, size(operator))
    return [chosen[index] for index in sorted(chosen)]


def unquantized(graph: Graph) -> list[Unquantized]:
    """What would run in float in a QDQ graph: operators, each with a sentence; empty if all run in integers.

    An operator is computed in integers if its float inputs come from a DequantizeLinear and its float outputs go
    to a QuantizeLinear and nowhere else; a Relu or Clip between does not count.
    """
    makers = {output: operator for operator in graph.operators for output in operator.outputs}
    readers: dict[int, list[Operator]] = {}
    for operator in graph.operators:
        for index in operator.inputs:
            readers.setdefault(index, []).append(operator)
    sentences = []
    for operator in computing(graph):
        for position, index in enumerate(operator.inputs):
            if position in SETTINGS.get(operator.op, ()):
                continue
            maker = makers.get(index)
            folded = operator.op in FOLDED and maker is not None and maker.op != "DequantizeLinear"
            if is_float(graph, index) and (maker is None or maker.op != "DequantizeLinear") and not folded:
                sentences.append(Unquantized(operator, _sentence(graph, index, operator)))
        for index in operator.outputs:
            if is_float(graph, index) and not _goes_to_integers(graph, index, readers):
                sentences.append(Unquantized(operator, _sentence(graph, index, operator)))
    return sentences


def is_float(graph: Graph, index: int) -> bool:
    """Whether a tensor carries data in float; scalars such as the limits of a Clip do not count."""
    if index < 0 or graph.tensors[index].dtype not in FLOATS:
        return False
    tensor = graph.tensors[index]
    return not (tensor.constant and tensor.elements <= 1)


def _goes_to_integers(graph: Graph, index: int, readers: dict[int, list[Operator]]) -> bool:
    following = readers.get(index, [])
    if index in graph.outputs or not following:
        return False
    return all(
        reader.op == "QuantizeLinear"
        or (reader.op in FOLDED and _goes_to_integers(graph, reader.outputs[0], readers) and len(following) == 1)
        for reader in following
    )


def _sentence(graph: Graph, index: int, operator: Operator) -> str:
    tensor = graph.tensors[index]
    kind = "weight" if tensor.constant else "activation"
    return f"the {kind} {tensor.name!r} of operator {operator.index} ({operator.op}) is {tensor.dtype}"
