"""Summaries of layers: of Keras files as Keras itself counts, of others as far as the file knows."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from edgerig.models.architectures.dscnn import DsCnn
from edgerig.models.graph.analysis import analyse
from edgerig.models.graph.read import read_graph
from edgerig.models.graph.summary import OPEN, Summary, summarise
from edgerig.models.keras.base import import_keras
from edgerig.models.keras.files import save_keras
from edgerig.testing.networks import dense_onnx, dense_tflite


def summary_of(path: Path) -> Summary:
    graph = read_graph(path)
    return summarise(graph, analyse(graph))


def counts(weights: list[Any]) -> int:
    return sum(math.prod(weight.shape) for weight in weights)


def frozen(keras: Any) -> Any:
    inputs = keras.Input((8, 8, 3))
    layers = keras.layers
    x = layers.Normalization(name="statistics")(inputs)
    x = layers.Conv2D(4, 3, name="still", trainable=False)(x)
    x = layers.BatchNormalization(name="still_norm", trainable=False)(x)
    x = layers.PReLU(shared_axes=[1, 2])(x)
    x = layers.LayerNormalization(axis=[1, 3])(x)
    x = layers.SeparableConv2D(5, 3)(x)
    return keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))


def shared(keras: Any) -> Any:
    """A layer that is called twice, and a model within the model."""
    first, second = keras.Input((6,)), keras.Input((6,))
    dense = keras.layers.Dense(6)
    inner = keras.Sequential([keras.Input((6,)), keras.layers.Dense(5), keras.layers.BatchNormalization()])
    joined = keras.layers.Add()([inner(dense(first)), inner(dense(second))])
    return keras.Model([first, second], keras.layers.Dense(2)(joined))


@pytest.mark.parametrize("build", [lambda keras: DsCnn().build(12), frozen, shared], ids=["dscnn", "frozen", "shared"])
def test_sums_are_those_of_keras(build: Any, tmp_path: Path) -> None:
    model = build(import_keras())
    save_keras(model, tmp_path / "net.keras")
    summary = summary_of(tmp_path / "net.keras")
    assert summary.parameters == model.count_params() == sum(layer.parameters or 0 for layer in summary.layers)
    assert summary.trainable == counts(model.trainable_weights)
    assert summary.non_trainable == counts(model.non_trainable_weights)


def test_the_layers_of_the_keyword_network_are_those_that_its_authors_printed(tmp_path: Path) -> None:
    save_keras(DsCnn().build(12), tmp_path / "net.keras")
    summary = summary_of(tmp_path / "net.keras")
    assert (summary.parameters, summary.trainable, summary.non_trainable) == (24_908, 23_756, 1_152)
    first, wide = summary.layers[0], (OPEN, 25, 5, 64)
    assert (first.kind, first.shape, first.parameters) == ("InputLayer", (OPEN, 49, 10, 1), 0)
    block = [("DepthwiseConv2D", 640), ("BatchNormalization", 256), ("ReLU", 0)]
    block += [("Conv2D", 4160), ("BatchNormalization", 256), ("ReLU", 0)]
    head = [("Conv2D", 2624), ("BatchNormalization", 256), ("ReLU", 0), ("Dropout", 0)]
    middle = head + 4 * block + [("Dropout", 0)]
    assert [(layer.kind, layer.parameters) for layer in summary.layers[1:30]] == middle
    assert {layer.shape for layer in summary.layers[1:30]} == {wide}
    assert [(layer.kind, layer.shape, layer.parameters) for layer in summary.layers[30:]] == [
        ("AveragePooling2D", (OPEN, 1, 1, 64), 0),
        ("Flatten", (OPEN, 64), 0),
        ("Dense", (OPEN, 12), 780),
    ]


def test_layers_that_nobody_knows_have_no_count(tmp_path: Path) -> None:
    keras = import_keras()

    class Own(keras.layers.LSTM):  # type: ignore[misc, name-defined]
        """The same under a name that is not of Keras."""

    for layer, count in ((keras.layers.LSTM(3), 96), (Own(3), None)):
        save_keras(keras.Sequential([keras.Input((5, 4)), layer, keras.layers.Dense(2)]), tmp_path / "net.keras")
        summary = summary_of(tmp_path / "net.keras")
        assert [layer.parameters for layer in summary.layers] == [0, count, 8]
        assert summary.parameters == 8 + (count or 0)


@pytest.mark.parametrize("make", [dense_tflite, dense_onnx])
def test_deployed_files_do_not_tell_what_was_trained(make: Any, tmp_path: Path) -> None:
    suffix = ".tflite" if make is dense_tflite else ".onnx"
    summary = summary_of(make(tmp_path / f"net{suffix}"))
    assert summary.parameters == 36
    assert summary.trainable is None
    assert summary.non_trainable is None
    assert summary.layers[0].kind == "input"
    assert [layer.parameters for layer in summary.layers[1:]] == [36, 0]
