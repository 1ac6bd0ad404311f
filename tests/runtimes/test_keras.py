from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgerig.runtimes.keras import Keras, KerasSettings
from edgerig.testing.contracts.runtime import RuntimeContract

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def keras_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from edgerig.models.keras.engine import import_keras, seeded
    from edgerig.models.keras.files import save_keras

    keras = import_keras()
    path = tmp_path_factory.mktemp("keras") / "net.keras"
    with seeded(1):
        image = keras.Input((6, 5, 2), name="image")
        hidden = keras.layers.Flatten()(keras.layers.Conv2D(3, 3, activation="relu")(image))
        outputs = [keras.layers.Dense(size, name=name)(hidden) for size, name in ((5, "first"), (2, "second"))]
        save_keras(keras.Model(image, outputs), path)
    return path


class TestKeras(RuntimeContract):
    @pytest.fixture
    def runtime(self):
        return Keras()

    @pytest.fixture
    def network(self, keras_file):
        return keras_file

    @pytest.fixture
    def network_of_several(self, tmp_path):
        from edgerig.models.keras.engine import import_keras, seeded
        from edgerig.models.keras.files import save_keras

        keras, path = import_keras(), tmp_path / "several.keras"
        with seeded(1):
            inputs = [keras.Input((size,), name=name) for name, size in (("left", 8), ("right", 6))]
            joined = keras.layers.Concatenate()(inputs)
            outputs = [keras.layers.Dense(size, name=name)(joined) for size, name in ((5, "first"), (2, "second"))]
            save_keras(keras.Model(inputs, outputs), path)
        return path

    @pytest.fixture
    def wrong_network(self, tmp_path):
        path = tmp_path / "wrong.keras"
        path.write_bytes(b"PK\x03\x04 not a network")
        return path

    def reference(self, path, inputs):
        import jax

        from edgerig.models.keras.files import load_keras

        model = load_keras(path)
        call = jax.jit(lambda x: model(x[0] if len(x) == 1 else x, training=False))
        samples = zip(*inputs, strict=True)
        rows = [[np.asarray(output) for output in call([value[None] for value in sample])] for sample in samples]
        return [np.concatenate(column) for column in zip(*rows, strict=True)]


def test_threads_that_cannot_be_set_are_refused() -> None:
    """XLA takes as many as it likes: numbers of others must not be told as those of two."""
    reason = Keras.refuses_settings(KerasSettings(threads=2))
    assert reason is not None
    assert "cannot be set" in reason
    assert Keras.refuses_settings(KerasSettings()) is None
