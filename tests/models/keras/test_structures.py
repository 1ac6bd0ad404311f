"""Keras models that take or give dicts: order and names are those of Keras, whatever order the dict was written in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import edgerig
from edgerig.compilers.float32 import Float32
from edgerig.errors import UnknownNameError
from edgerig.models.files import open_artifact
from edgerig.models.keras.engine import import_keras, seeded
from edgerig.results.bundle import Bundle
from edgerig.runtimes.base import Runtime
from edgerig.runtimes.keras import Keras
from edgerig.runtimes.litert import LiteRt

X = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
Z = np.random.default_rng(1).normal(size=(30, 3)).astype(np.float32)
QUICK = {"warmup": 1, "rounds": 1, "seconds": 0, "profile": False, "transport_samples": 2}
#: What each file holds: its inputs, and its outputs in the order of Keras.
STRUCTURES = {
    "dict-out": (("x",), ("a", "b")),
    "dict-in": (("x", "z"), ("c",)),
    "both": (("x", "z"), ("a", "c")),
    "nested": (("x",), ("b", "a", "a2")),
    "list": (("x",), ("b", "a")),
    "one": (("x",), ("a",)),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file for each of `STRUCTURES`, all of the same layers a (2), a2 (2), b (3) and c (2)."""
    keras, folder = import_keras(), tmp_path_factory.mktemp("structures")
    with seeded(3):
        x, z = keras.Input((4,), name="x"), keras.Input((3,), name="z")
        layers = {name: keras.layers.Dense(n, name=name)(x) for name, n in {"a": 2, "a2": 2, "b": 3}.items()}
        layers["c"] = keras.layers.Dense(2, name="c")(keras.layers.Concatenate()([x, z]))
    a, a2, b, c = layers.values()
    models = {
        # Keras sorts keys: neither order nor names are those in which the dict is written.
        "dict-out": (x, {"second": b, "first": a}),
        "dict-in": ({"z": z, "x": x}, c),
        "both": ({"z": z, "x": x}, {"p": c, "o": a}),
        "nested": (x, {"q": [a, {"r": a2}], "p": b}),
        "list": (x, [b, a]),
        "one": (x, {"only": a}),
    }
    for name, (inputs, outputs) in models.items():
        keras.Model(inputs, outputs).save(folder / f"{name}.keras")
    return folder


def expected(folder: Path) -> dict[str, NDArray[Any]]:
    """The output of each layer, by its weights."""
    keras, values = import_keras(), {}
    for name in ("nested", "both"):
        model = keras.models.load_model(folder / f"{name}.keras")
        for layer in model.layers:
            if layer.weights:
                kernel, bias = (weight.numpy() for weight in layer.weights)
                values[layer.name] = (np.concatenate([X, Z], axis=1) if layer.name == "c" else X) @ kernel + bias
    return values


def outputs_of(runtime: Runtime, path: Path, inputs: tuple[str, ...]) -> list[NDArray[Any]]:
    with runtime:
        runtime.load(path)
        given = {"x": X, "z": Z, "input": X}
        assert [spec.name for spec in runtime.inputs] in (list(inputs), ["input"])
        return list(runtime.run([given[spec.name] for spec in runtime.inputs]).outputs)


@pytest.mark.parametrize("name", STRUCTURES)
def test_each_output_is_the_layer_that_its_name_says(name: str, folder: Path, tmp_path: Path) -> None:
    path, (inputs, outputs), values = folder / f"{name}.keras", STRUCTURES[name], expected(folder)
    artifact = open_artifact(path)
    assert tuple(spec.name for spec in artifact.inputs) == inputs
    assert tuple(spec.name for spec in artifact.outputs) == outputs
    compiled = Float32().compile(artifact, tmp_path)
    assert tuple(spec.name for spec in compiled.outputs) in (outputs, ("output",))
    predict = artifact.file_format.predictor(path)
    by_framework = predict(X if len(inputs) == 1 else [X, Z])
    by_keras = outputs_of(Keras(), path, inputs)
    by_litert = outputs_of(LiteRt(), Path(compiled.path), inputs)
    for results in (by_framework, by_keras, by_litert):
        assert len(results) == len(outputs)
        for result, layer in zip(results, outputs, strict=True):
            np.testing.assert_allclose(result, values[layer], atol=1e-5)


@pytest.mark.slow
def test_a_named_output_of_a_dict_is_judged_and_compared_with_itself(folder: Path, tmp_path: Path) -> None:
    labels = expected(folder)["b"].argmax(axis=1)
    arrays = {f"{name}_{part}": array for name, array in {"x": X, "y": labels}.items() for part in ("train", "test")}
    np.savez(tmp_path / "d.npz", **arrays, classes=np.array(list("pqr")))
    rig = {
        "name": "t",
        "model": {"file": str(folder / "dict-out.keras"), "output": "b"},
        "dataset": {"use": "npz", "file": str(tmp_path / "d.npz")},
        "matrix": [{"compilers": ["float32"], "runtimes": ["litert"]}],
        "measure": QUICK,
    }
    (cell,) = edgerig.run(rig, out=tmp_path / "out").cells
    assert cell.quality.metrics[0].value == 1.0
    assert cell.quality.output == "b"
    assert cell.agreement.max_abs_error < 1e-5  # type: ignore[union-attr]
    scores = Bundle(tmp_path / "out").samples(cell.id)["scores"]
    np.testing.assert_allclose(scores, expected(folder)["b"], atol=1e-5)
    with pytest.raises(UnknownNameError, match="second") as caught:
        edgerig.run({**rig, "model": rig["model"] | {"output": "second"}}, out=tmp_path / "key")  # type: ignore[operator]
    assert "b" in str(caught.value)
