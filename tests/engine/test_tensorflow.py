"""Cells on TensorFlow, in a module of their own: a process that imports TensorFlow has Keras with its backend alone."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from tests.needs import need_tensorflow

import edgerig
from edgerig.bounded import isolated
from edgerig.errors import ModelError
from edgerig.measure.census import Census

need_tensorflow()
pytestmark = pytest.mark.slow


@pytest.mark.skipif(importlib.util.find_spec("keras") is None, reason="Keras is not installed")
def test_keras_file_runs_on_tensorflow_as_on_jax(tmp_path: Path) -> None:
    path = tmp_path / "net.keras"
    isolated("writing a network", ModelError, _write_keras, path)
    rig = {
        "name": "t",
        "model": {"file": str(path)},
        "dataset": {"use": "random", "shape": [6, 5, 2], "samples": 10},
        "matrix": [{"runtimes": ["savedmodel", "keras"]}],
        "measure": {"rounds": 1, "seconds": 0, "warmup": 1, "profile": False, "transport_samples": 0},
    }
    for cell in edgerig.run(rig, out=tmp_path / "out").cells:
        assert cell.agreement.max_abs_error < 1e-5
        assert isinstance(cell.census, Census)


def _write_keras(path: Path) -> None:
    from edgerig.models.keras.engine import import_keras, seeded
    from edgerig.models.keras.files import save_keras

    keras = import_keras()
    with seeded(1):
        image = keras.Input((6, 5, 2), name="image")
        hidden = keras.layers.Flatten()(keras.layers.Conv2D(3, 3, activation="relu")(image))
        save_keras(keras.Model(image, keras.layers.Dense(5, name="scores")(hidden)), path)
