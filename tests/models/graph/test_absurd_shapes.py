"""Sizes that no tensor can have are refused by name, in TFLite and Keras files alike."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from edgerig.errors import ModelError
from edgerig.models.files import open_artifact
from edgerig.testing.networks.tflite_builder import TfliteBuilder

SHAPES = [(1, -4), (1, -(2**31)), (2**31 - 1, 2**31 - 1, 3), (1,) * 40]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_in_a_tflite_file(shape: tuple[int, ...], tmp_path: Path) -> None:
    net = TfliteBuilder()
    x, y = net.tensor("x", shape, "float32"), net.tensor("y", shape, "float32")
    net.operator("RELU", [x], [y])
    path = tmp_path / "net.tflite"
    path.write_bytes(net.build([x], [y]))
    with pytest.raises(ModelError, match=r"^net\.tflite.* has the shape \["):
        open_artifact(path)


def keras_file(path: Path, batch: list[Any], kind: str, **settings: Any) -> Path:
    layers = [
        {"class_name": "InputLayer", "config": {"name": "x", "batch_shape": batch, "dtype": "float32"}},
        {"class_name": kind, "config": {"name": "layer", "activation": "linear", "use_bias": True, **settings}},
    ]
    with zipfile.ZipFile(path, "w") as archive:
        model = {"class_name": "Sequential", "config": {"name": "net", "layers": layers}}
        archive.writestr("config.json", json.dumps(model))
        archive.writestr("model.weights.h5", b"")
    return path


CONV = {"filters": 4, "strides": [1, 1], "padding": "valid"}


@pytest.mark.parametrize(
    ("batch", "kind", "settings"),
    [
        ([None, -4], "Dense", {"units": 2}),
        ([None, 10**12], "Dense", {"units": 10**12}),
        ([None, 4], "Dense", {"units": -3}),
        ([None, "4"], "Dense", {"units": 3}),
        ([None, 4.5], "Dense", {"units": 3}),
        ([None, 4, 4, 1], "Conv2D", {**CONV, "kernel_size": [-3, -3]}),
        ([None, 4, 4, 1], "Conv2D", {**CONV, "kernel_size": [9, 9]}),
        ([None, 4, 4, 1], "Conv2D", {**CONV, "kernel_size": [3, 3], "strides": [0, 0]}),
        ([None, 4, 4, 1], "UpSampling2D", {"size": [10**9, 10**9]}),
        ([None, 4], "Reshape", {"target_shape": [-1, -1, 0]}),
    ],
)
def test_in_a_keras_file(batch: list[Any], kind: str, settings: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"^net\.keras") as caught:
        open_artifact(keras_file(tmp_path / "net.keras", batch, kind, **settings))
    assert caught.value.hint
