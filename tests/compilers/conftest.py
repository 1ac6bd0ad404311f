"""A small Keras network with random weights, made once, and what the compilers make of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgerig.artifact import Artifact, Preprocessing
from edgerig.datasets.base import Dataset, Samples
from edgerig.datasets.npz import Npz, NpzSettings
from edgerig.models.files import open_artifact

CLASSES = tuple("abcd")


class Pictures(Samples):
    """Small pictures kept in memory."""

    def __init__(self, pictures: NDArray[Any], labels: NDArray[np.int64]) -> None:
        self.pictures, self.labels = pictures, labels
        self.fingerprint = "0" * 64

    def raw(self, index: int) -> NDArray[Any]:
        return self.pictures[index]

    def inputs(self, indices: NDArray[np.int64] | slice, preprocessing: Preprocessing) -> NDArray[np.float32]:
        return (self.pictures[indices] * np.float32(preprocessing.scale)).astype(np.float32)

    def take(self, indices: NDArray[np.int64]) -> Samples:
        return Pictures(self.pictures[indices], self.labels[indices])


class Blobs(Dataset):
    """Four kinds of 12x12 pictures: a bright quarter each, on noise."""

    name = "blobs"
    summary = "bright quarters"

    def __init__(self, settings: Any = None, *, spoil: float | None = None, shape: tuple[int, ...] = (12, 12, 1)):
        super().__init__(settings)
        self.spoil, self.shape = spoil, shape

    @property
    def classes(self) -> tuple[str, ...]:
        return CLASSES

    @property
    def preprocessing(self) -> Preprocessing:
        return Preprocessing(scale=1 / 255)

    def _prepare(self, progress: Any) -> None: ...

    def _split(self, name: str) -> Samples:
        rng = np.random.default_rng({"train": 1, "validation": 2, "test": 3}[name])
        labels = np.arange(240, dtype=np.int64) % 4
        pictures = rng.integers(0, 120, (240, *self.shape)).astype(np.float32)
        half_h, half_w = self.shape[0] // 2, self.shape[1] // 2
        for picture, label in zip(pictures, labels, strict=True):
            top, left = divmod(int(label), 2)
            picture[top * half_h : (top + 1) * half_h, left * half_w : (left + 1) * half_w] += 60
        if self.spoil is not None:
            pictures[:, 3, 3, 0] = self.spoil
        return Pictures(pictures, labels)


@pytest.fixture(scope="session")
def blobs() -> Dataset:
    return Blobs()


@pytest.fixture(scope="session")
def blobs_with() -> Callable[..., Dataset]:
    """Makes the same dataset with a spoilt pixel (``spoil=nan``) or another shape."""
    return Blobs


@pytest.fixture(scope="session")
def keras_net(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """A convolutional network (batch norm, depthwise, pooling, dense, softmax), 12x12x1 to 4 classes."""
    from edgerig.models.keras.engine import import_keras, seeded

    keras = import_keras()
    layers = keras.layers
    with seeded(7):
        model = keras.Sequential(
            [
                keras.Input((12, 12, 1)),
                layers.Conv2D(8, 3, activation="relu", bias_initializer="random_normal"),
                layers.DepthwiseConv2D(3, padding="same", use_bias=False),
                layers.BatchNormalization(beta_initializer="random_normal"),
                layers.ReLU(),
                layers.MaxPooling2D(),
                layers.Flatten(),
                layers.Dense(16, activation="relu", bias_initializer="random_normal"),
                layers.Dense(4, activation="softmax", bias_initializer="random_normal"),
            ]
        )
    path = tmp_path_factory.mktemp("keras") / "net.keras"
    model.save(path)
    return open_artifact(path, preprocessing=Preprocessing(scale=1 / 255), classes=CLASSES)


@pytest.fixture(scope="session")
def float_net(keras_net: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """The same network as float TFLite."""
    from edgerig.compilers.float32 import Float32

    return Float32().compile(keras_net, tmp_path_factory.mktemp("float"))


@pytest.fixture(scope="session")
def onnx_net(float_net: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """The same network as float ONNX."""
    from edgerig.compilers.onnx import Onnx

    return Onnx().compile(float_net, tmp_path_factory.mktemp("onnx"))


@pytest.fixture(scope="session")
def run_litert() -> Callable[..., NDArray[np.float32]]:
    """Runs a TFLite file on float inputs, quantizing at the boundary by the file's own scales.

    ``run(path, inputs, reference=False, raw=False)``, a path or a file's bytes: (n, ...) float32 to
    (n, classes), float32, or the file's own numbers with ``raw``; ``reference`` takes LiteRT's reference kernels.
    """

    def run(path: str | Path | bytes, inputs: NDArray[Any], reference: bool = False, raw: bool = False) -> NDArray[Any]:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        kind = OpResolverType.BUILTIN_REF if reference else OpResolverType.AUTO
        file = {"model_content": path} if isinstance(path, bytes) else {"model_path": str(path)}
        interpreter = Interpreter(**file, num_threads=1, experimental_op_resolver_type=kind)
        interpreter.allocate_tensors()
        (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
        results = []
        for sample in inputs:
            interpreter.set_tensor(source["index"], _to(sample[None], source))
            interpreter.invoke()
            result = interpreter.get_tensor(target["index"])[0]
            results.append(result if raw else _from(result, target))
        return np.stack(results)

    return run


def _to(values: NDArray[np.float32], detail: dict[str, Any]) -> NDArray[Any]:
    if detail["dtype"] == np.float32:
        return values.astype(np.float32)
    scale, zero = detail["quantization"]
    limits = np.iinfo(detail["dtype"])
    return np.clip(np.round(values / scale) + zero, limits.min, limits.max).astype(detail["dtype"])


def _from(values: NDArray[Any], detail: dict[str, Any]) -> NDArray[np.float32]:
    if values.dtype == np.float32:
        return values
    scale, zero = detail["quantization"]
    return (values.astype(np.float32) - zero) * np.float32(scale)


@pytest.fixture(scope="module")
def left_and_right(tmp_path_factory: pytest.TempPathFactory) -> Npz:
    """Two inputs of different ranges, in an order other than the network's."""
    rng = np.random.default_rng(0)
    right, left = rng.uniform(-3, 3, (60, 6)), rng.uniform(-1, 1, (60, 8))
    path = tmp_path_factory.mktemp("several") / "d.npz"
    arrays = {"x_right": right.astype(np.float32), "x_left": left.astype(np.float32), "y": np.arange(60) % 2}
    np.savez(path, **{f"{name}_{part}": array for name, array in arrays.items() for part in ("train", "test")})
    return Npz(NpzSettings(file=str(path)))
