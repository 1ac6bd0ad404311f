"""Artifacts that are deliberately wrong are found out, and the tensor is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from edgerig.artifact import Artifact, Quantization
from edgerig.compilers import flatbuffer
from edgerig.compilers.base import ModelCompiler
from edgerig.compilers.checks import check_artifact
from edgerig.compilers.float32 import Float32
from edgerig.compilers.quantize import Dynamic, Float16, Int8, Int8Settings, Int16x8
from edgerig.errors import ArtifactCheckError, CompileError
from edgerig.models.files import open_artifact
from edgerig.models.graph.read import read_graph
from edgerig.models.graph.tflite_check import check_tflite
from edgerig.models.graph.types import Graph, Operator, Tensor
from edgerig.models.keras.engine import import_keras

SCHEMES = ["float32", "float16", "dynamic", "int8", "int16x8"]


@pytest.fixture(scope="module")
def variants(float_net: Artifact, blobs, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    out = tmp_path_factory.mktemp("variants")
    made = {cls.name: cls().compile(float_net, out, blobs) for cls in (Float16, Dynamic, Int8, Int16x8)}
    return {"float32": float_net, **made}


def with_tensor(graph: Graph, index: int, **changes: Any) -> Graph:
    tensors = list(graph.tensors)
    tensors[index] = msgspec.structs.replace(tensors[index], **changes)
    return msgspec.structs.replace(graph, tensors=tuple(tensors))


def weight_of(graph: Graph, op: str) -> int:
    return next(operator for operator in graph.operators if operator.op == op).inputs[1]


@pytest.mark.slow
@pytest.mark.parametrize("claimed", SCHEMES)
@pytest.mark.parametrize("real", SCHEMES)
def test_only_the_real_scheme_passes(real: str, claimed: str, variants: dict[str, Artifact]) -> None:
    graph = read_graph(Path(variants[real].path))
    if real == claimed:
        check_artifact(graph, claimed, "net")
        return
    with pytest.raises(ArtifactCheckError, match=claimed):
        check_artifact(graph, claimed, "net")


@pytest.mark.parametrize("scheme", ["int8", "int16x8", "dynamic"])
def test_a_float_weight_is_named(scheme: str, variants: dict[str, Artifact]) -> None:
    graph = read_graph(Path(variants[scheme].path))
    index = weight_of(graph, "FULLY_CONNECTED")
    wrong = with_tensor(graph, index, dtype="float32", quantization=None)
    with pytest.raises(ArtifactCheckError) as caught:
        check_artifact(wrong, scheme, "net.tflite")
    assert f"the weight {graph.tensors[index].name!r} (tensor {index})" in caught.value.message
    assert "(FULLY_CONNECTED) is float32" in caught.value.message


def test_a_float32_weight_in_a_float16_file_is_named(variants: dict[str, Artifact]) -> None:
    graph = read_graph(Path(variants["float16"].path))
    source = next(operator for operator in graph.operators if operator.op == "DEQUANTIZE").inputs[0]
    wrong = with_tensor(graph, source, dtype="float32")
    with pytest.raises(ArtifactCheckError, match=rf"the weight .*\(tensor {source}\).* is float32"):
        check_artifact(wrong, "float16", "net")


def test_an_operator_left_in_float_is_named_before_and_after_a_real_compilation(
    blobs, tmp_path: Path, heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The quantizer leaves LEAKY_RELU in float, between a DEQUANTIZE and a QUANTIZE: it is asked beforehand, and what
    it has written is looked at nevertheless."""
    keras = import_keras()
    layers = keras.layers
    keras.Sequential(
        [keras.Input((12, 12, 1)), layers.Conv2D(4, 3), layers.LeakyReLU(), layers.Flatten(), layers.Dense(3)]
    ).save(tmp_path / "leaky.keras")
    source = Float32().compile(open_artifact(tmp_path / "leaky.keras"), tmp_path)
    for compiler in (Int8(), Int16x8()):
        with pytest.raises(CompileError, match=r"would leave operator 1 \(LEAKY_RELU\), which gives '.*', in float"):
            compiler.compile(source, tmp_path / "out", blobs, heard)
    assert not heard.lines
    monkeypatch.setattr("edgerig.compilers.quantize.check_operators", lambda *arguments: None)
    with pytest.raises(ArtifactCheckError, match=r"the activation .*\(LEAKY_RELU\) is float32"):
        Int8().compile(source, tmp_path / "out", blobs)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("settings", "what"), [({"input_type": "float32"}, "input"), ({"output_type": "float32"}, "output")]
)
def test_a_float_boundary_that_was_not_declared_is_refused(
    settings: dict[str, Any], what: str, float_net: Artifact, blobs, tmp_path: Path
) -> None:
    made = Int8(Int8Settings(**settings)).compile(float_net, tmp_path, blobs)
    graph = read_graph(Path(made.path))
    check_artifact(graph, "int8", "net", **settings)
    with pytest.raises(ArtifactCheckError, match=f"the {what} .* is float32, and should be int8"):
        Int8()._inspect(graph, made.read(), "int8", "net")


def test_a_float_boundary_must_be_converted_at_once(variants: dict[str, Artifact]) -> None:
    graph = read_graph(Path(variants["int8"].path))
    wrong = with_tensor(graph, graph.inputs[0], dtype="float32", quantization=None)
    with pytest.raises(ArtifactCheckError, match=r"the activation 'input' .*DEPTHWISE_CONV_2D"):
        check_artifact(wrong, "int8", "net", input_type="float32")


