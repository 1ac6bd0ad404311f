"""Files of old converters, which lack fields that quantizers look at: they become what their new twins become."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgerig import plugins
from edgerig.artifact import Artifact
from edgerig.compilers import flatbuffer
from edgerig.compilers.base import ModelCompiler
from edgerig.datasets.base import Dataset
from edgerig.errors import EdgerigError, ModelError
from edgerig.models.files import open_artifact
from edgerig.models.graph.read import read_graph
from edgerig.models.graph.tflite_file import read_tflite
from edgerig.testing.networks.tflite_builder import TfliteBuilder, as_old_writer, packed

RNG = np.random.default_rng(5)


def dense() -> bytes:
    net = TfliteBuilder()
    x, y = net.tensor("x", (1, 16), "float32"), net.tensor("y", (1, 4), "float32")
    weights = [net.tensor("w", (4, 16), "float32", RNG.normal(0, 0.3, (4, 16)))]
    weights.append(net.tensor("b", (4,), "float32", RNG.normal(0, 0.1, 4)))
    net.operator("FULLY_CONNECTED", [x, *weights], [y], "FullyConnectedOptions")
    return net.build([x], [y])


def logistic() -> bytes:
    net = TfliteBuilder()
    x, y = net.tensor("x", (1, 16), "float32"), net.tensor("y", (1, 16), "float32")
    net.operator("LOGISTIC", [x], [y])
    return net.build([x], [y])


def average_pool() -> bytes:
    net = TfliteBuilder()
    x, y = net.tensor("x", (1, 16, 16, 2), "float32"), net.tensor("y", (1, 1, 1, 2), "float32")
    net.operator(
        "AVERAGE_POOL_2D", [x], [y], "Pool2DOptions", padding=1, strideH=16, strideW=16, filterHeight=16, filterWidth=16
    )
    return net.build([x], [y])


def convolution() -> bytes:
    """CONV_2D, RELU, MAX_POOL_2D, RESHAPE, FULLY_CONNECTED and SOFTMAX behind each other."""
    net = TfliteBuilder()
    x, c = net.tensor("x", (1, 8, 8, 1), "float32"), net.tensor("c", (1, 6, 6, 4), "float32")
    kernel = net.tensor("k", (4, 3, 3, 1), "float32", RNG.normal(0, 0.3, (4, 3, 3, 1)))
    bias = net.tensor("b", (4,), "float32", RNG.normal(0, 0.1, 4))
    net.operator("CONV_2D", [x, kernel, bias], [c], "Conv2DOptions", padding=1, strideH=1, strideW=1)
    r, p = net.tensor("r", (1, 6, 6, 4), "float32"), net.tensor("p", (1, 3, 3, 4), "float32")
    net.operator("RELU", [c], [r])
    net.operator(
        "MAX_POOL_2D", [r], [p], "Pool2DOptions", padding=1, strideH=2, strideW=2, filterHeight=2, filterWidth=2
    )
    flat, size = net.tensor("f", (1, 36), "float32"), net.tensor("s", (2,), "int32", np.array([1, 36]))
    net.operator("RESHAPE", [p, size], [flat], "ReshapeOptions", newShape=[1, 36])
    d, y = net.tensor("d", (1, 5), "float32"), net.tensor("y", (1, 5), "float32")
    weights = net.tensor("w", (5, 36), "float32", RNG.normal(0, 0.2, (5, 36)))
    net.operator("FULLY_CONNECTED", [flat, weights, -1], [d], "FullyConnectedOptions")
    net.operator("SOFTMAX", [d], [y], "SoftmaxOptions", beta=1.0)
    return net.build([x], [y])


NETWORKS: dict[str, tuple[Callable[[], bytes], list[int]]] = {
    "dense": (dense, [16]),
    "logistic": (logistic, [16]),
    "average_pool": (average_pool, [16, 16, 2]),
    "convolution": (convolution, [8, 8, 1]),
}
#: Greatest error, as a share of the outputs' span.
TOLERANCE = {"int8": 0.02, "dynamic": 0.02, "float16": 0.002, "int16x8": 0.01}


def artifact(folder: Path, data: bytes, name: str) -> Artifact:
    path = folder / f"{name}.tflite"
    path.write_bytes(data)
    return open_artifact(path)


@pytest.mark.parametrize("scheme", TOLERANCE)
@pytest.mark.parametrize("name", NETWORKS)
def test_old_and_new_files_become_the_same(name: str, scheme: str, tmp_path: Path, run_litert: Any) -> None:
    make, shape = NETWORKS[name]
    new = make()
    dataset = plugins.make("dataset", "random", Dataset, {"shape": shape})
    compiler = plugins.make("compiler", scheme, ModelCompiler, {})
    sources = [artifact(tmp_path, data, f"{name}_{age}") for age, data in (("new", new), ("old", as_old_writer(new)))]
    if scheme in ("dynamic", "float16") and name in ("logistic", "average_pool"):
        for source in sources:
            with pytest.raises(EdgerigError, match=f"should be {scheme} and is float32"):
                compiler.compile(source, tmp_path / "out", dataset)
        return
    made = [compiler.compile(source, tmp_path / "out", dataset) for source in sources]
    inputs = dataset.split("test").inputs(slice(0, 20), made[0].preprocessing)
    new_outputs, old_outputs = (run_litert(each.path, inputs) for each in made)
    np.testing.assert_array_equal(old_outputs, new_outputs)
    expected = run_litert(sources[1].path, inputs)
    assert np.abs(old_outputs - expected).max() <= TOLERANCE[scheme] * max(np.ptp(expected), 0.1)


def test_old_files_keep_their_operators(tmp_path: Path) -> None:
    new = convolution()
    graphs = [
        read_graph(Path(artifact(tmp_path, data, age).path))
        for age, data in (("new", new), ("old", as_old_writer(new)))
    ]
    new_ops, old_ops = ([operator.op for operator in graph.operators] for graph in graphs)
    assert new_ops == old_ops == ["CONV_2D", "RELU", "MAX_POOL_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX"]


def test_unpacking_makes_old_files_whole() -> None:
    from ai_edge_litert import schema_py_generated as schema

    old = schema.ModelT.InitFromObj(schema.Model.GetRootAs(as_old_writer(dense()), 0))
    assert [code.builtinCode for code in old.operatorCodes] == [0]
    assert old.subgraphs[0].name is None
    old.operatorCodes[0].version = 0
    old.buffers[0].data = np.arange(8, dtype=np.uint8)
    whole = flatbuffer.unpack(packed(old))
    assert [code.builtinCode for code in whole.operatorCodes] == [schema.BuiltinOperator.FULLY_CONNECTED]
    assert whole.operatorCodes[0].version == 1
    assert whole.subgraphs[0].name == b"main"
    assert whole.buffers[0].data is None
    content = [whole.buffers[tensor.buffer].data for tensor in whole.subgraphs[0].tensors]
    assert [None if data is None else len(data) for data in content] == [None, None, 256, 16]


def test_custom_operators_keep_their_names() -> None:
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(logistic(), 0))
    (code,) = model.operatorCodes
    code.builtinCode, code.deprecatedBuiltinCode, code.customCode = 0, schema.BuiltinOperator.CUSTOM, b"MyOperator"
    whole = flatbuffer.unpack(packed(model)).operatorCodes[0]
    assert (whole.builtinCode, whole.customCode) == (schema.BuiltinOperator.CUSTOM, b"MyOperator")


def test_tensors_of_all_subgraphs_get_names_of_their_own() -> None:
    net = TfliteBuilder()
    x, y = net.tensor("x", (1, 2), "float32"), net.tensor("x", (1, 2), "float32")
    net.operator("RELU", [x], [y])
    net.subgraph()
    net.tensor("x", (1, 2), "float32")
    net.main()
    model = flatbuffer.unpack(net.build([x], [y]))
    flatbuffer.rename_tensors(model, lambda name: name)
    names = [tensor.name for graph in model.subgraphs for tensor in graph.tensors]
    assert names == [b"x", b"x_1", b"x_2"]


def test_content_in_the_buffer_that_stands_for_none_is_refused() -> None:
    """LiteRT does not look there, and TFLite Micro does."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(dense(), 0))
    weights = model.subgraphs[0].tensors[2]
    model.buffers[0], weights.buffer = model.buffers[weights.buffer], 0
    with pytest.raises(ModelError, match="first buffer, which stands for 'no content', has some"):
        read_tflite(packed(model), "net.tflite")
