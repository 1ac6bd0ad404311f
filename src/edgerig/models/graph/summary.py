"""A network layer by layer as Keras summarises it: name, kind, output shape, parameters, trainable or not."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from edgerig.models.graph.analysis import Analysis
from edgerig.models.graph.keras_weights import NEVER_TRAINED
from edgerig.models.graph.types import Graph, Operator, Tensor

#: The axis of the batch where a file leaves it open.
OPEN = -1


class LayerSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One layer.

    Attributes:
        name, kind: As the file has them; of a format whose operators have no names, the name is empty.
        shape: Of its first output, `OPEN` for an open batch; None where it is not known.
        parameters: Elements of its weights, each weight counted where it is first used; None where the weights of this
            kind of layer are not known.
    """

    name: str
    kind: str
    shape: tuple[int, ...] | None
    parameters: int | None


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """All layers, in order, and their sums.

    Attributes:
        parameters: Of all layers whose weights are known.
        trainable, non_trainable: Parts of them; None where the file does not tell what is trained, as no deployed
            network does.
    """

    name: str
    layers: tuple[LayerSummary, ...]
    parameters: int
    trainable: int | None
    non_trainable: int | None


def summarise(graph: Graph, analysis: Analysis) -> Summary:
    """The summary of a graph whose costs were counted. Models within a Keras model are shown layer by layer."""
    if graph.format == "keras":
        return _keras_summary(graph)
    inputs = [
        LayerSummary(name=graph.tensors[index].name, kind="input", shape=_shape(graph, index), parameters=0)
        for index in graph.inputs
    ]
    layers = [
        LayerSummary(
            name=cost.name,
            kind=cost.op,
            shape=_shape(graph, operator.outputs[0]) if operator.outputs else None,
            parameters=cost.parameters,
        )
        for operator, cost in zip(graph.operators, analysis.operators, strict=True)
    ]
    return Summary(
        name=graph.name,
        layers=(*inputs, *layers),
        parameters=analysis.parameters,
        trainable=None,
        non_trainable=None,
    )


def _keras_summary(graph: Graph) -> Summary:
    frozen = set(graph.metadata.get("frozen_layers", "").split(", "))
    unknown = {text.rpartition(" (")[0] for text in graph.metadata.get("unknown_layers", "").split(", ")}
    layers = [
        LayerSummary(name=graph.tensors[i].name, kind="InputLayer", shape=_shape(graph, i), parameters=0)
        for i in graph.inputs
    ]
    counts = {True: 0, False: 0}
    counted: set[int] = set()
    for operator in graph.operators:
        total = 0
        for tensor in _own_weights(graph, operator, counted):
            trained = operator.name not in frozen and tensor.name.rpartition("/")[2] not in NEVER_TRAINED
            counts[trained] += tensor.elements
            total += tensor.elements
        layers.append(
            LayerSummary(
                name=operator.name,
                kind=operator.op,
                shape=_shape(graph, operator.outputs[0]) if operator.outputs else None,
                parameters=None if operator.name in unknown else total,
            )
        )
    return Summary(
        name=graph.name,
        layers=tuple(layers),
        parameters=counts[True] + counts[False],
        trainable=counts[True],
        non_trainable=counts[False],
    )


def _own_weights(graph: Graph, operator: Operator, counted: set[int]) -> Iterator[Tensor]:
    """The weights of a layer that none before it has used: a layer that is called twice has them once."""
    for index in operator.inputs:
        if index >= 0 and graph.tensors[index].constant and index not in counted:
            counted.add(index)
            yield graph.tensors[index]


def _shape(graph: Graph, index: int) -> tuple[int, ...] | None:
    tensor = graph.tensors[index]
    if tensor.unknown_shape:
        return tensor.known_axes
    # An open batch goes through the network; only inputs say so.
    opened = any(0 in graph.tensors[number].free_axes for number in graph.inputs)
    leads = opened and tensor.shape[:1] == (1,)
    return (OPEN, *tensor.shape[1:]) if leads else tensor.shape
