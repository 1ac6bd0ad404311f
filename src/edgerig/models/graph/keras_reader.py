"""From the configuration of a Keras model to a graph: layers become operators, nested models are expanded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from edgerig.artifact import ITEM_SIZES
from edgerig.errors import ModelError
from edgerig.models.graph import keras_wrappers
from edgerig.models.graph.keras_layers import output_dtype, output_shapes
from edgerig.models.graph.keras_nodes import called_on, fixed, key_of, options_of, references, triples
from edgerig.models.graph.keras_types import OPERATION, Config, Shape
from edgerig.models.graph.keras_weights import weight_shapes
from edgerig.models.graph.types import ODD_BITS, Graph, Operator, Tensor

MODELS = frozenset({"Sequential", "Functional", "Model"})
MAX_NESTING = 16
#: Largest number of layer calls, nested models counted at each call: a few kB of nested models can expand endlessly.
MAX_CALLS = 200_000

#: What is stated of a call's outputs elsewhere, by their number: ``shape`` and ``dtype``, or nothing.
Stated = dict[int, Config]
#: A tensor: the layer that makes it, in which of its calls, and as which of the outputs.
Key = tuple[str, int, int]
#: A layer around another one, which computes what that one does.
WRAPPED = "SpectralNormalization"


def corrupt(name: str, why: str) -> ModelError:
    """The error for a file that does not describe a model."""
    return ModelError(f"{name} is not a sound Keras file: {why}.", "Save the model again with model.save('x.keras').")


def _stated_shapes(layers: Iterable[Config], outputs: Any) -> dict[tuple[str, int], Stated]:
    """By a layer and the number of its call: what those that read its outputs say of their shapes, by the output."""
    stated: dict[tuple[str, int], Stated] = {}
    for layer in layers:
        for reference in references(layer.get("inbound_nodes", [])):
            if "shape" in reference:
                name, node, tensor = key_of(reference)
                stated.setdefault((name, node), {})[tensor] = reference
    for name, node, tensor in triples(outputs):
        stated.setdefault((name, node), {}).setdefault(tensor, {})
    return stated


def _kind(layer: Config) -> str:
    """A layer's class; ``ops.Add`` is an operation on tensors, whose settings are not those of the layer Add."""
    operation = str(layer.get("module") or "").startswith("keras.src.ops")
    return (OPERATION if operation else "") + str(layer["class_name"])