@pytest.mark.parametrize(
    ("quantization", "problem"),
    [
        (Quantization((0.1,) * 3, (0,) * 3, 0), "3 scales for 4 channels"),
        (Quantization((0.1,) * 4, (0,) * 4, 7), "its axis is 7"),
        (Quantization((0.1,) * 4, (0,) * 4, None), "4 scales and no axis"),
        (Quantization((0.1,) * 4, (0,) * 2, 0), "2 zero points for 4 scales"),
        (Quantization((0.1, 0.1, -0.1, 0.1), (0,) * 4, 0), "negative or not a number"),
        (Quantization((0.1, 0.1, float("inf"), 0.1), (0,) * 4, 0), "negative or not a number"),
    ],
)
def test_scales_that_do_not_fit_are_named(
    quantization: Quantization, problem: str, variants: dict[str, Artifact]
) -> None:
    graph = read_graph(Path(variants["int8"].path))
    index = graph.operators[-2].inputs[1]
    assert graph.tensors[index].shape == (4, 16)
    with pytest.raises(ArtifactCheckError, match=problem):
        check_artifact(with_tensor(graph, index, quantization=quantization), "int8", "net")


def test_an_activation_without_a_scale_is_named(variants: dict[str, Artifact]) -> None:
    graph = read_graph(Path(variants["int8"].path))
    index = graph.operators[0].outputs[0]
    with pytest.raises(ArtifactCheckError, match=rf"tensor {index}\) of operator 0 .* has no scale"):
        check_artifact(with_tensor(graph, index, quantization=None), "int8", "net")


def test_buffers_outside_are_refused(variants: dict[str, Artifact]) -> None:
    import flatbuffers

    model = flatbuffer.unpack(variants["int8"].read())
    index = max(
        range(len(model.buffers)), key=lambda i: 0 if model.buffers[i].data is None else model.buffers[i].data.size
    )
    content = model.buffers[index].data
    model.buffers[index].data, model.buffers[index].offset, model.buffers[index].size = None, 1 << 40, content.size
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    with pytest.raises(ArtifactCheckError, match=f"keeps buffer {index} outside"):
        check_tflite(bytes(builder.Output()), "net")


def test_a_file_that_litert_refuses_is_refused(variants: dict[str, Artifact]) -> None:
    """A scale in whose steps the 6 of ReLU6 is no 32-bit number."""
    from ai_edge_litert.schema_py_generated import ActivationFunctionType

    model = flatbuffer.unpack(variants["int8"].read())
    graph = model.subgraphs[0]
    graph.operators[0].builtinOptions.fusedActivationFunction = ActivationFunctionType.RELU6
    output = graph.tensors[graph.operators[0].outputs[0]]
    output.quantization.scale = np.array([1e-30], np.float32)
    data = flatbuffer.pack(model)
    with pytest.raises(ArtifactCheckError, match="LiteRT refuses net") as caught:
        check_tflite(data, "net")
    assert "trained" in (caught.value.hint or "")


def onnx_graph(weight_from: str, activation_from: str) -> Graph:
    """Conv whose weight and activation come from the given operators (or straight, with an empty name)."""
    names = ["x", "x_q", "x_dq", "w", "w_dq", "y"]
    tensors = [Tensor(index=i, name=name, shape=(1,), dtype="float32") for i, name in enumerate(names)]
    tensors[1] = msgspec.structs.replace(tensors[1], dtype="int8")
    tensors[3] = msgspec.structs.replace(tensors[3], dtype="int8" if weight_from else "float32", constant=True)
    operators = [Operator(index=0, op="QuantizeLinear", name="q", inputs=(0,), outputs=(1,))]
    if activation_from:
        operators.append(Operator(index=1, op=activation_from, name="dq", inputs=(1,), outputs=(2,)))
    if weight_from:
        operators.append(Operator(index=2, op=weight_from, name="wdq", inputs=(3,), outputs=(4,)))
    conv = Operator(
        index=3, op="Conv", name="conv", inputs=(2 if activation_from else 0, 4 if weight_from else 3), outputs=(5,)
    )
    return Graph(
        name="g", format="onnx", tensors=tuple(tensors), operators=(*operators, conv), inputs=(0,), outputs=(5,)
    )


def test_onnx_is_quantized_where_both_sides_come_dequantized() -> None:
    check_artifact(onnx_graph("DequantizeLinear", "DequantizeLinear"), "int8", "net.onnx")
    with pytest.raises(ArtifactCheckError, match=r"the weight 'w' .*\(Conv\) is float32"):
        check_artifact(onnx_graph("", "DequantizeLinear"), "int8", "net.onnx")
    with pytest.raises(ArtifactCheckError, match=r"the activation 'x' .*\(Conv\) is float32"):
        check_artifact(onnx_graph("DequantizeLinear", ""), "int8", "net.onnx")


def test_a_compiler_that_lies_writes_nothing(float_net: Artifact, tmp_path: Path) -> None:
    class Liar(ModelCompiler):
        name, summary, makes, scheme = "liar", "says int8", "tflite", "int8"
        takes = frozenset({"tflite"})

        def _compile(self, artifact: Artifact, *args: Any) -> bytes:
            return artifact.read()

    with pytest.raises(ArtifactCheckError, match="should be int8"):
        Liar().compile(float_net, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_compiler_that_writes_garbage_is_told(float_net: Artifact, tmp_path: Path) -> None:
    class Garbage(ModelCompiler):
        name, summary, makes, scheme = "garbage", "writes nonsense", "tflite", "float32"
        takes = frozenset({"tflite"})

        def _compile(self, *args: Any) -> bytes:
            return b"nonsense"

    with pytest.raises(ArtifactCheckError, match="What compiler 'garbage' made is not usable"):
        Garbage().compile(float_net, tmp_path / "out")
    assert not (tmp_path / "out").exists()
