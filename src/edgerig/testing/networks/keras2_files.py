"""Files as Keras 2 wrote them (model.save("x.h5")), composed from configuration and weights."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Weights = Mapping[str, Sequence[tuple[str, NDArray[np.float32]]]]


def write_keras2(path: Path, config: dict[str, Any], weights: Weights, version: str = "2.11.0") -> Path:
    """A .h5 file of Keras 2.

    Args:
        path: The path to write to.
        config: ``{"class_name": "Sequential", "config": ...}``.
        weights: For each layer, in the order of the file, names such as ``conv/kernel:0`` and values.
        version: The version of Keras that the file states.
    """
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["backend"], file.attrs["keras_version"] = np.bytes_(b"tensorflow"), np.bytes_(version.encode())
        file.attrs["model_config"] = np.bytes_(json.dumps(config).encode())
        file.attrs["training_config"] = np.bytes_(b'{"loss": "mse", "optimizer_config": {"class_name": "Adam"}}')
        groups = file.create_group("model_weights")
        groups.attrs["layer_names"] = [name.encode() for name in weights]
        groups.attrs["backend"], groups.attrs["keras_version"] = b"tensorflow", version.encode()
        for layer, content in weights.items():
            group = groups.create_group(layer)
            group.attrs["weight_names"] = [name.encode() for name, _ in content]
            for name, value in content:
                group.create_dataset(name, data=value)
    return path


def layer(kind: str, name: str, **settings: Any) -> dict[str, Any]:
    """A layer's configuration with what Keras 2 wrote for all of them."""
    config = {"name": name, "trainable": True, "dtype": "float32", **settings}
    if kind in _WITH_KERNEL:
        config |= {
            "use_bias": settings.get("use_bias", True),
            "kernel_regularizer": None,
            "bias_regularizer": None,
            "activity_regularizer": None,
            "kernel_constraint": None,
            "bias_constraint": None,
            "kernel_initializer": {
                "class_name": "VarianceScaling",
                "config": {
                    "scale": 1.0,
                    "mode": "fan_avg",
                    "distribution": "uniform",
                    "seed": None,
                    "dtype": "float32",
                },
            },
            "bias_initializer": {"class_name": "Zeros", "config": {"dtype": "float32"}},
        }
    return {"class_name": kind, "config": config}


_WITH_KERNEL = frozenset({"Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Conv2DTranspose", "Dense"})
#: What Keras 2 wrote for two-dimensional convolutions.
CONVOLUTION: dict[str, Any] = {
    "strides": [1, 1],
    "padding": "same",
    "data_format": "channels_last",
    "dilation_rate": [1, 1],
    "groups": 1,
    "activation": "linear",
}


def functional(layers: Sequence[tuple[dict[str, Any], Sequence[str]]], outputs: Sequence[str]) -> dict[str, Any]:
    """The configuration of a functional model: layers, each with the names of the layers before it."""
    listed = []
    for config, before in layers:
        nodes = [[[name, 0, 0, {}] for name in before]] if before else []
        listed.append({**config, "name": config["config"]["name"], "inbound_nodes": nodes})
    inputs = [config["config"]["name"] for config, before in layers if not before]
    return {
        "class_name": "Functional",
        "config": {
            "name": "model",
            "layers": listed,
            "input_layers": [[name, 0, 0] for name in inputs],
            "output_layers": [[name, 0, 0] for name in outputs],
        },
    }
