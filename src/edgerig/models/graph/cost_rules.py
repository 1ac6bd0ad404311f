"""Rules that count the arithmetic of an operator, whatever file it comes from; see `edgerig.models.graph.costs`."""

from __future__ import annotations

import math
from collections.abc import Callable

from edgerig.models.graph.types import Graph, Operator, Tensor

SOFTMAX_COST = 15
CURVE_COST = 10


class Costs:
    """The tensors of one operator, for the counting rules."""

    def __init__(self, graph: Graph, operator: Operator) -> None:
        self.graph, self.operator = graph, operator

    def input(self, position: int) -> Tensor | None:
        """Input tensor, None where it is left out."""
        inputs = self.operator.inputs
        return self.graph.tensors[inputs[position]] if position < len(inputs) and inputs[position] >= 0 else None

    def need(self, position: int) -> Tensor:
        """Input tensor that must be there with a shape."""
        tensor = self.input(position)
        if tensor is None or tensor.unknown_shape:
            raise UncountableError(f"the shape of input {position} is not known")
        return tensor

    @property
    def output(self) -> Tensor:
        """First output tensor."""
        index = next((index for index in self.operator.outputs if index >= 0), None)
        if index is None or self.graph.tensors[index].unknown_shape:
            raise UncountableError("the shape of its output is not known")
        return self.graph.tensors[index]

    def option(self, name: str, default: object = None) -> object:
        """Attribute of the operator."""
        return self.operator.options.get(name, default)


class UncountableError(Exception):
    """An operator whose cost cannot be computed; holds the reason."""


#: MACs, and the additional terms of MACC.
Cost = tuple[int, int]
Rule = Callable[[Costs], Cost]


CURVES = {
    "relu": 1, "relu6": 1, "relu_n1_to_1": 1, "leaky_relu": 1,
    "tanh": CURVE_COST, "sigmoid": CURVE_COST, "hard_sigmoid": CURVE_COST, "elu": CURVE_COST, "selu": CURVE_COST,
    "gelu": CURVE_COST, "silu": CURVE_COST, "swish": CURVE_COST, "softmax": SOFTMAX_COST,
}  # fmt: skip


def free(_: Costs) -> Cost:
    return 0, 0


def elementwise(each: int = 1) -> Rule:
    return lambda costs: (0, each * costs.output.elements)


def reduction(costs: Costs) -> Cost:
    return 0, costs.need(0).elements


def biases(costs: Costs, position: int) -> int:
    bias = costs.input(position)
    return bias.elements if bias is not None else 0


def kernel(slices: slice, bias: int, weight: int = 1) -> Rule:
    """One MAC for each output element and each kernel element in ``slices`` of the weight's shape."""
    return lambda costs: (
        costs.output.elements * math.prod(costs.need(weight).shape[slices]),
        biases(costs, bias),
    )


def scatter(data: int, slices: slice, bias: int) -> Rule:
    """Transposed: one MAC for each input element and each kernel element in ``slices`` of the weight's shape."""
    return lambda costs: (
        costs.need(data).elements * math.prod(costs.need(1).shape[slices]),
        biases(costs, bias),
    )


def matmul(costs: Costs) -> Cost:
    left = costs.need(0).shape
    inner = left[-2] if costs.option("adj_x") or costs.option("transA") else left[-1]
    return costs.output.elements * inner, 0


def normalization(costs: Costs) -> Cost:
    return costs.output.elements, 0


def alike(names: str, rule: Rule) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)
