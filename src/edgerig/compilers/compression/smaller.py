"""A Keras network with fewer channels, of the layers of another one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.compilers.compression.channel_groups import WIDTHS, ChannelGroup, channel_groups
from edgerig.models.keras.engine import import_keras, seeded

Indices = NDArray[np.int64]


def weakest_removed(group: ChannelGroup, share: float) -> Indices:
    """The channels that remain, ascending, once those of the least norm are removed: at most ``share`` of them, and
    never all. Of equal norms the later channel remains."""
    # The sum of binary fractions may lie a hair below a whole number: 0.3 of 10 channels are 3.
    removed = min(int(share * group.channels + 1e-9), group.channels - 1)
    order = np.argsort(group.norms(), kind="stable")
    return np.sort(order[removed:]).astype(np.int64)


def without_channels(model: Any, remaining: Mapping[str, Indices], groups: Iterable[ChannelGroup]) -> Any:
    """A new model like ``model`` in which the layers named in ``remaining`` have only these output channels.

    Args:
        model: A built Sequential or Functional model; it is left as it is.
        remaining: Indices of the channels that remain, ascending, by the name of the layer that gives them.
        groups: Those of `channel_groups` of ``model``.
    """
    config = model.get_config()
    for entry in config["layers"]:
        # What it holds is the old shape of the layer's input.
        entry.pop("build_config", None)
        name = entry["config"].get("name")
        if name in remaining:
            entry["config"][WIDTHS[entry["class_name"]]] = len(remaining[name])
    config.pop("build_input_shape", None)
    weights = {layer.name: layer.get_weights() for layer in model.layers}
    for group in groups:
        if group.layer.name not in remaining:
            continue
        for cut in group.cuts:
            indices = _repeated(remaining[group.layer.name], group.channels, cut.repeats)
            arrays = weights[cut.layer.name]
            arrays[cut.weight] = np.take(arrays[cut.weight], indices, axis=cut.axis)
    with seeded(0):
        smaller = type(model).from_config(config)
    for layer in smaller.layers:
        layer.set_weights(weights[layer.name])
    for layer in smaller._flatten_layers(include_self=False):
        if type(layer) is import_keras().layers.Normalization:
            layer.finalize_state()
    return smaller


def _repeated(indices: Indices, channels: int, repeats: int) -> Indices:
    """The indices along an axis on which all channels come ``repeats`` times one after another."""
    repeated: Indices = (np.arange(repeats, dtype=np.int64)[:, None] * channels + indices).reshape(-1)
    return repeated


def pruned(model: Any, share: float) -> tuple[Any, dict[str, tuple[int, int]], dict[str, str]]:
    """``model`` without the weakest ``share`` of channels of each layer where the graph allows it.

    Returns:
        The new model; channels before and after, by layer; and why the others were left alone, by layer.
    """
    groups = channel_groups(model)
    free = [group for group in groups if group.obstacle is None]
    remaining = {group.layer.name: weakest_removed(group, share) for group in free}
    widths = {group.layer.name: (group.channels, len(remaining[group.layer.name])) for group in free}
    obstacles = {group.layer.name: group.obstacle for group in groups if group.obstacle is not None}
    return without_channels(model, remaining, groups), widths, obstacles
