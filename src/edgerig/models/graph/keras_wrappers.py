"""Keras layers that are others put together: each becomes the operators of its parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from edgerig.models.graph.keras_types import Config, Shape
from edgerig.models.graph.types import Tensor

#: What joins the two directions, by ``merge_mode``.
_JOINS = {"concat": "Concatenate", "sum": "Add", "ave": "Average", "mul": "Multiply"}


class Reader(Protocol):
    """What adds layers, operators and tensors to a graph."""

    tensors: list[Tensor]

    def layer(self, layer: Config, inputs: list[int], prefix: str, depth: int) -> list[int]:
        """Add one call of a layer; returns its outputs."""

    def operator(self, kind: str, name: str, inputs: list[int], outputs: list[int]) -> None:
        """Add an operator over tensors that are there."""

    def add(self, name: str, shape: Shape | None, dtype: str) -> int:
        """Add a tensor."""


def bidirectional(reader: Reader, config: Config, inputs: list[int], name: str, depth: int) -> list[int]:
    """Two recurrent layers, the second of which reads the sequence from its end."""
    forward = config["layer"]
    backward = config.get("backward_layer") or _turned(forward)
    half = (len(inputs) - 1) // 2
    starts = inputs[1 : 1 + half], inputs[1 + half :]
    (left, *left_states), (right, *right_states) = (
        reader.layer(layer, [inputs[0], *states], f"{name}/", depth)
        for layer, states in zip((forward, backward), starts, strict=True)
    )
    states = [*left_states, *right_states]
    mode = config.get("merge_mode")
    if mode is None:
        return [left, right, *states]
    shape, dtype = reader.tensors[left].shape, reader.tensors[left].dtype
    joined = (*shape[:-1], 2 * shape[-1]) if mode == "concat" else shape
    output = reader.add(name, None if reader.tensors[left].unknown_shape else joined, dtype)
    reader.operator(_JOINS[mode], name, [left, right], [output])
    return [output, *states]


def _turned(layer: Config) -> Config:
    config = layer["config"]
    turned = {**config, "go_backwards": not config.get("go_backwards"), "name": f"backward_{config['name']}"}
    return {**layer, "config": turned}


def time_distributed(reader: Reader, config: Config, inputs: list[int], name: str, depth: int) -> list[int]:
    """A layer, or a model, on each step of a sequence: on a batch of all steps."""
    outer = reader.tensors[inputs[0]]
    batch, steps, *rest = outer.shape
    apart = reader.add(f"{name}/steps", (batch * steps, *rest), outer.dtype)
    reader.operator("Reshape", f"{name}/steps", inputs[:1], [apart])
    (inner,) = reader.layer(config["layer"], [apart], f"{name}/", depth)
    each = reader.tensors[inner]
    output = reader.add(name, None if each.unknown_shape else (batch, steps, *each.shape[1:]), each.dtype)
    reader.operator("Reshape", name, [inner], [output])
    return [output]


def pipeline(reader: Reader, config: Config, inputs: list[int], name: str, depth: int) -> list[int]:
    """Layers that prepare a picture, one after the other."""
    for layer in config["layers"]:
        inputs = reader.layer(layer, inputs, f"{name}/", depth)
    return inputs


EXPANDED: dict[str, Callable[[Reader, Config, list[int], str, int], list[int]]] = {
    "Bidirectional": bidirectional,
    "TimeDistributed": time_distributed,
    "Pipeline": pipeline,
}
