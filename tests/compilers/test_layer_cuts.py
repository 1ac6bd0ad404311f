"""Cut files compute what the whole network computes up to the cut, and together have every operator once."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgerig.artifact import Artifact
from edgerig.compilers.float32 import Float32
from edgerig.compilers.layer_cuts import Cut, Cutter, cuts_of
from edgerig.compilers.layer_errors.probes import OnnxProbe, Probe, TfliteProbe
from edgerig.compilers.onnx import Onnx
from edgerig.compilers.onnx_int8 import OnnxInt8
from edgerig.compilers.quantize import Float16, Int8
from edgerig.datasets.base import Dataset
from edgerig.errors import IncompatibleError
from edgerig.models.files import open_artifact
from edgerig.models.graph.analysis import analyse
from edgerig.models.graph.layer_names import keys_of
from edgerig.models.graph.memory import constant_tensors
from edgerig.models.graph.read import read_graph
from edgerig.models.graph.types import Graph

SCHEMES = ("float32", "float16", "int8", "onnx", "onnx-int8")


@pytest.fixture(scope="module")
def forked(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """A network with a skip connection over a pooling, and two outputs: values live on behind later cuts."""
    from edgerig.models.keras.engine import import_keras, seeded

    keras = import_keras()
    layers, path = keras.layers, tmp_path_factory.mktemp("forked") / "net.keras"
    with seeded(0):
        image = keras.Input((12, 12, 1))
        skip = layers.Conv2D(3, 3, padding="same", activation="relu", name="skip")(image)
        deep = layers.Conv2D(5, 3, padding="same", name="deep")(layers.MaxPooling2D(name="smaller")(skip))
        joined = layers.Concatenate(name="joined")([layers.UpSampling2D(name="larger")(deep), skip])
        flat = layers.GlobalAveragePooling2D(name="mean")(joined)
        keras.Model(image, [layers.Dense(3, name="classes")(flat), layers.Dense(2, name="sides")(flat)]).save(path)
    return open_artifact(path)


@pytest.fixture(scope="module")
def networks(
    float_net: Artifact, keras_net: Artifact, forked: Artifact, blobs: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("networks")
    made = {
        "float32": float_net,
        "float16": Float16().compile(float_net, folder / "float16"),
        "int8": Int8().compile(float_net, folder / "int8", blobs),
        "onnx": Onnx().compile(keras_net, folder / "onnx"),
        "forked": Float32().compile(forked, folder / "forked"),
        "forked onnx": Onnx().compile(forked, folder / "forked-onnx"),
    }
    made["onnx-int8"] = OnnxInt8().compile(made["onnx"], folder / "onnx-int8", blobs)
    return {name: Path(artifact.path) for name, artifact in made.items()}


def cut(path: Path) -> tuple[Graph, list[Cut], Cutter]:
    graph = read_graph(path)
    return graph, cuts_of(graph, keys_of(graph, ())), Cutter(path.read_bytes(), graph)


def computing(graph: Graph) -> list[int]:
    constants = constant_tensors(graph)
    quantization = {"QuantizeLinear", "DequantizeLinear"} if graph.format == "onnx" else set()
    return [
        operator.index
        for operator in graph.operators
        if operator.op not in quantization
        and (not operator.inputs or any(index >= 0 and index not in constants for index in operator.inputs))
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SCHEMES, "forked", "forked onnx"])
def test_cuts_have_every_operator_once_and_end_with_the_whole(name: str, networks: dict[str, Path]) -> None:
    graph, cuts, cutter = cut(networks[name])
    assert len(cuts) > 4
    assert [index for each in cuts for index in each.operators] == computing(graph)
    for before, after in pairwise(cuts):
        assert set(before.prefix) < set(after.prefix)
        assert set(after.operators) <= set(after.prefix) - set(before.prefix)
        assert before.key != after.key
    assert cutter.file(cuts[-1]) == networks[name].read_bytes()


@pytest.mark.parametrize("name", [*SCHEMES, "forked", "forked onnx"])
def test_a_cut_computes_the_tensors_of_the_whole_network(name: str, networks: dict[str, Path], tmp_path: Path) -> None:
    graph, cuts, cutter = cut(networks[name])
    rng = np.random.default_rng(0)
    wanted = sorted({index for each in cuts for index in each.outputs})
    whole = probe(networks[name].read_bytes(), graph, wanted)
    calls: list[NDArray[np.float32]] = [
        rng.random(graph.tensors[graph.inputs[0]].shape).astype(np.float32) for _ in range(3)
    ]
    files = [cutter.file(each) for each in cuts]
    for number, (each, data) in enumerate(zip(cuts, files, strict=True)):
        path = tmp_path / f"{number}{networks[name].suffix}"
        path.write_bytes(data)
        part = read_graph(path)
        assert [part.tensors[index].name for index in part.outputs] == [graph.tensors[i].name for i in each.outputs]
        alone = probe(data, part, part.outputs)
        for call in calls:
            whole.run({graph.inputs[0]: call})
            alone.run({part.inputs[0]: call})
            for ours, theirs in zip(part.outputs, each.outputs, strict=True):
                # ONNX Runtime fuses otherwise where a tensor is an output, and then rounds to the next step at times.
                step = step_of(graph, theirs) if name == "onnx-int8" else 1e-5
                np.testing.assert_allclose(alone.value(ours), whole.value(theirs), rtol=1e-5, atol=1.01 * step)


@pytest.mark.parametrize("name", ["float32", "int8", "onnx", "forked", "forked onnx"])
def test_neighbouring_cuts_differ_by_the_work_of_the_operators_between_them(
    name: str, networks: dict[str, Path], tmp_path: Path
) -> None:
    graph, cuts, cutter = cut(networks[name])
    work = {cost.index: cost.macs for cost in analyse(graph).operators}
    before = 0
    for number, each in enumerate(cuts):
        path = tmp_path / f"{number}{networks[name].suffix}"
        path.write_bytes(cutter.file(each))
        macs = analyse(read_graph(path)).macs
        assert macs - before == sum(work[index] for index in each.operators), each.key
        before = macs
    assert before == analyse(graph).macs > 0


def test_values_that_are_needed_behind_a_cut_are_outputs_of_it(networks: dict[str, Path]) -> None:
    """The skip connection is given by every cut until it is joined."""
    graph, cuts, _ = cut(networks["forked"])
    by_layer = {each.key.label: each for each in cuts}
    (skip,) = by_layer["skip"].outputs
    for name in ("smaller", "deep", "larger"):
        assert skip in by_layer[name].outputs, name
    assert skip not in by_layer["joined"].outputs
    assert len(cuts[-1].outputs) == len(graph.outputs) == 2


def test_a_cut_never_stands_between_a_quantization_and_its_operator(networks: dict[str, Path]) -> None:
    graph, cuts, _ = cut(networks["onnx-int8"])
    makers = {output: operator.op for operator in graph.operators for output in operator.outputs}
    inner = {makers[index] for each in cuts[:-1] for index in each.outputs}
    assert inner == {"QuantizeLinear"}


def test_a_keras_network_is_not_cut(keras_net: Artifact) -> None:
    graph: Any = read_graph(Path(keras_net.path))
    with pytest.raises(IncompatibleError, match="tflite and onnx"):
        cuts_of(graph, {})


def step_of(graph: Graph, index: int) -> float:
    """The step of a quantized tensor, or of the one that is dequantized to it."""
    maker = next((operator for operator in graph.operators if index in operator.outputs), None)
    source = maker.inputs[0] if maker is not None and maker.op == "DequantizeLinear" else index
    quantization = graph.tensors[source].quantization
    assert quantization is not None
    return max(quantization.scales)


def probe(data: bytes, graph: Graph, wanted: Any) -> Probe:
    return OnnxProbe(data, graph, wanted) if graph.format == "onnx" else TfliteProbe(data, graph, reference=True)