class KerasReader:
    """Collects tensors and operators; nested models are expanded."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.tensors: list[Tensor] = []
        self.operators: list[Operator] = []
        self.unknown: list[str] = []
        self.calls = 0
        self.weights: dict[str, list[int]] = {}
        self.frozen: list[str] = []
        #: Whether there is a layer of a kind that is not of Keras.
        self.foreign = False

    def graph(self, config: Config) -> Graph:
        inputs, outputs = self.model(config, None, "", 0)
        lists = {"unknown_layers": self.unknown, "frozen_layers": self.frozen}
        metadata = {title: ", ".join(names) for title, names in lists.items() if names}
        if not inputs or not outputs:
            raise corrupt(self.file, "the model has no input or no output")
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
            raise corrupt(self.file, "models are nested too deep")
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
                raise corrupt(self.file, "the model was never built, so its input shape is not known")
            open_batch = (0,) if shape[:1] == [None] else ()
            inputs = [self.add(f"{prefix}input", fixed(shape), "float32", free_axes=open_batch)]
        current = inputs
        for position, layer in enumerate(layers):
            following = layers[position + 1] if position + 1 < len(layers) else {}
            stated = following.get("build_config", {}).get("input_shape")
            current = self.layer(layer, current, prefix, depth, {0: {"shape": stated}} if stated else {})
        return inputs, current

    def functional(
        self, config: Config, arguments: list[int] | None, prefix: str, depth: int
    ) -> tuple[list[int], list[int]]:
        layers = {layer["name"]: layer for layer in config["layers"]}
        stated = _stated_shapes(layers.values(), config["output_layers"])
        indices: dict[Key, int] = {}
        inputs = []
        for position, (name, node, tensor) in enumerate(triples(config["input_layers"])):
            index = arguments[position] if arguments is not None else self.input(layers[name])
            indices[name, node, tensor] = index
            inputs.append(index)
        calls = [
            (name, number, [key_of(reference) for reference in called_on(layer["class_name"], node)])
            for name, layer in layers.items()
            for number, node in enumerate(layer.get("inbound_nodes", []))
        ]
        missing = [{key for key in keys if key not in indices} for _, _, keys in calls]
        readers: dict[Key, list[int]] = {}
        for call, absent in enumerate(missing):
            for key in absent:
                readers.setdefault(key, []).append(call)
        ready = [call for call, absent in enumerate(missing) if not absent]
        while ready:
            following = []
            for call in ready:
                name, number, keys = calls[call]
                sources = [indices[key] for key in keys]
                outputs = self.layer(layers[name], sources, prefix, depth, stated.get((name, number), {}))
                for position, index in enumerate(outputs):
                    indices[name, number, position] = index
                    for reader in readers.pop((name, number, position), ()):
                        missing[reader].discard((name, number, position))
                        following += [] if missing[reader] else [reader]
            ready = sorted(following)
        waiting = next((call for call, absent in enumerate(missing) if absent), None)
        if waiting is not None:
            raise corrupt(self.file, f"layer {calls[waiting][0]!r} waits for an input that nobody makes")
        return inputs, [indices[key] for key in triples(config["output_layers"])]

    def layer(
        self, layer: Config, inputs: list[int], prefix: str, depth: int, stated: Stated | None = None
    ) -> list[int]:
        """Add one call of a layer; returns its output tensors. ``stated`` are their shapes as stated elsewhere."""
        self.calls += 1
        if self.calls > MAX_CALLS:
            raise corrupt(self.file, f"its layers are called more than {MAX_CALLS:,} times")
        if depth > MAX_NESTING:
            raise corrupt(self.file, "layers are nested too deep")
        kind, config = _kind(layer), layer["config"]
        name = prefix + config["name"]
        if kind in MODELS:
            return self.model(layer, inputs, f"{name}/", depth + 1)[1]
        shapes = [self.tensors[index].shape for index in inputs]
        known = bool(shapes) and not any(self.tensors[index].unknown_shape for index in inputs)
        expand = keras_wrappers.EXPANDED.get(kind)
        if expand is not None and known:
            return expand(self, config, inputs, name, depth + 1)
        weights = self.layer_weights(name, kind, layer, shapes if known else None)
        outputs = self.layer_outputs(name, kind, config, inputs, known, stated or {})
        options = options_of(config)
        if kind == WRAPPED:
            inner = config["layer"]
            options = {"layer": inner["class_name"], **options_of(inner["config"]), **options}
        self.operator(kind, name, (*inputs, *weights), outputs, options)
        return outputs

    def layer_outputs(
        self, name: str, kind: str, config: Config, inputs: list[int], known: bool, stated: Stated
    ) -> list[int]:
        """A layer's output tensors, as stated elsewhere, or else as its kind has them."""
        sources = [self.tensors[index] for index in inputs]
        inferred = output_shapes(kind, config, [tensor.shape for tensor in sources]) if known else None
        shapes: dict[int, Shape | None] = dict(enumerate(inferred or ()))
        dtype = output_dtype(kind, config, sources[0].dtype) if sources else "float32"
        batch = sources[0].shape[0] if known and sources[0].shape else 1
        for position, reference in stated.items():
            if "shape" in reference:
                shapes[position] = fixed(reference["shape"], batch)
        return [
            self.add(
                name if position == 0 else f"{name}:{position}",
                shapes.get(position),
                stated.get(position, {}).get("dtype", dtype),
            )
            for position in range(max((*shapes, *stated, 0)) + 1)
        ]

    def operator(
        self, kind: str, name: str, inputs: Iterable[int], outputs: Iterable[int], options: Config | None = None
    ) -> None:
        """Add an operator over tensors that are there."""
        self.operators.append(
            Operator(
                index=len(self.operators),
                op=kind,
                name=name,
                inputs=tuple(inputs),
                outputs=tuple(outputs),
                options=options or {},
            )
        )

    def layer_weights(self, name: str, kind: str, layer: Config, inputs: list[Shape] | None) -> list[int]:
        """The weights of a layer; a layer that is called twice has them only once."""
        config = layer["config"]
        if name not in self.weights:
            sizes = weight_shapes(kind, config, inputs) if inputs is not None else None
            if sizes is None:
                self.unknown.append(f"{name} ({kind})")
                self.foreign = self.foreign or not str(layer.get("module") or "").startswith("keras.")
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
            config["name"], fixed(shape), dtype if isinstance(dtype, str) else "float32", free_axes=open_batch
        )

    def add(
        self, name: str, shape: Shape | None, dtype: str, constant: bool = False, free_axes: tuple[int, ...] = ()
    ) -> int:
        if shape is not None and not all(isinstance(size, int) and size >= 0 for size in shape):
            raise corrupt(self.file, f"{name!r} has the shape {list(shape)}")
        if dtype not in ITEM_SIZES and dtype not in ODD_BITS:
            raise corrupt(self.file, f"{name!r} has the type {dtype!r}")
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
