"""Keras files, read without Keras: layers and shapes come from the configuration in a .keras or .h5 file."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgerig.artifact import ITEM_SIZES
from edgerig.errors import ModelError
from edgerig.models.graph.keras_layers import Config, Shape, output_shape, weight_shapes
from edgerig.models.graph.keras_legacy import is_hdf5, legacy_config
from edgerig.models.graph.types import ODD_BITS, Graph, Operator, Tensor

MODELS = frozenset({"Sequential", "Functional", "Model"})
MAX_CONFIG_BYTES = 64 << 20
MAX_NESTING = 16
#: Largest number of layer calls, nested models counted at each call: a few kB of nested models can expand endlessly.
MAX_CALLS = 200_000

#: Entries of a layer's configuration that affect how it computes.
IGNORED_OPTIONS = ("name", "trainable", "dtype")


def read_keras(data: bytes, path: Path) -> Graph:
    """The layers of the .keras or .h5 file with the content ``data`` as operators; batch size 1.

    Weights have the shapes that the configuration implies, and no content. Layers of unknown kinds are
    named in the metadata under ``unknown_layers``; their weights are not known.

    Raises:
        ModelError: It is not a .keras file of a Sequential or Functional model, or is corrupt.
    """
    config = _config(data, path)
    try:
        return _Reader(path.name).graph(config)
    except ModelError:
        raise
    except Exception as error:
        raise _corrupt(path.name, "its layers do not fit together") from error


def _corrupt(name: str, why: str) -> ModelError:
    return ModelError(f"{name} is not a sound Keras file: {why}.", "Save the model again with model.save('x.keras').")


def _config(data: bytes, path: Path) -> Config:
    config = legacy_config(data, path.name) if is_hdf5(data) else _zipped_config(data, path)
    kind = config["class_name"]
    if kind not in MODELS:
        raise ModelError(
            f"{path.name} holds a model of the class {kind!r}.",
            "edgerig reads Sequential and Functional models; build it with one of these, or convert it to TFLite.",
        )
    return config


def _zipped_config(data: bytes, path: Path) -> Config:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if archive.getinfo("config.json").file_size > MAX_CONFIG_BYTES:
                raise _corrupt(path.name, "its config.json is too long")
            content = archive.read("config.json")
            if "model.weights.h5" not in archive.namelist():
                raise _corrupt(path.name, "it holds no weights")
    except ModelError:
        raise
    except Exception as error:
        raise _corrupt(path.name, "it is no ZIP archive with a config.json, or is damaged") from error
    try:
        config: Config = json.loads(content)
        config["class_name"]
    except Exception as error:
        raise _corrupt(path.name, "its config.json does not describe a model") from error
    return config


class _Reader:
    """Collects tensors and operators; nested models are expanded."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.tensors: list[Tensor] = []
        self.operators: list[Operator] = []
        self.unknown: list[str] = []
        self.calls = 0
        self.weights: dict[str, list[int]] = {}
        self.frozen: list[str] = []

    def graph(self, config: Config) -> Graph:
        inputs, outputs = self.model(config, None, "", 0)
        lists = {"unknown_layers": self.unknown, "frozen_layers": self.frozen}
        metadata = {title: ", ".join(names) for title, names in lists.items() if names}
        if not inputs or not outputs:
            raise _corrupt(self.file, "the model has no input or no output")
        return Graph(
            name=config["config"]["name"],
            format="keras",
            tensors=tuple(self.tensors),
            operators=tuple(self.operators),
            inputs=tuple(inputs),
            outputs=tuple(outputs),
            metadata=metadata,
        )

    def model(self, model: Config, arguments: list[int] | None, prefix: str, depth: int) -> tuple[list[int], list[int]]:
        """Add a model's layers; ``arguments`` are the tensors it is called on, None for the outermost one."""
        if depth > MAX_NESTING:
            raise _corrupt(self.file, "models are nested too deep")
        if model["class_name"] == "Sequential":
            return self.sequential(model["config"], arguments, prefix, depth)
        return self.functional(model["config"], arguments, prefix, depth)

    def sequential(
        self, config: Config, arguments: list[int] | None, prefix: str, depth: int
    ) -> tuple[list[int], list[int]]:
        layers = list(config["layers"])
        first = layers[0]
        if first["class_name"] == "InputLayer":
            layers = layers[1:]
            inputs = arguments or [self.input(first)]
        elif arguments is not None:
            inputs = arguments
        else:
            shape = first.get("build_config", {}).get("input_shape") or config.get("build_input_shape")
            if shape is None:
                raise _corrupt(self.file, "the model was never built, so its input shape is not known")
            open_batch = (0,) if shape[:1] == [None] else ()
            inputs = [self.add(f"{prefix}input", _fixed(shape), "float32", free_axes=open_batch)]
        current = inputs
        for position, layer in enumerate(layers):
            following = layers[position + 1] if position + 1 < len(layers) else {}
            stated = following.get("build_config", {}).get("input_shape")
            current = self.layer(layer, current, [_fixed(stated)] if stated else [], prefix, depth)
        return inputs, current

    def functional(
        self, config: Config, arguments: list[int] | None, prefix: str, depth: int
    ) -> tuple[list[int], list[int]]:
        layers = {layer["name"]: layer for layer in config["layers"]}
        stated: dict[tuple[str, int], dict[int, Shape | None]] = {}
        for layer in layers.values():
            for reference in _references(layer.get("inbound_nodes", [])):
                if "shape" in reference:
                    name, node, tensor = _key(reference)
                    stated.setdefault((name, node), {})[tensor] = _fixed(reference["shape"])
        indices: dict[tuple[str, int, int], int] = {}
        inputs = []
        for position, (name, node, tensor) in enumerate(_triples(config["input_layers"])):
            index = arguments[position] if arguments is not None else self.input(layers[name])
            indices[name, node, tensor] = index
            inputs.append(index)
        calls = [
            (name, number, [_key(reference) for reference in _references(node)])
            for name, layer in layers.items()
            for number, node in enumerate(layer.get("inbound_nodes", []))
        ]
        missing = [{key for key in keys if key not in indices} for _, _, keys in calls]
        readers: dict[tuple[str, int, int], list[int]] = {}
        for call, absent in enumerate(missing):
            for key in absent:
                readers.setdefault(key, []).append(call)
        ready = [call for call, absent in enumerate(missing) if not absent]
        while ready:
            following = []
            for call in ready:
                name, number, keys = calls[call]
                shapes = [shape for _, shape in sorted(stated.get((name, number), {}).items())]
                outputs = self.layer(layers[name], [indices[key] for key in keys], shapes, prefix, depth)
                for position, index in enumerate(outputs):
                    indices[name, number, position] = index
                    for reader in readers.pop((name, number, position), ()):
                        missing[reader].discard((name, number, position))
                        following += [] if missing[reader] else [reader]
            ready = sorted(following)
        waiting = next((call for call, absent in enumerate(missing) if absent), None)
        if waiting is not None:
            raise _corrupt(self.file, f"layer {calls[waiting][0]!r} waits for an input that nobody makes")
        return inputs, [indices[key] for key in _triples(config["output_layers"])]

    def layer(self, layer: Config, inputs: list[int], stated: list[Shape | None], prefix: str, depth: int) -> list[int]:
        """Add one call of a layer; returns its output tensors. ``stated`` are their shapes as stated elsewhere."""
        self.calls += 1
        if self.calls > MAX_CALLS:
            raise _corrupt(self.file, f"its layers are called more than {MAX_CALLS:,} times")
        kind, config = layer["class_name"], layer["config"]
        name = prefix + config["name"]
        if kind in MODELS:
            return self.model(layer, inputs, f"{name}/", depth + 1)[1]
        shapes = [self.tensors[index].shape for index in inputs]
        known = all(not self.tensors[index].unknown_shape for index in inputs)
        inferred = output_shape(kind, config, shapes) if known else None
        results: list[Shape | None] = [*stated] if stated else [inferred]
        weights = self.layer_weights(name, kind, config, shapes[0] if known and shapes else None)
        dtype = self.tensors[inputs[0]].dtype if inputs else "float32"
        outputs = [
            self.add(name if position == 0 else f"{name}:{position}", shape, dtype)
            for position, shape in enumerate(results)
        ]
        options = {
            key: value
            for key, value in config.items()
            if key not in IGNORED_OPTIONS and isinstance(value, int | float | str | list | tuple)
        }
        self.operators.append(
            Operator(
                index=len(self.operators),
                op=kind,
                name=name,
                inputs=(*inputs, *weights),
                outputs=tuple(outputs),
                options=options,
            )
        )
        return outputs

    def layer_weights(self, name: str, kind: str, config: Config, shape: Shape | None) -> list[int]:
        """The weights of a layer; a layer that is called twice has them only once."""
        if name not in self.weights:
            sizes = weight_shapes(kind, config, shape) if shape is not None else None
            if sizes is None:
                self.unknown.append(f"{name} ({kind})")
            elif sizes and config.get("trainable") is False:
                self.frozen.append(name)
            self.weights[name] = [
                self.add(f"{name}/{weight}", size, "float32", constant=True) for weight, size in (sizes or {}).items()
            ]
        return self.weights[name]

    def input(self, layer: Config) -> int:
        config = layer["config"]
        shape = config.get("batch_shape", config.get("batch_input_shape"))
        dtype = config.get("dtype", "float32")
        open_batch = (0,) if shape[:1] == [None] else ()
        return self.add(
            config["name"], _fixed(shape), dtype if isinstance(dtype, str) else "float32", free_axes=open_batch
        )

    def add(
        self, name: str, shape: Shape | None, dtype: str, constant: bool = False, free_axes: tuple[int, ...] = ()
    ) -> int:
        if shape is not None and not all(isinstance(size, int) and size >= 0 for size in shape):
            raise _corrupt(self.file, f"{name!r} has the shape {list(shape)}")
        if dtype not in ITEM_SIZES and dtype not in ODD_BITS:
            raise _corrupt(self.file, f"{name!r} has the type {dtype!r}")
        self.tensors.append(
            Tensor(
                index=len(self.tensors),
                name=name,
                shape=shape or (),
                dtype=dtype,
                constant=constant,
                unknown_shape=shape is None,
                free_axes=free_axes,
            )
        )
        return len(self.tensors) - 1


def _fixed(shape: Any) -> Shape | None:
    """A stated shape with batch 1; None if another axis is free."""
    sizes = [1, *shape[1:]] if shape[0] is None else list(shape)
    return None if any(size is None for size in sizes) else tuple(sizes)


def _references(value: Any) -> Iterator[Config]:
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
            yield from _references(item)


def _key(reference: Config) -> tuple[str, int, int]:
    layer, node, tensor = reference["keras_history"]
    return layer, node, tensor


def _triples(value: Any) -> list[tuple[str, int, int]]:
    """[layer, node, tensor] lists inside a nested structure, in the order of Keras: that of the keys in a dict."""
    if isinstance(value, dict):
        value = [entry for _, entry in sorted(value.items())]
    if isinstance(value, list) and len(value) == 3 and isinstance(value[0], str):
        return [(value[0], value[1], value[2])]
    return [triple for item in value for triple in _triples(item)]
