"""The MNIST network of the STM32 article, untrained, in each format."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgerig.testing.networks import dense_tflite


@pytest.fixture(scope="session")
def mnist_keras(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from edgerig.models.keras.engine import import_keras, seeded

    keras = import_keras()
    layers, some = keras.layers, {"bias_initializer": "random_normal"}
    with seeded(1):
        model = keras.Sequential(
            [
                keras.Input((28, 28, 1)),
                layers.Conv2D(32, 3, activation="relu", **some),
                layers.MaxPooling2D(),
                layers.Conv2D(64, 3, activation="relu", **some),
                layers.MaxPooling2D(),
                layers.Conv2D(64, 3, activation="relu", **some),
                layers.Flatten(),
                layers.Dense(64, activation="relu", **some),
                layers.Dense(10, activation="softmax", **some),
            ]
        )
    path = tmp_path_factory.mktemp("mnist") / "mnist.keras"
    model.save(path)
    return path


@pytest.fixture(scope="session")
def mnist_tflite(mnist_keras: Path) -> Path:
    from edgerig.compilers.float32 import convert_keras

    path = mnist_keras.with_suffix(".tflite")
    path.write_bytes(convert_keras(mnist_keras))
    return path


@pytest.fixture(scope="session")
def mnist_onnx(mnist_tflite: Path) -> Path:
    from edgerig.compilers.onnx import float_onnx
    from edgerig.models.files import open_artifact

    path = mnist_tflite.with_suffix(".onnx")
    path.write_bytes(float_onnx(open_artifact(mnist_tflite)))
    return path


@pytest.fixture(scope="session")
def tiny_tflite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dense layer and a softmax in about 2 kB, for tests that break every byte of it."""
    return dense_tflite(tmp_path_factory.mktemp("tiny") / "tiny.tflite")
