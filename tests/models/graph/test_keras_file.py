"""Keras files read without Keras, compared with what Keras says of them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgerig.errors import ModelError
from edgerig.models.graph import io_specs, read_graph
from edgerig.models.graph.analysis import analyse


def sequential(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((20, 18, 3)),
            layers.Rescaling(2.0),
            layers.SeparableConv2D(8, 3, strides=2, padding="same", activation="relu"),
            layers.BatchNormalization(scale=False),
            layers.Conv2D(6, (3, 2), groups=2, dilation_rate=2),
            layers.ZeroPadding2D(((1, 0), (2, 1))),
            layers.AveragePooling2D((2, 3), strides=1),
            layers.UpSampling2D((2, 1)),
            layers.Cropping2D(((1, 1), (0, 1))),
            layers.Conv2DTranspose(4, 3, strides=2),
            layers.Conv2DTranspose(4, 3, strides=2, padding="same"),
            layers.PReLU(),
            layers.LayerNormalization(),
            layers.Permute((3, 1, 2)),
            layers.Reshape((4, -1)),
            layers.Conv1D(5, 2, padding="causal"),
            layers.GlobalAveragePooling1D(),
            layers.Dropout(0.5),
            layers.Dense(3),
            layers.Softmax(),
        ]
    )


def branches(keras: Any) -> Any:
    layers = keras.layers
    left, right = keras.Input((8, 8, 2), name="left"), keras.Input((8, 8, 2), name="right")
    shared = layers.Conv2D(4, 3, padding="same", name="shared")
    joined = layers.Concatenate()([shared(left), shared(right)])
    added = layers.Add()([layers.DepthwiseConv2D(3, padding="same", depth_multiplier=1)(joined), joined])
    return keras.Model(
        [left, right], [layers.Flatten(name="flat")(added), layers.GlobalMaxPooling2D(name="top")(added)]
    )


def nested(keras: Any) -> Any:
    layers = keras.layers
    image = keras.Input((8, 8, 3))
    inner = keras.Model(image, layers.Conv2D(4, 3)(image), name="backbone")
    return keras.Sequential([keras.Input((8, 8, 3)), inner, layers.GlobalAveragePooling2D(), layers.Dense(2)])


def mobilenet(keras: Any) -> Any:
    return keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, weights=None, classes=2)


def either_order(keras: Any, order: str = "channels_first") -> Any:
    """Every kind of layer that has an order of channels."""
    layers, first = keras.layers, order == "channels_first"
    return keras.Sequential(
        [
            keras.Input((3, 16, 12) if first else (16, 12, 3)),
            layers.ZeroPadding2D(((1, 0), (2, 1)), data_format=order),
            layers.Conv2D(4, 3, strides=(2, 1), padding="same", data_format=order),
            layers.BatchNormalization(axis=1 if first else -1),
            layers.DepthwiseConv2D(3, depth_multiplier=2, data_format=order),
            layers.SeparableConv2D(6, 3, data_format=order),
            layers.MaxPooling2D(2, data_format=order),
            layers.UpSampling2D((1, 2), data_format=order),
            layers.Cropping2D(((0, 1), (1, 1)), data_format=order),
            layers.Conv2DTranspose(5, 2, data_format=order),
            layers.GlobalAveragePooling2D(keepdims=True, data_format=order),
            layers.Flatten(data_format=order),
            layers.Dense(2),
        ]
    )


@pytest.mark.slow
def test_channels_first_costs_what_channels_last_costs(tmp_path: Path) -> None:
    from edgerig.models.keras.engine import import_keras

    counts = []
    for order in ("channels_first", "channels_last"):
        either_order(import_keras(), order).save(tmp_path / f"{order}.keras")
        counts.append(analyse(read_graph(tmp_path / f"{order}.keras")))
    assert counts[0].macs == counts[1].macs
    assert counts[0].macs
    assert counts[0].parameters == counts[1].parameters


@pytest.mark.parametrize(
    "build", [sequential, branches, nested, either_order, pytest.param(mobilenet, marks=pytest.mark.slow)]
)
def test_shapes_and_parameters_are_those_of_keras(build: Callable[[Any], Any], tmp_path: Path) -> None:
    from edgerig.models.keras.engine import import_keras

    model = build(import_keras())
    model.save(tmp_path / "net.keras")
    graph = read_graph(tmp_path / "net.keras")
    inputs, outputs = io_specs(graph)
    assert [spec.shape for spec in inputs] == [(1, *tensor.shape[1:]) for tensor in model.inputs]
    assert [spec.shape for spec in outputs] == [(1, *tensor.shape[1:]) for tensor in model.outputs]
    found = analyse(graph)
    assert found.parameters == model.count_params()
    assert found.notes == ()
    weights = sum(1 for tensor in graph.tensors if tensor.constant)
    assert weights == len(model.weights)


def test_it_needs_no_keras(mnist_keras: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from edgerig.models.files import open_artifact;"
        f"print(open_artifact(Path({str(mnist_keras)!r})).outputs[0].shape);"
        "sys.exit(bool({'keras', 'jax', 'h5py'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.strip(), done.returncode) == ("(1, 10)", 0), done.stderr


def rewritten(source: Path, target: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                config = json.loads(content)
                change(config)
                content = json.dumps(config).encode()
            new.writestr(name, content)
    return target


def keras_file(folder: Path, config: dict[str, Any]) -> Path:
    path = folder / "made.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", b"none")
    return path


def test_an_unknown_layer_is_named(mnist_keras: Path, tmp_path: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        config["config"]["layers"][7]["class_name"] = "MyDense"

    graph = read_graph(rewritten(mnist_keras, tmp_path / "net.keras", change))
    # Keras numbers layers over the whole process: dense, dense_1 ...
    assert re.fullmatch(r"dense(_\d+)? \(MyDense\)", graph.metadata["unknown_layers"])
    notes = " ".join(analyse(graph).notes)
    assert "MyDense" in notes
    # The layer behind tells what came out of the unknown one.
    assert io_specs(graph)[1][0].shape == (1, 10)


def test_subclassed_models_are_refused_by_class(mnist_keras: Path, tmp_path: Path) -> None:
    path = rewritten(mnist_keras, tmp_path / "net.keras", lambda config: config.update(class_name="MyModel"))
    with pytest.raises(ModelError, match="'MyModel'"):
        read_graph(path)


def test_a_layer_that_waits_for_nobody_is_told(tmp_path: Path) -> None:
    from edgerig.models.keras.engine import import_keras

    branches(import_keras()).save(tmp_path / "net.keras")

    def change(config: dict[str, Any]) -> None:
        config["config"]["layers"] = [layer for layer in config["config"]["layers"] if layer["name"] != "shared"]

    with pytest.raises(ModelError, match="waits for an input"):
        read_graph(rewritten(tmp_path / "net.keras", tmp_path / "broken.keras", change))


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (None, "no ZIP archive"),
        ({"other.json": "{}"}, "no ZIP archive with a config.json"),
        ({"config.json": "{}", "model.weights.h5": ""}, "does not describe a model"),
        ({"config.json": "not json", "model.weights.h5": ""}, "does not describe a model"),
        ({"config.json": '{"class_name": "Sequential"}'}, "no weights"),
        ({"config.json": '{"class_name": "Sequential", "config": {}}', "model.weights.h5": ""}, "do not fit"),
    ],
)
def test_what_is_no_keras_file_is_refused(files: dict[str, str] | None, words: str, tmp_path: Path) -> None:
    path = tmp_path / "net.keras"
    if files is None:
        path.write_bytes(b"\x89HDF an old one")
    else:
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
    with pytest.raises(ModelError, match=words):
        read_graph(path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_cut_and_flipped_bytes_never_end_in_a_traceback(mnist_keras: Path, tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(mnist_keras.read_bytes())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        # The directory at the end and the configuration at the front, not the weights between.
        place = data.draw(st.integers(0, 4000) | st.integers(len(content) - 300, len(content) - 1))
        content[place] ^= data.draw(st.integers(1, 255))
    path = tmp_path / "net.keras"
    path.write_bytes(bytes(content))
    try:
        graph = read_graph(path)
    except ModelError:
        return
    analyse(graph)


def test_a_type_that_there_is_not_is_refused(mnist_keras: Path, tmp_path: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        config["config"]["layers"][0]["config"]["dtype"] = "float33"

    with pytest.raises(ModelError, match="has the type 'float33'"):
        read_graph(rewritten(mnist_keras, tmp_path / "net.keras", change))


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_configuration_with_anything_in_it_never_ends_in_a_traceback(
    mnist_keras: Path, tmp_path: Path, data: st.DataObject
) -> None:
    junk = st.none() | st.integers(-5, 5) | st.text(max_size=3) | st.lists(st.integers(-2, 9), max_size=4)

    def change(config: dict[str, Any]) -> None:
        layer = data.draw(st.sampled_from(config["config"]["layers"]))
        layer["config"][data.draw(st.sampled_from(sorted(layer["config"])))] = data.draw(junk)

    path = rewritten(mnist_keras, tmp_path / "net.keras", change)
    try:
        graph = read_graph(path)
    except ModelError:
        return
    analyse(graph)


def relu_call(name: str, before: str) -> dict[str, Any]:
    history = {"shape": [None, 4], "dtype": "float32", "keras_history": [before, 0, 0]}
    node = {"args": [{"class_name": "__keras_tensor__", "config": history}], "kwargs": {}}
    return {
        "class_name": "Activation",
        "name": name,
        "config": {"name": name, "activation": "relu"},
        "inbound_nodes": [node],
    }


def functional(layers: list[dict[str, Any]], last: str) -> dict[str, Any]:
    start = {"name": "i", "batch_shape": [None, 4], "dtype": "float32"}
    layers = [{"class_name": "InputLayer", "name": "i", "config": start, "inbound_nodes": []}, *layers]
    config = {"name": "m", "layers": layers, "input_layers": [["i", 0, 0]], "output_layers": [[last, 0, 0]]}
    return {"class_name": "Functional", "config": config}


@pytest.mark.slow
def test_a_chain_in_any_order_costs_its_length(tmp_path: Path) -> None:
    # With its cube, 20,000 layers take the better part of an hour.
    count = 20_000
    layers = [relu_call(f"l{at}", f"l{at - 1}" if at else "i") for at in range(count)]
    graph = read_graph(keras_file(tmp_path, functional(layers[::-1], f"l{count - 1}")))
    assert [operator.name for operator in graph.operators] == [f"l{at}" for at in range(count)]
    assert graph.tensors[graph.outputs[0]].name == f"l{count - 1}"


@pytest.mark.slow
def test_models_that_call_models_again_and_again_are_refused(tmp_path: Path) -> None:
    inner = functional([relu_call("l", "i")], "l")
    for _ in range(14):
        call = {**relu_call("l", "i"), "class_name": "Functional", "config": {**inner["config"], "name": "l"}}
        call["inbound_nodes"] *= 8
        inner = functional([call], "l")
    with pytest.raises(ModelError, match="called more than 200,000 times"):
        read_graph(keras_file(tmp_path, inner))
