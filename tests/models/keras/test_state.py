"""Networks whose layers keep something: predictions depend on the inputs alone, and recurrent layers convert."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgerig.compilers.float32 import Float32
from edgerig.models.files import open_artifact
from edgerig.models.keras.engine import import_keras, seeded
from edgerig.runtimes.litert import LiteRt

X = np.random.default_rng(0).normal(size=(6, 5, 3)).astype(np.float32)
OWN_LAYER = """
import keras

class Counting(keras.layers.Layer):
    def build(self, shape):
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False, name="calls")

    def call(self, values):
        self.calls.assign(self.calls + 1)
        return values + self.calls
"""


def saved(path: Path, *layers: Any, batch: int | None = None) -> Path:
    keras = import_keras()
    keras.Sequential([keras.Input(batch_shape=(batch, 5, 3)), *layers]).save(path)
    return path


@pytest.mark.slow
def test_a_stateful_network_is_predicted_in_any_order(tmp_path: Path) -> None:
    keras = import_keras()
    with seeded(1):
        stateful = keras.layers.LSTM(4, stateful=True)
    with seeded(1):
        stateless = keras.layers.LSTM(4)
    path = saved(tmp_path / "net.keras", stateful, batch=2)
    predict = open_artifact(path).file_format.predictor(path)
    forward = [predict(X[start : start + 2])[0] for start in (0, 2, 4)]
    backward = [predict(X[start : start + 2])[0] for start in (4, 2, 0)]
    np.testing.assert_array_equal(forward, backward[::-1])
    plain = saved(tmp_path / "plain.keras", stateless)
    whole = open_artifact(plain).file_format.predictor(plain)(X)[0]
    np.testing.assert_allclose(np.concatenate(forward), whole, rtol=0, atol=1e-6)


def test_what_a_layer_of_the_users_own_counts_is_lost_between_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgerig.formats import named

    (tmp_path / "counting_layer.py").write_text(OWN_LAYER)
    monkeypatch.syspath_prepend(tmp_path)
    import counting_layer

    path = saved(tmp_path / "own.keras", counting_layer.Counting())
    format = named("keras", {"custom": "counting_layer"})
    predict = format.predictor(path)
    for batch in (1, 2, 6):
        parts = [predict(X[start : start + batch])[0] for start in range(0, 6, batch)]
        np.testing.assert_array_equal(np.concatenate(parts), X + 1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "Bidirectional", "ConvLSTM1D"])
def test_recurrent_layers_convert(kind: str, tmp_path: Path) -> None:
    layers = import_keras().layers
    if kind == "ConvLSTM1D":
        shaped = [layers.Reshape((5, 3, 1)), layers.ConvLSTM1D(2, 2, stateful=False)]
    elif kind == "Bidirectional":
        shaped = [layers.Bidirectional(layers.SimpleRNN(4, return_sequences=True))]
    else:
        shaped = [getattr(layers, kind)(4)]
    path = saved(tmp_path / "net.keras", *shaped)
    artifact = open_artifact(path)
    compiled = Float32().compile(artifact, tmp_path / "out")
    with LiteRt() as runtime:
        runtime.load(Path(compiled.path))
        (outputs,) = runtime.run([X]).outputs
    expected = artifact.file_format.predictor(path)(X)[0]
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-6)
