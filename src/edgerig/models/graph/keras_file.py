"""Keras files, read without Keras: layers and shapes come from the configuration in a .keras or .h5 file."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from edgerig.artifact import TensorSpec
from edgerig.errors import ModelError
from edgerig.models.graph.keras_legacy import is_hdf5, legacy_config
from edgerig.models.graph.keras_reader import MODELS, KerasReader, corrupt
from edgerig.models.graph.keras_types import Config
from edgerig.models.graph.types import Graph

MAX_CONFIG_BYTES = 64 << 20


def read_keras(data: bytes, path: Path, ask: Callable[[], Sequence[TensorSpec]] | None = None) -> Graph:
    """The layers of the .keras or .h5 file with the content ``data`` as operators; batch size 1.

    Weights have the shapes that the configuration implies, and no content. Layers of unknown kinds are
    named in the metadata under ``unknown_layers``; their weights are not known.

    Args:
        ask: Has Keras itself tell the outputs; called where their shapes are not known otherwise, and no layer is of
            the user's own.

    Raises:
        ModelError: It is not a .keras file of a Sequential or Functional model, or is corrupt.
    """
    config = _config(data, path)
    reader = KerasReader(path.name)
    try:
        graph = reader.graph(config)
    except ModelError:
        raise
    except Exception as error:
        raise corrupt(path.name, "its layers do not fit together") from error
    unknown = [graph.tensors[index].unknown_shape for index in (*graph.inputs, *graph.outputs)]
    askable = any(unknown) and not any(unknown[: len(graph.inputs)]) and not reader.foreign
    return _with_outputs(graph, ask()) if ask is not None and askable else graph


def _with_outputs(graph: Graph, outputs: Sequence[TensorSpec]) -> Graph:
    """``graph`` with these shapes and types of its outputs; -1 is an axis that is still open."""
    tensors = list(graph.tensors)
    for index, spec in zip(graph.outputs, outputs, strict=True):
        if -1 not in spec.shape:
            tensors[index] = msgspec.structs.replace(
                tensors[index], shape=spec.shape, dtype=spec.dtype, unknown_shape=False
            )
    return msgspec.structs.replace(graph, tensors=tuple(tensors))


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
                raise corrupt(path.name, "its config.json is too long")
            content = archive.read("config.json")
            if "model.weights.h5" not in archive.namelist():
                raise corrupt(path.name, "it holds no weights")
    except ModelError:
        raise
    except Exception as error:
        raise corrupt(path.name, "it is no ZIP archive with a config.json, or is damaged") from error
    try:
        config: Config = json.loads(content)
        config["class_name"]
    except Exception as error:
        raise corrupt(path.name, "its config.json does not describe a model") from error
    return config
