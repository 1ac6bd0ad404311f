"""How a Keras file writes down tensors, shapes and settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edgerig.models.graph.keras_attention import ATTENTION
from edgerig.models.graph.keras_types import Config, Shape

#: Entries of a layer's configuration that do not bear on how it computes.
IGNORED_OPTIONS = ("name", "trainable", "dtype")


def options_of(config: Config) -> Config:
    """The settings of a layer that bear on how it computes."""
    return {
        key: value
        for key, value in config.items()
        if key not in IGNORED_OPTIONS and isinstance(value, int | float | str | list | tuple)
    }


def fixed(shape: Any, batch: int = 1) -> Shape | None:
    """A stated shape with this batch where it leaves it open; None if another axis is free."""
    sizes = [batch, *shape[1:]] if shape[0] is None else list(shape)
    return None if any(size is None for size in sizes) else tuple(sizes)


#: Tensors that an attention layer is called on, in their order; what else it takes are masks.
_ATTENDED = ("query", "value", "key")


def called_on(kind: str, node: Any) -> list[Config]:
    """The tensors that a layer is called on, in order; an attention layer's are query, value, key, and then masks."""
    if kind not in ATTENTION:
        return list(references(node))
    arguments = list(references(node["args"] if isinstance(node, dict) else node))
    keywords = node["kwargs"] if isinstance(node, dict) else {}
    attended = dict(zip(_ATTENDED, arguments, strict=False))
    for name in _ATTENDED:
        attended.update((name, reference) for reference in references(keywords.get(name)))
    masks = [reference for name, value in keywords.items() if name not in _ATTENDED for reference in references(value)]
    # Without a key, the value is it.
    return [attended["query"], attended["value"], attended.get("key", attended["value"]), *masks]


def references(value: Any) -> Iterator[Config]:
    """Keras tensors inside a nested structure of arguments, in order; Keras 2 wrote ``[layer, node, tensor, {}]``."""
    if isinstance(value, list) and 3 <= len(value) <= 4 and isinstance(value[0], str) and isinstance(value[1], int):
        yield {"keras_history": value[:3]}
        return
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            yield value["config"]
            return
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from references(item)


def key_of(reference: Config) -> tuple[str, int, int]:
    layer, node, tensor = reference["keras_history"]
    return layer, node, tensor


def triples(value: Any) -> list[tuple[str, int, int]]:
    """[layer, node, tensor] lists inside a nested structure, in the order of Keras: that of the keys in a dict."""
    if isinstance(value, dict):
        value = [entry for _, entry in sorted(value.items())]
    if isinstance(value, list) and len(value) == 3 and isinstance(value[0], str):
        return [(value[0], value[1], value[2])]
    return [triple for item in value for triple in triples(item)]
