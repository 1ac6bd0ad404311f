"""Whole networks to ONNX, and what is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from edgerig.artifact import Artifact
from edgerig.compilers.onnx import Onnx
from edgerig.errors import IncompatibleError, ModelError
from edgerig.models.files import open_artifact


def run_onnx(path: str, inputs: Any) -> Any:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: sample[None]})[0] for sample in inputs])


def operators(path: str) -> Counter[str]:
    import onnx

    return Counter(node.op_type for node in onnx.load(path).graph.node)


def unet(keras: Any) -> Any:
    layers = keras.layers
    x = image = keras.Input((16, 16, 3))
    left = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    down = layers.Conv2D(6, 3, padding="same", activation="relu")(layers.MaxPooling2D()(left))
    up = layers.UpSampling2D(interpolation="bilinear")(down)
    turned = layers.Conv2DTranspose(5, 2, strides=2)(down)
    x = layers.Concatenate()([left, up, turned])
    return keras.Model(image, layers.Conv2D(2, 1)(x))


def resnet(keras: Any) -> Any:
    layers = keras.layers
    x = image = keras.Input((16, 16, 3))
    for filters, stride in ((8, 1), (12, 2)):
        short = x
        x = layers.Conv2D(filters, 3, strides=stride, padding="same")(x)
        x = layers.ReLU()(layers.BatchNormalization(beta_initializer="random_normal")(x))
        x = layers.Conv2D(filters, 3, padding="same")(x)
        x = layers.ReLU()(layers.Add()([x, layers.Conv2D(filters, 1, strides=stride, padding="same")(short)]))
    return keras.Model(image, layers.Dense(5, activation="softmax")(layers.GlobalAveragePooling2D()(x)))


def mobile(keras: Any) -> Any:
    layers = keras.layers
    x = image = keras.Input((17, 17, 3))
    x = layers.ReLU(6.0)(layers.Conv2D(8, 3, strides=2, padding="same")(x))
    y = layers.ReLU(6.0)(layers.DepthwiseConv2D(3, padding="same")(layers.Conv2D(16, 1)(x)))
    x = layers.Add()([x, layers.Conv2D(8, 1)(y)])
    x = layers.DepthwiseConv2D(3, strides=2)(layers.ZeroPadding2D(((0, 1), (0, 1)))(x))
    return keras.Model(image, layers.Dense(2)(layers.Flatten()(layers.AveragePooling2D(2)(x))))


def autoencoder(keras: Any) -> Any:
    layers = keras.layers
    x = signal = keras.Input((40,))
    for units in (16, 4, 16):
        x = layers.Dense(units, activation="relu", bias_initializer="random_normal")(x)
    return keras.Model(signal, layers.Dense(40)(x))


def spectrum(keras: Any) -> Any:
    layers = keras.layers
    x = signal = keras.Input((30, 4))
    x = layers.Conv1D(6, 5, activation="tanh")(x)
    x = layers.Conv1D(6, 3, padding="same", activation="gelu")(x)
    return keras.Model(signal, layers.Dense(3, activation="sigmoid")(layers.GlobalMaxPooling1D()(x)))


@pytest.mark.slow
@pytest.mark.parametrize("build", [unet, resnet, mobile, autoencoder, spectrum])
def test_architectures_compute_the_same_in_onnx(
    build: Callable[[Any], Any], tmp_path: Path, run_litert: Callable[..., Any]
) -> None:
    from edgerig.compilers.float32 import Float32
    from edgerig.models.keras.engine import import_keras, seeded

    with seeded(3):
        build(import_keras()).save(tmp_path / "net.keras")
    float_net = Float32().compile(open_artifact(tmp_path / "net.keras"), tmp_path)
    made = Onnx().compile(float_net, tmp_path)
    inputs = np.random.default_rng(0).normal(0, 1, (5, *made.inputs[0].shape[1:])).astype(np.float32)
    expected = run_litert(float_net.path, inputs)
    assert np.ptp(expected) > 1e-3, "a network whose output does not vary would prove nothing"
    np.testing.assert_allclose(run_onnx(made.path, inputs), expected, atol=1e-5)


def test_a_network_in_onnx_agrees_with_litert(
    float_net: Artifact, tmp_path: Path, run_litert: Callable[..., Any]
) -> None:
    made = Onnx().compile(float_net, tmp_path)
    inputs = np.random.default_rng(0).random((20, 12, 12, 1)).astype(np.float32)
    expected = run_litert(float_net.path, inputs)
    assert np.ptp(expected) > 1e-3
    np.testing.assert_allclose(run_onnx(made.path, inputs), expected, atol=1e-5)
    assert (made.format, made.scheme) == ("onnx", "float32")


def test_inputs_outputs_preprocessing_and_classes_stay(float_net: Artifact, tmp_path: Path) -> None:
    made = Onnx().compile(float_net, tmp_path)
    assert made.inputs == float_net.inputs
    assert made.outputs == float_net.outputs
    assert (made.preprocessing, made.classes) == (float_net.preprocessing, float_net.classes)
    assert made.origins[-1].tool == "onnx"
    assert made.origins[-1].parent == float_net.sha256


def test_images_are_turned_only_at_the_ends(float_net: Artifact, tmp_path: Path) -> None:
    made = Onnx().compile(float_net, tmp_path)
    assert operators(made.path)["Transpose"] == 2, "one behind the input, one before the flattening"


def test_keras_goes_through_tflite(keras_net: Artifact, float_net: Artifact, tmp_path: Path) -> None:
    made = Onnx().compile(keras_net, tmp_path)
    inputs = np.random.default_rng(0).random((5, 12, 12, 1)).astype(np.float32)
    other = Onnx().compile(float_net, tmp_path / "other")
    np.testing.assert_array_equal(run_onnx(made.path, inputs), run_onnx(other.path, inputs))


@pytest.mark.parametrize("scheme", ["int8", "int16x8", "dynamic", "float16"])
def test_a_quantized_network_is_refused_with_the_reason(float_net: Artifact, tmp_path: Path, scheme: str) -> None:
    with pytest.raises(IncompatibleError, match="Start from the float file"):
        Onnx().compile(msgspec.structs.replace(float_net, scheme=scheme), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_changed_is_refused(float_net: Artifact, tmp_path: Path) -> None:
    copy = tmp_path / "net.tflite"
    copy.write_bytes(Path(float_net.path).read_bytes()[:-100])
    with pytest.raises(ModelError):
        Onnx().compile(msgspec.structs.replace(float_net, path=str(copy)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_computed_output_that_leaves_twice_and_an_input_that_leaves_are_copied(tmp_path: Path) -> None:
    from edgerig.compilers.tflite_to_onnx import export_onnx
    from edgerig.models.graph.types import Graph, Operator, Tensor

    tensors = tuple(Tensor(index=i, name=f"t{i}", shape=(1, 3), dtype="float32") for i in range(2))
    relu = Operator(index=0, op="RELU", name="t1", inputs=(0,), outputs=(1,))
    graph = Graph(name="g", format="tflite", tensors=tensors, operators=(relu,), inputs=(0,), outputs=(1, 1, 0))
    path = tmp_path / "net.onnx"
    path.write_bytes(export_onnx(graph, {}, "net"))
    import onnxruntime

    found = onnxruntime.InferenceSession(str(path)).run(None, {"t0": np.array([[-1, 0, 2]], np.float32)})
    assert [array.tolist() for array in found] == [[[0, 0, 2]], [[0, 0, 2]], [[-1, 0, 2]]]
