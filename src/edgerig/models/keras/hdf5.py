"""Keras models from HDF5 files (.h5), with each weight assigned by name."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from edgerig.errors import ModelError
from edgerig.models.graph.keras_legacy import legacy_config


def load_hdf5(keras: Any, data: bytes, path: Path, custom: dict[str, Any]) -> Any:
    """The uncompiled Keras model of the .h5 file ``path`` with the content ``data``.

    Keras assigns layers by their order in the file, which may differ from the order of the layers in the model. So the
    weights are assigned again, by their layers' names.

    Args:
        keras: The module. data: The file's content. path: Its path, for messages.
        custom: Classes and functions of the user's, by name.

    Raises:
        ModelError: It is no such file, or its weights do not belong to its layers.
    """
    import h5py

    config = legacy_config(data, path.name)
    with tempfile.TemporaryDirectory(prefix="edgerig-keras-") as folder:
        copy = Path(folder) / "model.h5"
        copy.write_bytes(data)
        with h5py.File(copy, "r+") as file:
            if "model_weights" not in file:
                raise ModelError(f"{path.name} holds no weights.", "Save the whole model: model.save('x.keras').")
            for name in ("training_config", "model_config"):
                file.attrs.pop(name, None)
            text = json.dumps(config).encode()
            # Long attributes are stored apart from the object that they belong to.
            file.attrs.create("model_config", np.bytes_(text), dtype=h5py.string_dtype("utf-8"))
        model = keras.models.load_model(copy, custom_objects=custom, compile=False, safe_mode=True)
        with h5py.File(copy, "r") as file:
            _set_weights(model, file["model_weights"], path.name)
    return model


def _set_weights(model: Any, groups: Any, file: str) -> None:
    for layer in model.layers:
        variables = [*layer.trainable_weights, *layer.non_trainable_weights]
        if not variables:
            continue
        names, values = _stored(groups, layer.name)
        if [value.shape for value in values] != [tuple(variable.shape) for variable in variables]:
            variables = _by_name(names, variables)
        elif len(set(map(_key, names))) == len(names):
            variables = _by_name(names, variables) or variables
        if [value.shape for value in values] != [tuple(variable.shape) for variable in variables]:
            raise ModelError(f"{file}: the weights of layer {layer.name!r} are not those of such a layer.")
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)


def _stored(groups: Any, layer: str) -> tuple[list[str], list[Any]]:
    """Names and values of a layer's weights in the file, in its order."""
    if layer not in groups:
        return [], []
    group = groups[layer]
    attributes = group.attrs
    if "weight_names" in attributes:
        stored = list(attributes["weight_names"])
    else:
        # A list that is too long for one attribute is split over several.
        parts = sorted((key for key in attributes if key.startswith("weight_names")), key=lambda key: int(key[12:]))
        stored = [name for part in parts for name in attributes[part]]
    names = [name.decode() if isinstance(name, bytes) else str(name) for name in stored]
    return names, [np.asarray(group[name]) for name in names]


def _by_name(names: list[str], variables: list[Any]) -> list[Any]:
    """The variables in the order of ``names``; empty where the names are not unique."""
    known = {_key(variable.path): variable for variable in variables}
    keys = [_key(name) for name in names]
    if len(known) != len(variables) or Counter(keys) != Counter(known.keys()):
        return []
    return [known[key] for key in keys]


def _key(name: str) -> tuple[str, ...]:
    """Layer and name of a weight: ``net/conv_1/kernel:0`` gives ``("conv_1", "kernel")``."""
    return tuple(name.partition(":")[0].split("/")[-2:])
