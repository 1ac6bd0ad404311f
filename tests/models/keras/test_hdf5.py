"""Keras files in HDF5 as Keras 2 wrote them: they compute what the same layers compute in Keras 3."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgerig.compilers.float32 import Float32
from edgerig.errors import ModelError
from edgerig.models.files import open_artifact
from edgerig.models.graph.keras_legacy import CODE
from edgerig.models.graph.read import read_graph
from edgerig.models.keras.engine import import_keras
from edgerig.models.keras.files import load_keras
from edgerig.testing.networks.keras2_files import CONVOLUTION, functional, layer, write_keras2

RNG = np.random.default_rng(11)
CLASSES = 3
INPUT = layer("InputLayer", "image", batch_input_shape=[None, 8, 8, 2], sparse=False, ragged=False)


def values(*shape: int) -> Any:
    return RNG.normal(0, 0.4, shape).astype(np.float32)


def kernel_and_bias(name: str, *shape: int, channels: int, kernel: str = "kernel") -> list[tuple[str, Any]]:
    return [(f"{name}/{kernel}:0", values(*shape)), (f"{name}/bias:0", values(channels))]


def norm_weights(name: str, channels: int) -> list[tuple[str, Any]]:
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    return [(f"{name}/{each}:0", np.abs(values(channels)) + 0.5) for each in names]


#: Layers behind the input with their weights.
CONV = layer("Conv2D", "conv", filters=4, kernel_size=[3, 3], **CONVOLUTION)
DEPTHWISE = layer(
    "DepthwiseConv2D",
    "depthwise",
    kernel_size=[3, 3],
    depth_multiplier=1,
    **CONVOLUTION,
    depthwise_initializer={"class_name": "GlorotUniform", "config": {"seed": None}},
    depthwise_regularizer=None,
    depthwise_constraint=None,
)
NORM = layer(
    "BatchNormalization",
    "norm",
    axis=[3],
    momentum=0.99,
    epsilon=0.001,
    center=True,
    scale=True,
    fused=True,
    renorm=False,
    beta_initializer={"class_name": "Zeros", "config": {}},
    beta_regularizer=None,
    beta_constraint=None,
)
RELU = layer("ReLU", "relu", max_value=6.0, negative_slope=0.0, threshold=0.0)
POOL = layer("GlobalAveragePooling2D", "pool", data_format="channels_last", keepdims=False)
DENSE = layer("Dense", "dense", units=CLASSES, activation="softmax")
LAYERS = [CONV, DEPTHWISE, NORM, RELU, POOL, DENSE]
WEIGHTS: dict[str, list[tuple[str, Any]]] = {
    "conv": kernel_and_bias("conv", 3, 3, 2, 4, channels=4),
    "depthwise": kernel_and_bias("depthwise", 3, 3, 4, 1, channels=4, kernel="depthwise_kernel"),
    "norm": norm_weights("norm", 4),
    "relu": [],
    "pool": [],
    "dense": kernel_and_bias("dense", 4, CLASSES, channels=CLASSES),
}


def expected(inputs: Any, *, without: str = "") -> Any:
    """The same in Keras 3, by its own interface."""
    keras = import_keras()
    layers = keras.layers
    chain = [
        layers.Conv2D(4, 3, padding="same", name="conv"),
        layers.DepthwiseConv2D(3, padding="same", name="depthwise"),
        layers.BatchNormalization(name="norm"),
        layers.ReLU(6.0, name="relu"),
        layers.GlobalAveragePooling2D(name="p"),
        layers.Dense(CLASSES, activation="softmax", name="dense"),
    ]
    model = keras.Sequential([keras.Input((8, 8, 2)), *chain])
    for each in chain:
        if WEIGHTS.get(each.name):
            each.set_weights([value for _, value in WEIGHTS[each.name]])
    return np.asarray(model(inputs))


def sequential(*layers: Any) -> dict[str, Any]:
    return {"class_name": "Sequential", "config": {"name": "sequential", "layers": list(layers)}}


def without_input() -> dict[str, Any]:
    """As Keras 2.2 wrote it: no InputLayer, the shape at the first layer."""
    first = {**CONV, "config": {**CONV["config"], "batch_input_shape": [None, 8, 8, 2]}}
    return sequential(first, *LAYERS[1:])


def as_list() -> dict[str, Any]:
    """As Keras 2.0 wrote it: the configuration is the list of layers."""
    return {"class_name": "Sequential", "config": without_input()["config"]["layers"]}


def as_functional(class_name: str) -> Callable[[], dict[str, Any]]:
    def make() -> dict[str, Any]:
        before = ["image", *(each["config"]["name"] for each in LAYERS)]
        nodes = [(INPUT, [])] + [(each, [name]) for each, name in zip(LAYERS, before, strict=False)]
        return {**functional(nodes, ["dense"]), "class_name": class_name}

    return make


CONFIGS: dict[str, Callable[[], dict[str, Any]]] = {
    "Sequential": lambda: sequential(INPUT, *LAYERS),
    "no InputLayer": without_input,
    "list of layers": as_list,
    "Functional": as_functional("Functional"),
    "Model": as_functional("Model"),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_file_of_keras_2_computes_the_same_in_keras_3(name: str, tmp_path: Path) -> None:
    path = write_keras2(tmp_path / "net.h5", CONFIGS[name](), {"image": [], **WEIGHTS})
    inputs = values(5, 8, 8, 2)
    np.testing.assert_allclose(np.asarray(load_keras(path)(inputs)), expected(inputs), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", CONFIGS)
def test_it_is_inspected_without_keras(name: str, tmp_path: Path) -> None:
    path = write_keras2(tmp_path / "net.h5", CONFIGS[name](), {"image": [], **WEIGHTS})
    artifact = open_artifact(path)
    assert (artifact.format, artifact.scheme) == ("keras", "float32")
    assert [spec.shape for spec in artifact.inputs] == [(1, 8, 8, 2)]
    assert [spec.shape for spec in artifact.outputs] == [(1, CLASSES)]
    graph = read_graph(path)
    assert [operator.op for operator in graph.operators] == [each["class_name"] for each in LAYERS]
    stored = sum(value.size for content in WEIGHTS.values() for _, value in content)
    assert sum(tensor.elements for tensor in graph.tensors if tensor.constant) == stored


def test_it_is_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ai_edge_litert.interpreter import Interpreter

    path = write_keras2(tmp_path / "net.h5", CONFIGS["Sequential"](), {"image": [], **WEIGHTS})
    made = Float32().compile(open_artifact(path), tmp_path / "out")
    assert Path(made.path).name == "net.tflite"
    interpreter = Interpreter(made.path)
    interpreter.allocate_tensors()
    inputs = values(1, 8, 8, 2)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], inputs)
    interpreter.invoke()
    found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.testing.assert_allclose(found, expected(inputs), rtol=1e-4, atol=1e-5)


def test_weights_go_by_name_not_by_place(tmp_path: Path) -> None:
    """Two layers of one shape, in the file in the other order than in the model."""
    size = {"units": 4, "activation": "linear"}
    chain = [
        layer("InputLayer", "x", batch_input_shape=[None, 4]),
        layer("Dense", "a", **size),
        layer("Dense", "b", **size),
    ]
    weights = {name: kernel_and_bias(name, 4, 4, channels=4) for name in ("b", "a")}
    path = write_keras2(tmp_path / "net.h5", sequential(*chain), weights)
    inputs = values(3, 4)
    (a, a_bias), (b, b_bias) = ([value for _, value in weights[name]] for name in ("a", "b"))
    right = (inputs @ a + a_bias) @ b + b_bias
    np.testing.assert_allclose(np.asarray(load_keras(path)(inputs)), right, rtol=1e-5, atol=1e-6)


def test_models_within_models_get_their_weights_by_name(tmp_path: Path) -> None:
    size = {"units": 4, "activation": "linear"}
    inner = sequential(
        layer("InputLayer", "y", batch_input_shape=[None, 4]), layer("Dense", "a", **size), layer("Dense", "b", **size)
    )
    inner["config"]["name"] = "inner"
    outer = sequential(layer("InputLayer", "x", batch_input_shape=[None, 4]), inner)
    content = [*kernel_and_bias("b", 4, 4, channels=4), *kernel_and_bias("a", 4, 4, channels=4)]
    path = write_keras2(tmp_path / "net.h5", outer, {"inner": content})
    inputs = values(3, 4)
    b, b_bias, a, a_bias = (value for _, value in content)
    right = (inputs @ a + a_bias) @ b + b_bias
    np.testing.assert_allclose(np.asarray(load_keras(path)(inputs)), right, rtol=1e-5, atol=1e-6)


def test_branches_are_followed(tmp_path: Path) -> None:
    size = {"units": 4, "activation": "linear"}
    x = layer("InputLayer", "x", batch_input_shape=[None, 4], sparse=False, ragged=False)
    nodes = [
        (x, []),
        (layer("Dense", "a", **size), ["x"]),
        (layer("Dense", "b", **size), ["x"]),
        (layer("Add", "sum"), ["a", "b"]),
    ]
    weights = {name: kernel_and_bias(name, 4, 4, channels=4) for name in ("a", "b")}
    path = write_keras2(tmp_path / "net.h5", functional(nodes, ["sum"]), {"x": [], **weights, "sum": []})
    inputs = values(3, 4)
    right = sum(inputs @ content[0][1] + content[1][1] for content in weights.values())
    np.testing.assert_allclose(np.asarray(load_keras(path)(inputs)), right, rtol=1e-5, atol=1e-6)
    assert [operator.op for operator in read_graph(path).operators] == ["Dense", "Dense", "Add"]


@pytest.mark.parametrize(
    ("kind", "shape", "settings"),
    [
        ("SeparableConv2D", [(3, 3, 2, 1), (1, 1, 2, 4), (4,)], {"depth_multiplier": 1, "filters": 4}),
        ("Conv2DTranspose", [(3, 3, 4, 2), (4,)], {"filters": 4, "output_padding": None}),
    ],
)
def test_other_convolutions_of_keras_2(kind: str, shape: Any, settings: Any, tmp_path: Path) -> None:
    keras = import_keras()
    config = layer(kind, "conv", kernel_size=[3, 3], **CONVOLUTION, **settings)
    names = {3: ("depthwise_kernel", "pointwise_kernel", "bias"), 2: ("kernel", "bias")}[len(shape)]
    content = [(f"conv/{name}:0", values(*size)) for name, size in zip(names, shape, strict=True)]
    path = write_keras2(tmp_path / "net.h5", sequential(INPUT, config), {"conv": content})
    own = getattr(keras.layers, kind)(4, 3, padding="same")
    own.build((None, 8, 8, 2))
    own.set_weights([value for _, value in content])
    inputs = values(2, 8, 8, 2)
    np.testing.assert_allclose(np.asarray(load_keras(path)(inputs)), np.asarray(own(inputs)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", sorted(CODE))
def test_code_is_refused_by_name(kind: str, tmp_path: Path) -> None:
    path = write_keras2(tmp_path / "net.h5", sequential(INPUT, layer(kind, "tf.math.add", function="math.add")), {})
    for read in (open_artifact, load_keras):
        with pytest.raises(ModelError, match=rf"net\.h5: layer 'tf\.math\.add' is a {kind}, which is code") as caught:
            read(path)
        assert "from_keras_model" in str(caught.value.hint)


def test_settings_that_are_gone_are_refused_where_they_mean_something(tmp_path: Path) -> None:
    grouped = layer("DepthwiseConv2D", "odd", kernel_size=[3, 3], depth_multiplier=1, **{**CONVOLUTION, "groups": 2})
    path = write_keras2(tmp_path / "net.h5", sequential(INPUT, grouped), {})
    with pytest.raises(ModelError, match=r"layer 'odd' \(DepthwiseConv2D\) has groups=2, which Keras 3 lacks"):
        open_artifact(path)


@pytest.mark.parametrize(("version", "fine"), [("2.3.1", False), ("2.15.0", False), ("3.5.0", True)])
def test_an_activation_that_means_something_else_now_is_refused(version: str, fine: bool, tmp_path: Path) -> None:
    """hard_sigmoid had the slope 1/5 and has 1/6."""
    config = sequential(INPUT, layer("Activation", "gate", activation="hard_sigmoid"))
    path = write_keras2(tmp_path / "net.h5", config, {}, version)
    if fine:
        open_artifact(path)
        return
    with pytest.raises(ModelError, match=r"layer 'gate' \(Activation\) uses hard_sigmoid"):
        open_artifact(path)


@pytest.mark.parametrize("policy", ["float32", {"class_name": "Policy", "config": {"name": "float32"}}])
def test_policies_of_types_are_read(policy: Any, tmp_path: Path) -> None:
    dense = layer("Dense", "dense", units=2, activation="linear")
    dense["config"]["dtype"] = policy
    chain = sequential(layer("InputLayer", "x", batch_input_shape=[None, 4]), dense)
    path = write_keras2(tmp_path / "net.h5", chain, {"dense": kernel_and_bias("dense", 4, 2, channels=2)})
    assert load_keras(path).output_shape == (None, 2)


def test_weights_alone_are_called_so(tmp_path: Path) -> None:
    import h5py

    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"dense"]
    with pytest.raises(ModelError, match=r"weights\.h5 holds weights, but not the network"):
        open_artifact(path)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(ModelError, match=r"other\.h5 holds no Keras model"):
        open_artifact(tmp_path / "other.h5")


@pytest.mark.parametrize("cut", [8, 100, 2000])
def test_a_file_cut_short_is_refused(cut: int, tmp_path: Path) -> None:
    path = write_keras2(tmp_path / "net.h5", CONFIGS["Sequential"](), {"image": [], **WEIGHTS})
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ModelError, match=r"net\.h5"):
        open_artifact(path)


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    weights = {**WEIGHTS, "dense": kernel_and_bias("dense", 5, CLASSES, channels=CLASSES)}
    path = write_keras2(tmp_path / "net.h5", CONFIGS["Sequential"](), {"image": [], **weights})
    with pytest.raises(ModelError, match=r"net\.h5"):
        load_keras(path)


@pytest.mark.parametrize(
    ("name", "words", "hint"),
    [
        ("saved", "no sound SavedModel", r"tf\.saved_model\.save"),
        ("folder", "folder is a folder, not a model file", r"\.keras, \.h5, \.tflite, \.onnx or \.pt2"),
        ("saved/saved_model.pb", "a graph of TensorFlow", "give that folder"),
        ("net.pt", "not a program that PyTorch can read", r"torch\.export\.save"),
        ("net.txt", "not a model file that edgerig knows", r"\.keras, \.h5, \.tflite, \.onnx or \.pt2"),
    ],
)
def test_other_files_are_said_to_be_what_they_are(name: str, words: str, hint: str, tmp_path: Path) -> None:
    for folder in ("saved", "folder"):
        (tmp_path / folder).mkdir()
    for file in ("saved/saved_model.pb", "net.pt", "net.txt"):
        (tmp_path / file).write_bytes(b"\x08\x01")
    with pytest.raises(ModelError, match=words) as caught:
        open_artifact(tmp_path / name)
    assert re.search(hint, str(caught.value.hint))
