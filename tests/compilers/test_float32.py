"""Keras to float TFLite."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgerig.artifact import Artifact
from edgerig.compilers.float32 import Float32
from edgerig.errors import CompileError, IncompatibleError, ModelError
from edgerig.models.files import open_artifact
from edgerig.models.graph.read import read_graph
from edgerig.models.graph.tflite_check import buffers_outside
from edgerig.models.keras.engine import import_keras
from edgerig.models.keras.files import load_keras


def test_tflite_agrees_with_keras(keras_net: Artifact, float_net: Artifact, blobs, run_litert) -> None:
    inputs = blobs.split("test").inputs(slice(0, 50), keras_net.preprocessing)
    expected = np.asarray(load_keras(Path(keras_net.path))(inputs))
    np.testing.assert_allclose(run_litert(float_net.path, inputs), expected, atol=1e-6)


def test_the_artifact_describes_the_file(keras_net: Artifact, float_net: Artifact) -> None:
    assert Path(float_net.path).name == "net.tflite"
    assert [(spec.name, spec.shape, spec.dtype) for spec in float_net.inputs] == [("input", (1, 12, 12, 1), "float32")]
    assert [(spec.name, spec.shape, spec.dtype) for spec in float_net.outputs] == [("output", (1, 4), "float32")]
    assert (float_net.classes, float_net.preprocessing) == (keras_net.classes, keras_net.preprocessing)
    assert float_net.origins[-1].tool == "float32"
    assert float_net.origins[-1].parent == keras_net.sha256
    assert {"keras", "jax", "litert-converter", "edgerig"} <= set(float_net.origins[-1].versions)
    assert open_artifact(Path(float_net.path)) == float_net


def test_operators_are_named_by_their_layers(float_net: Artifact) -> None:
    graph = read_graph(Path(float_net.path))
    assert [operator.op for operator in graph.operators] == [
        "DEPTHWISE_CONV_2D",
        "DEPTHWISE_CONV_2D",
        "MAX_POOL_2D",
        "RESHAPE",
        "FULLY_CONNECTED",
        "FULLY_CONNECTED",
        "SOFTMAX",
    ]
    assert not any("jit(" in tensor.name for tensor in graph.tensors)
    assert len({tensor.name for tensor in graph.tensors}) == len(graph.tensors)


def test_conversion_is_deterministic(keras_net: Artifact, float_net: Artifact, tmp_path: Path) -> None:
    assert Float32().compile(keras_net, tmp_path).sha256 == float_net.sha256


def test_neither_tensorflow_nor_pytorch_is_imported(float_net: Artifact) -> None:
    assert not {"tensorflow", "torch"} & set(sys.modules)


def test_float_tflite_passes_through(float_net: Artifact, tmp_path: Path) -> None:
    through = Float32().compile(float_net, tmp_path)
    assert Path(through.path).name == "net_float32.tflite"
    assert through.sha256 == float_net.sha256
    assert [origin.tool for origin in through.origins][-2:] == ["float32", "float32"]


def test_several_inputs_and_outputs_keep_their_names(tmp_path: Path) -> None:
    keras = import_keras()
    left, right = keras.Input((3,), name="left"), keras.Input((5,), name="right")
    total = keras.layers.Dense(2, name="total")(keras.layers.Concatenate()([left, right]))
    extra = keras.layers.Dense(1, name="extra")(right)
    keras.Model([left, right], [total, extra]).save(tmp_path / "two.keras")
    made = Float32().compile(open_artifact(tmp_path / "two.keras"), tmp_path)
    assert {spec.name: spec.shape for spec in made.inputs} == {"left": (1, 3), "right": (1, 5)}
    assert {spec.name: spec.shape for spec in made.outputs} == {"total": (1, 2), "extra": (1, 1)}


@pytest.mark.slow
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(
    ("kernel", "stride"), [(2, 2), (3, 2), (4, 2), (4, 3), (2, 3), ((3, 2), (2, 3)), ((3, 4), 2), ((2, 3), (1, 2))]
)
def test_transposed_convolutions_agree_with_keras(
    kernel: Any, stride: Any, padding: str, tmp_path: Path, run_litert: Any
) -> None:
    keras = import_keras()
    inputs = keras.Input((8, 6, 3))
    layer = keras.layers.Conv2DTranspose(
        4,
        kernel,
        strides=stride,
        padding=padding,
        bias_initializer=keras.initializers.RandomNormal(seed=2),
        kernel_initializer=keras.initializers.RandomNormal(seed=1),
    )
    model = keras.Model(inputs, layer(inputs))
    model.save(tmp_path / "net.keras")
    made = Float32().compile(open_artifact(tmp_path / "net.keras"), tmp_path)
    image = np.random.default_rng(0).normal(size=(1, 8, 6, 3)).astype(np.float32)
    np.testing.assert_allclose(run_litert(made.path, image), np.asarray(model(image)), rtol=0, atol=1e-6)


def test_lambda_layers_are_not_run(tmp_path: Path) -> None:
    keras = import_keras()
    marker = tmp_path / "ran"
    model = keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x * 2)])
    model.save(tmp_path / "evil.keras")
    with pytest.raises(ModelError):
        Float32().compile(open_artifact(tmp_path / "evil.keras"), tmp_path / "out")
    assert not marker.exists()
    assert not (tmp_path / "out").exists()


def test_a_free_axis_is_refused(tmp_path: Path) -> None:
    keras = import_keras()
    keras.Sequential([keras.Input((None, 4)), keras.layers.Dense(2)]).save(tmp_path / "free.keras")
    artifact = Artifact("free", "keras", "", 0, (), (), str(tmp_path / "free.keras"))
    import msgspec

    from edgerig.files import sha256_file

    artifact = msgspec.structs.replace(artifact, sha256=sha256_file(tmp_path / "free.keras"))
    with pytest.raises(CompileError, match="no fixed shape"):
        Float32().compile(artifact, tmp_path / "out")


def test_a_changed_file_is_refused(float_net: Artifact, tmp_path: Path) -> None:
    import msgspec

    copy = tmp_path / "net.tflite"
    copy.write_bytes(Path(float_net.path).read_bytes()[:-8])
    with pytest.raises(ModelError, match="SHA-256"):
        Float32().compile(msgspec.structs.replace(float_net, path=str(copy)), tmp_path / "out")


def test_onnx_and_quantized_files_are_refused() -> None:
    assert "reads keras or savedmodel or tflite" in (Float32().refuses("onnx", "float32") or "")
    assert "quantized" in (Float32().refuses("tflite", "int8") or "")
    artifact = Artifact("net", "tflite", "", 0, (), (), "net.tflite", scheme="int8")
    with pytest.raises(IncompatibleError):
        Float32().compile(artifact, Path("nowhere"))


def test_buffers_are_inside_and_aligned(float_net: Artifact) -> None:
    from ai_edge_litert import schema_py_generated as schema

    data = float_net.read()
    assert buffers_outside(data) == []
    model = schema.Model.GetRootAs(data, 0)
    held = [model.Buffers(i) for i in range(model.BuffersLength()) if model.Buffers(i).DataLength()]
    assert held
    assert {buffer._tab.Vector(buffer._tab.Offset(4)) % 16 for buffer in held} == {0}
