"""How channels run through a Keras network, and the network with fewer of them."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.compilers.compression.channels import Channels, Labels, Source
from edgerig.models.keras.engine import import_keras, seeded

#: Activations that compute each value by itself.
ELEMENTWISE = frozenset(
    {
        "celu", "elu", "exponential", "gelu", "hard_sigmoid", "hard_silu", "hard_tanh", "leaky_relu", "linear", "mish",
        "relu", "relu6", "selu", "sigmoid", "silu", "softplus", "softsign", "squareplus", "tanh", "tanh_shrink",
    }
)  # fmt: skip
#: Layers without weights whose output channel depends on the same channel of their input alone.
PASSING = frozenset(
    {
        "AveragePooling1D", "AveragePooling2D", "Cropping2D", "Dropout", "ELU", "GaussianDropout", "GaussianNoise",
        "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D", "LeakyReLU",
        "MaxPooling1D", "MaxPooling2D", "ReLU", "SpatialDropout1D", "SpatialDropout2D", "UpSampling2D", "ZeroPadding2D",
    }
)  # fmt: skip
#: Layers whose kernel has the axes (.., inputs, outputs), each with the key of its configuration that counts outputs.
WIDTHS = {"Conv1D": "filters", "Conv2D": "filters", "Dense": "units"}
#: Layers that compute each value from those at the same position of all their inputs.
MERGING = frozenset({"Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract"})
#: Functions of ``keras.ops`` (``x + y`` among them) that do so, of two tensors; of a constant they are not followed.
OPERATIONS = frozenset({"Add", "Maximum", "Minimum", "Multiply", "Subtract"})
_OUTPUT, _INPUT = "its channels are an output of the network", "its channels meet an input of the network"
_NOT_PLAIN = "it is no plain layer of Keras (another data format, quantized)"


def channels_of(model: Any) -> Channels:
    """The channels of the Conv1D, Conv2D and Dense layers of a Sequential or Functional model, in the model's order.

    Weights are called by their layer's name and their position in it, ``dense/0``.
    """
    return _Walk(model).channels


class _Walk:
    """Goes through the layers of a model from inputs to outputs."""

    def __init__(self, model: Any) -> None:
        functional = getattr(model, "_functional", None) or model
        levels = functional._nodes_by_depth
        nodes = [node for depth in sorted(levels, reverse=True) for node in levels[depth]]
        self.channels = Channels()
        self.calls = Counter(id(node.operation) for node in nodes)
        self.readers = Counter(id(tensor) for node in nodes for tensor in node.input_tensors)
        #: The channels along the last axis of a tensor, by its identity; and the layer that gave it, where one did.
        self.labels: dict[int, Labels] = {}
        self.sources: dict[int, Source] = {}
        self.known: set[str] = set()
        #: Of each layer in groups of which whole ones may go, by its name, the channel that stands for each group.
        self.groups: dict[str, Labels] = {}
        for node in nodes:
            self._pass(node)
        for tensor in functional.outputs:
            self.channels.keep(self.labels[id(tensor)], _OUTPUT, foremost=True)

    def _pass(self, node: Any) -> None:
        layer, inputs = node.operation, list(node.input_tensors)
        (output, *others), taken = node.outputs, [self.labels[id(tensor)] for tensor in inputs]
        if not inputs:
            for tensor in node.outputs:
                self._stays(tensor, [], _INPUT)
            return
        kind, shared = _kind(layer, len(inputs)), self._shared(layer)
        if type(layer).__name__ in WIDTHS:
            self._source(layer, output, taken[0], shared)
            return
        obstacle = shared or _mixing(layer)
        labels = None if obstacle or others else self._through(kind, layer, inputs, output, taken)
        if labels is not None:
            self.labels[id(output)] = labels
            return
        for tensor in node.outputs:
            self._stays(tensor, taken, obstacle or f"its channels meet {layer.name} ({type(layer).__name__})")

    def _source(self, layer: Any, output: Any, taken: Labels, shared: str | None) -> None:
        """A layer that gives new channels, though they may have to stay."""
        plain, first = _plain(layer), layer.name not in self.known
        groups, width = getattr(layer, "groups", 1) if plain and first else 1, int(output.shape[-1])
        fresh, whole = (
            self.channels.by_groups(taken, width, groups) if groups > 1 else (self.channels.fresh(width), None)
        )
        self.labels[id(output)] = fresh
        own = shared or (_mixing(layer) if plain else _NOT_PLAIN)
        if own:
            self.channels.keep(fresh, own)
        if shared or not plain:
            self.channels.keep(taken, shared or f"its channels meet {layer.name} ({type(layer).__name__})")
        if not first:
            return
        self.known.add(layer.name)
        if whole is not None:
            self.groups[layer.name] = whole
        kernel = np.abs(np.asarray(layer.kernel, np.float64))
        norms = kernel.reshape(-1, kernel.shape[-1]).sum(axis=0)
        self.sources[id(output)] = self.channels.source(layer.name, fresh, norms)
        if plain:
            if whole is None:
                self.channels.cut(f"{layer.name}/0", -2, taken[: len(taken) // groups])
            self.channels.cut(f"{layer.name}/0", -1, fresh)
            if layer.use_bias:
                self.channels.cut(f"{layer.name}/1", 0, fresh)

    def _through(self, kind: str, layer: Any, inputs: list[Any], output: Any, taken: list[Labels]) -> Labels | None:
        """The channels of what a layer makes of others', None where that is not known."""
        source, labels = inputs[0], taken[0]
        if kind == "Flatten" and _plain(layer) and None not in source.shape[1:]:
            return np.tile(labels, math.prod(source.shape[1:-1]))
        if kind == "BatchNormalization" and layer.axis in (-1, len(source.shape) - 1):
            for number in range(len(layer.weights)):
                self.channels.cut(f"{layer.name}/{number}", 0, labels)
            if id(source) in self.sources and self.readers[id(source)] == 1:
                self.sources[id(source)].norms *= _scale(layer)
            return labels
        if kind == "DepthwiseConv2D" and _plain(layer):
            wider = np.repeat(labels, layer.depth_multiplier)
            self.channels.cut(f"{layer.name}/0", -2, labels)
            if layer.use_bias:
                self.channels.cut(f"{layer.name}/1", 0, wider)
            return wider
        rank = len(output.shape)
        if kind in MERGING or (kind == "Concatenate" and layer.axis not in (-1, rank - 1)):
            if any(len(own) != len(labels) for own in taken):
                return None
            for own in taken[1:]:
                self.channels.unite(labels, own)
            return labels
        if kind == "Concatenate":
            return np.concatenate(taken)
        return labels if kind == "Activation" or (kind in PASSING and _plain(layer)) else None

    def _stays(self, tensor: Any, taken: list[Labels], reason: str) -> None:
        size = tensor.shape[-1] if tensor.shape else 1
        self.labels[id(tensor)] = self.channels.fresh(int(size or 0))
        for labels in (*taken, self.labels[id(tensor)]):
            self.channels.keep(labels, reason)

    def _shared(self, layer: Any) -> str | None:
        count = self.calls[id(layer)]
        return None if count == 1 else f"{layer.name} is used {count} times"


