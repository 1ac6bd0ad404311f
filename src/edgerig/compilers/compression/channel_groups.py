"""Which output channels of a Keras network can be removed, and what has to be cut with them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
_OUTPUT = "its channels are an output of the network"
_NORMALIZATION, _DEPTHWISE, _FLATTEN, _ACTIVATION = "BatchNormalization", "DepthwiseConv2D", "Flatten", "Activation"


@dataclass(frozen=True)
class Cut:
    """An axis of a weight of a layer that channels run along, ``repeats`` times one after another (after Flatten)."""

    layer: Any
    weight: int
    axis: int
    repeats: int = 1


@dataclass
class ChannelGroup:
    """The output channels of one layer, and every axis that is cut where one of them is removed.

    Attributes:
        layer: The Keras layer that gives the channels.
        cuts: Axes of weights, its own and those of the layers that read the channels.
        normalization: The BatchNormalization that its outputs go through first, or None.
        obstacle: Why its channels must stay, or None.
    """

    layer: Any
    cuts: list[Cut] = field(default_factory=list)
    normalization: Any = None
    obstacle: str | None = None

    @property
    def channels(self) -> int:
        return int(self.layer.kernel.shape[-1])

    def norms(self) -> NDArray[np.float64]:
        """The importance of each channel, shape (channels,): the L1 norm of its weights (Li et al., "Pruning Filters
        for Efficient ConvNets", 2017), times |gamma| / sqrt(variance + epsilon) where a BatchNormalization follows,
        which scales them so."""
        kernel = np.asarray(self.layer.kernel, np.float64)
        norms: NDArray[np.float64] = np.abs(kernel).reshape(-1, kernel.shape[-1]).sum(axis=0)
        if self.normalization is None:
            return norms
        scale = 1 / np.sqrt(np.asarray(self.normalization.moving_variance, np.float64) + self.normalization.epsilon)
        if self.normalization.scale:
            scale = scale * np.abs(np.asarray(self.normalization.gamma, np.float64))
        scaled: NDArray[np.float64] = norms * scale
        return scaled


def channel_groups(model: Any) -> list[ChannelGroup]:
    """The channels of each Conv1D, Conv2D and Dense layer of a Sequential or Functional model, in the model's order."""
    return list(_Walk(model).groups())


class _Walk:
    """The layers of a model and who reads the output of each."""

    def __init__(self, model: Any) -> None:
        functional = getattr(model, "_functional", None) or model
        nodes = [node for level in functional._nodes_by_depth.values() for node in level]
        self.layers = list(model.layers)
        self.calls: dict[int, int] = {}
        self.readers: dict[int, list[Any]] = {}
        for node in nodes:
            self.calls[id(node.operation)] = self.calls.get(id(node.operation), 0) + 1
            for tensor in node.input_tensors:
                self.readers.setdefault(id(tensor._keras_history.operation), []).append(node.operation)
        self.ends = {id(tensor._keras_history.operation) for tensor in functional.outputs}

    def groups(self) -> Iterator[ChannelGroup]:
        for layer in self.layers:
            if type(layer).__name__ in WIDTHS:
                group = ChannelGroup(layer)
                group.obstacle = self._own_obstacle(layer)
                if group.obstacle is None:
                    group.cuts += [Cut(layer, 0, -1), *([Cut(layer, 1, 0)] if layer.use_bias else [])]
                    group.obstacle = self._follow(group, layer, 1, at_first=True)
                yield group

    def _own_obstacle(self, layer: Any) -> str | None:
        if id(layer) in self.ends:
            return _OUTPUT
        if not _plain(layer):
            return "it is no plain layer of Keras (groups, another data format, quantized)"
        return _shared(self.calls, layer) or _mixing(layer)

    def _follow(self, group: ChannelGroup, source: Any, repeats: int, *, at_first: bool) -> str | None:
        """Add the cuts in all that reads ``source``; why the channels must stay, or None."""
        if id(source) in self.ends:
            return _OUTPUT
        for reader in self.readers.get(id(source), ()):
            obstacle = _shared(self.calls, reader) or self._cut_in(group, source, reader, repeats, at_first)
            if obstacle is not None:
                return obstacle
        return None

    def _cut_in(self, group: ChannelGroup, source: Any, reader: Any, repeats: int, at_first: bool) -> str | None:
        kind = type(reader).__name__ if type(reader).__module__.startswith("keras.") else ""
        if kind in WIDTHS and _plain(reader):
            group.cuts.append(Cut(reader, 0, -2, repeats))
            return None
        if kind == _FLATTEN and _plain(reader) and None not in source.output.shape[1:]:
            repeats *= math.prod(source.output.shape[1:-1])
        elif kind == _NORMALIZATION and _on_last_axis(reader, source):
            group.cuts += [Cut(reader, weight, 0, repeats) for weight in range(len(reader.weights))]
            if at_first and repeats == 1 and len(self.readers[id(source)]) == 1:
                group.normalization = reader
        elif kind == _DEPTHWISE and _plain(reader) and reader.depth_multiplier == 1:
            obstacle = _mixing(reader)
            if obstacle is not None:
                return obstacle
            group.cuts += [Cut(reader, 0, -2), *([Cut(reader, 1, 0)] if reader.use_bias else [])]
        elif kind == _ACTIVATION:
            obstacle = _mixing(reader)
            if obstacle is not None:
                return obstacle
        elif kind not in PASSING or not _plain(reader):
            return f"its channels meet {reader.name} ({type(reader).__name__})"
        return self._follow(group, reader, repeats, at_first=False)


def _plain(layer: Any) -> bool:
    return (
        type(layer).__module__.startswith("keras.")
        and getattr(layer, "data_format", "channels_last") == "channels_last"
        and getattr(layer, "groups", 1) == 1
        and getattr(layer, "quantization_mode", None) is None
        and not getattr(layer, "lora_enabled", False)
    )


def _shared(calls: dict[int, int], layer: Any) -> str | None:
    return None if calls[id(layer)] == 1 else f"{layer.name} is used {calls[id(layer)]} times"


def _mixing(layer: Any) -> str | None:
    """Why the activation of a layer does not compute each channel by itself, or None."""
    name = getattr(layer.activation, "__name__", type(layer.activation).__name__)
    return (
        None if name in ELEMENTWISE else f"the activation {name} of {layer.name} is none that is known to act by value"
    )


def _on_last_axis(layer: Any, source: Any) -> bool:
    return layer.axis in (-1, len(source.output.shape) - 1)
