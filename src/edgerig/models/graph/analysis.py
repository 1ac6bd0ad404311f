"""The cost of a network: parameters, multiply-accumulates, weights and activations in bytes."""

from __future__ import annotations

import msgspec

from edgerig.models.graph.cost_rules import UncountableError
from edgerig.models.graph.costs import operator_cost
from edgerig.models.graph.memory import UNPACKING, ActivationMemory, activation_memory
from edgerig.models.graph.scheme import stored_behind
from edgerig.models.graph.types import Graph, Operator, Tensor

#: Constant inputs that are no parameters: scales, limits, pads.
_SETTINGS = {
    "QuantizeLinear": (1, 2), "DequantizeLinear": (1, 2), "Clip": (1, 2), "Pad": (1, 2, 3), "Resize": (1, 2, 3),
    "QLinearConv": (1, 2, 4, 5, 6, 7), "QLinearMatMul": (1, 2, 4, 5, 6, 7), "PADV2": (1, 2),
}  # fmt: skip


class OperatorCost(msgspec.Struct, frozen=True, kw_only=True):
    """One operator: what it holds and what it computes for one inference.

    Attributes:
        output_shapes: Shapes of its outputs, None for one that is not known.
        parameters: Elements of its weights, each weight counted where it is first used.
        weight_bytes: Their size in the file.
        macs: Multiply-accumulates.
        macc: The figure of ST's X-CUBE-AI, see `edgerig.models.graph.costs`.
        output_bytes: Size of its outputs.
        counted: False where the cost is unknown and given as 0.
    """

    index: int
    op: str
    name: str
    input_shapes: tuple[tuple[int, ...] | None, ...]
    output_shapes: tuple[tuple[int, ...] | None, ...]
    output_dtype: str | None
    parameters: int
    weight_bytes: int
    macs: int
    macc: int
    output_bytes: int
    counted: bool = True


class Analysis(msgspec.Struct, frozen=True, kw_only=True):
    """A network's costs for one inference at the file's batch size. ``notes`` say what could not be counted."""

    parameters: int
    weight_bytes: int
    macs: int
    macc: int
    memory: ActivationMemory
    operators: tuple[OperatorCost, ...]
    notes: tuple[str, ...] = ()


def analyse(graph: Graph) -> Analysis:
    """Count a graph. An unknown cost counts as 0 and is named in the notes."""
    notes: list[str] = []
    stored = stored_behind(graph, UNPACKING)
    counted: set[int] = set()
    operators = tuple(_cost(graph, operator, stored, counted, notes) for operator in graph.operators)
    unknown = [tensor.name for tensor in graph.tensors if tensor.unknown_shape]
    if unknown:
        shown = ", ".join(unknown[:5]) + (", ..." if len(unknown) > 5 else "")
        notes.append(f"{len(unknown)} tensors have no known shape and count as 0 bytes: {shown}")
    if "subgraphs" in graph.metadata:
        notes.append(f"only the first of {graph.metadata['subgraphs']} subgraphs is counted")
    if "unknown_layers" in graph.metadata:
        notes.append(f"the weights of these layers are not known: {graph.metadata['unknown_layers']}")
    if "free_dimensions" in graph.metadata:
        notes.append(f"free dimensions are taken as 1: {graph.metadata['free_dimensions']}")
    return Analysis(
        parameters=sum(operator.parameters for operator in operators),
        weight_bytes=sum(operator.weight_bytes for operator in operators),
        macs=sum(operator.macs for operator in operators),
        macc=sum(operator.macc for operator in operators),
        memory=activation_memory(graph),
        operators=operators,
        notes=tuple(dict.fromkeys(notes)),
    )


def _cost(
    graph: Graph, operator: Operator, stored: dict[int, int], counted: set[int], notes: list[str]
) -> OperatorCost:
    weights = _parameters(graph, operator, stored, counted)
    outputs = [graph.tensors[index] for index in operator.outputs if index >= 0]
    inputs = [graph.tensors[index] for index in operator.inputs if index >= 0]
    known = True
    try:
        macs, extra = operator_cost(graph, operator)
    except UncountableError as reason:
        macs, extra, known = 0, 0, False
        notes.append(f"operator {operator.index} ({operator.op}, {operator.name}) counts as 0: {reason}")
    return OperatorCost(
        index=operator.index,
        op=operator.options.get("custom_code") or operator.op,
        name=operator.name,
        input_shapes=tuple(_shape(tensor) for tensor in inputs if not tensor.constant),
        output_shapes=tuple(map(_shape, outputs)),
        output_dtype=outputs[0].dtype if outputs else None,
        parameters=sum(tensor.elements for tensor in weights),
        weight_bytes=sum(tensor.nbytes for tensor in weights),
        macs=macs,
        macc=macs + extra,
        output_bytes=sum(tensor.nbytes for tensor in outputs),
        counted=known,
    )


def _parameters(graph: Graph, operator: Operator, behind: dict[int, int], counted: set[int]) -> list[Tensor]:
    """The stored weights that an operator is the first to use; unpacked weights belong to the operator using them."""
    if operator.op in UNPACKING and all(graph.tensors[i].constant for i in operator.inputs if i >= 0):
        return []
    settings = _SETTINGS.get(operator.op, ())
    parameters = []
    for position, index in enumerate(operator.inputs):
        if index < 0 or position in settings:
            continue
        stored = graph.tensors[behind.get(index, index)]
        if stored.constant and stored.index not in counted and _is_weight(stored):
            counted.add(stored.index)
            parameters.append(stored)
    return parameters


def _is_weight(tensor: Tensor) -> bool:
    """Whether a constant is a weight: integers without a scale are shapes, axes and the like."""
    if tensor.quantization is not None or tensor.dtype.startswith(("float", "bfloat")):
        return True
    return tensor.dtype in ("int8", "uint8", "int4", "uint4", "int2")


def _shape(tensor: Tensor) -> tuple[int, ...] | None:
    return None if tensor.unknown_shape else tensor.shape