def pruned(model: Any, share: float) -> tuple[Any, dict[str, tuple[int, int]], dict[str, str]]:
    """``model`` without the weakest ``share`` of channels, see `Channels.removed`.

    Returns:
        The new model; channels before and after, by layer; and why the others were left alone, by layer.
    """
    walk = _Walk(model)
    channels, removed = walk.channels, walk.channels.removed(share)
    widths = channels.widths(removed)
    groups = {layer: len(channels.left(labels, removed)) for layer, labels in walk.groups.items()}
    weights = {f"{layer.name}/{i}": array for layer in model.layers for i, array in enumerate(layer.get_weights())}
    smaller = _rebuilt(model, {layer: after for layer, (_, after) in widths.items()}, groups)
    cut = channels.smaller(weights, removed)
    for layer in smaller.layers:
        layer.set_weights([cut[f"{layer.name}/{i}"] for i in range(len(layer.weights))])
    for layer in smaller._flatten_layers(include_self=False):
        if type(layer) is import_keras().layers.Normalization:
            layer.finalize_state()
    return smaller, widths, channels.obstacles()


def _rebuilt(model: Any, widths: dict[str, int], groups: dict[str, int]) -> Any:
    """A new model like ``model`` in which layers have so many output channels, and groups of them, by their names."""
    config = model.get_config()
    for entry in config["layers"]:
        # What it holds is the old shape of the layer's input.
        entry.pop("build_config", None)
        name = entry["config"].get("name")
        if name in widths:
            entry["config"][WIDTHS[entry["class_name"]]] = widths[name]
        if name in groups:
            entry["config"]["groups"] = groups[name]
    config.pop("build_input_shape", None)
    with seeded(0):
        return type(model).from_config(config)


def _scale(layer: Any) -> NDArray[np.float64]:
    """What a BatchNormalization multiplies each channel by: |gamma| / sqrt(variance + epsilon)."""
    scale: NDArray[np.float64] = 1 / np.sqrt(np.asarray(layer.moving_variance, np.float64) + layer.epsilon)
    return scale * np.abs(np.asarray(layer.gamma, np.float64)) if layer.scale else scale


def _kind(layer: Any, inputs: int) -> str:
    """The class of a layer of Keras's own, or what it is like; empty for others."""
    name, module = type(layer).__name__, type(layer).__module__
    if module.startswith("keras.src.layers."):
        return name
    return name if module.startswith("keras.src.ops.") and name in OPERATIONS and inputs > 1 else ""


def _plain(layer: Any) -> bool:
    return (
        type(layer).__module__.startswith("keras.")
        and getattr(layer, "data_format", "channels_last") == "channels_last"
        and getattr(layer, "quantization_mode", None) is None
        and not getattr(layer, "lora_enabled", False)
    )


def _mixing(layer: Any) -> str | None:
    """Why the activation of a layer does not compute each channel by itself, or None."""
    activation = getattr(layer, "activation", None)
    if activation is None:
        return None
    name = getattr(activation, "__name__", type(activation).__name__)
    return (
        None if name in ELEMENTWISE else f"the activation {name} of {layer.name} is none that is known to act by value"
    )
