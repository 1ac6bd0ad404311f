"""Attention and layer normalization are written with operators that quantizers know, and compute the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.compilers.conftest import CLASSES

from edgerig.artifact import Artifact, Preprocessing
from edgerig.compilers.compression.prune import Prune, PruneSettings
from edgerig.compilers.float32 import Float32
from edgerig.compilers.qat.int8 import QatInt8, QatInt8Settings
from edgerig.compilers.quantize import Int8, Int8Settings
from edgerig.datasets.base import Dataset
from edgerig.models.files import open_artifact
from edgerig.models.graph.read import read_graph
from edgerig.models.keras.engine import import_keras, seeded
from edgerig.models.keras.files import load_keras


@pytest.fixture(scope="module")
def attention_net(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """Attention over the rows of a picture, a sum, a normalization of the channels, classes."""
    keras = import_keras()
    layers = keras.layers
    with seeded(2):
        inputs = keras.Input((12, 12, 1))
        rows = layers.Dense(8)(layers.Reshape((12, 12))(inputs))
        mixed = layers.MultiHeadAttention(2, 4)(rows, rows)
        x = layers.LayerNormalization()(layers.Add()([rows, mixed]))
        model = keras.Model(inputs, layers.Dense(4, activation="softmax")(layers.GlobalAveragePooling1D()(x)))
    path = tmp_path_factory.mktemp("attention") / "net.keras"
    model.save(path)
    return open_artifact(path, preprocessing=Preprocessing(scale=1 / 255), classes=CLASSES)


@pytest.fixture(scope="module")
def float_attention(attention_net: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return Float32().compile(attention_net, tmp_path_factory.mktemp("float"))


def test_the_float_network_computes_what_keras_computes(
    attention_net: Artifact, float_attention: Artifact, blobs: Dataset, run_litert: Callable[..., Any]
) -> None:
    graph = read_graph(Path(float_attention.path))
    operators = [operator.op for operator in graph.operators]
    assert operators.count("SOFTMAX") == 2
    assert not {"REDUCE_MAX", "NEG", "EXP"} & set(operators)
    used = {index for op in graph.operators for index in (*op.inputs, *op.outputs)}
    assert used >= {tensor.index for tensor in graph.tensors}, "nothing is left of what was taken out"
    inputs = blobs.split("test").inputs(slice(0, 20), attention_net.preprocessing)
    expected = np.asarray(load_keras(Path(attention_net.path))(inputs))
    np.testing.assert_allclose(run_litert(float_attention.path, inputs), expected, atol=1e-5)


@pytest.mark.slow
def test_it_is_quantized_pruned_or_not(
    attention_net: Artifact, blobs: Dataset, tmp_path: Path, run_litert: Callable[..., Any]
) -> None:
    pruned = Prune(PruneSettings(share=0.3, epochs=0)).compile(attention_net, tmp_path / "pruned", blobs)
    inputs = blobs.split("test").inputs(slice(0, 60), attention_net.preprocessing)
    for number, artifact in enumerate((attention_net, pruned)):
        floats = Float32().compile(artifact, tmp_path / f"float{number}")
        int8 = Int8(Int8Settings(input_type="float32", output_type="float32", calibration_samples=60))
        quantized = int8.compile(floats, tmp_path / f"int8{number}", blobs)
        assert quantized.scheme == "int8"
        before, after = (run_litert(each.path, inputs) for each in (floats, quantized))
        np.testing.assert_allclose(after, before, atol=0.05)


@pytest.mark.slow
def test_it_is_trained_as_integers(
    attention_net: Artifact, blobs: Dataset, tmp_path: Path, run_litert: Callable[..., Any]
) -> None:
    """The converter computes the rows' dense layer twice: its kernel is trained as one."""
    settings = QatInt8Settings(input_type="float32", output_type="float32", epochs=2, learning_rate=5e-3)
    floats = Float32().compile(attention_net, tmp_path)
    compiled = QatInt8(settings).compile(floats, tmp_path, blobs)
    record = compiled.origins[-1].options
    before, *trained = record["validation"]
    assert record["best_epoch"] > 0
    assert max(epoch["value"] for epoch in trained) >= before["value"]
    kernels = [op.inputs[1] for op in read_graph(Path(floats.path)).operators if op.op == "FULLY_CONNECTED"]
    assert len(set(kernels)) < len(kernels)
    samples = blobs.split("validation")
    outputs = run_litert(compiled.path, samples.inputs(slice(None), attention_net.preprocessing))
    right = (outputs.argmax(-1) == samples.labels).mean()
    best = record["validation"][record["best_epoch"]]
    assert right == pytest.approx(best["value"], abs=0.05)
