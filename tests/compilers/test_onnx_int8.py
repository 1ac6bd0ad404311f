"""Static int8 ONNX: accuracy kept, nothing left float, bad calibration data refused."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgerig.artifact import Artifact
from edgerig.compilers.onnx import Onnx
from edgerig.compilers.onnx_int8 import OnnxInt8, OnnxInt8Settings
from edgerig.compilers.qdq import unquantized
from edgerig.datasets.base import Dataset
from edgerig.datasets.npz import Npz
from edgerig.datasets.random import Random, RandomSettings
from edgerig.errors import ArtifactCheckError, CompileError, IncompatibleError, UsageError
from edgerig.models.files import open_artifact
from edgerig.models.graph.read import read_graph
from edgerig.progress import Progress, Task
from edgerig.runtimes.onnxruntime import OnnxRuntime
from edgerig.testing.networks.onnx_networks import tree_onnx
from edgerig.testing.networks.several_ends import (
    integers_onnx,
    two_in_three_out,
    two_in_three_out_onnx,
    two_in_three_out_tflite,
)


def predictions(path: str, inputs: Any) -> Any:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: sample[None]})[0] for sample in inputs])


@pytest.fixture(scope="module")
def quantized(float_net: Artifact, blobs: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return OnnxInt8().compile(float_net, tmp_path_factory.mktemp("int8"), blobs)


def test_it_is_int8_through_and_through(quantized: Artifact) -> None:
    assert (quantized.format, quantized.scheme) == ("onnx", "int8")
    assert unquantized(read_graph(Path(quantized.path))) == []


def test_it_predicts_like_the_float_network(
    quantized: Artifact, float_net: Artifact, blobs: Dataset, tmp_path: Path
) -> None:
    test = blobs.split("test").inputs(slice(None), float_net.preprocessing)
    expected = predictions(Onnx().compile(float_net, tmp_path).path, test)
    found = predictions(quantized.path, test)
    assert np.abs(found - expected).max() < 0.05
    assert not np.array_equal(found, expected)


def test_onnx_runtime_runs_it_in_integers(quantized: Artifact, tmp_path: Path) -> None:
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(quantized.path, options, providers=["CPUExecutionProvider"])
    kinds = {node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node}
    assert kinds & {"Conv", "Gemm", "MatMul"} == set()
    assert "QLinearConv" in kinds


def test_weights_have_a_scale_for_each_channel(
    quantized: Artifact, float_net: Artifact, blobs: Dataset, tmp_path: Path
) -> None:
    def most(artifact: Artifact) -> int:
        graph = read_graph(Path(artifact.path))
        return max(len(tensor.quantization.scales) for tensor in graph.tensors if tensor.quantization)

    assert most(quantized) > 1
    settings = OnnxInt8Settings(per_channel=False)
    assert most(OnnxInt8(settings).compile(float_net, tmp_path, blobs)) == 1


def test_onnx_files_of_others_are_quantized_batch_norm_included(blobs: Dataset, tmp_path: Path) -> None:
    from onnx import TensorProto, helper, numpy_helper, save

    rng = np.random.default_rng(0)
    constants = {
        "w": rng.normal(0, 1, (3, 1, 3, 3)),
        "s": rng.random(3),
        "b": rng.random(3),
        "m": rng.random(3),
        "v": rng.random(3) + 1,
    }
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["t", "w"], ["c"]),
        helper.make_node("BatchNormalization", ["c", "s", "b", "m", "v"], ["n"]),
        helper.make_node("Relu", ["n"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["g"]),
        helper.make_node("Flatten", ["g"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "theirs",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 12, 12, 1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=7), tmp_path / "theirs.onnx")
    source = open_artifact(tmp_path / "theirs.onnx", preprocessing=blobs.preprocessing)
    made = OnnxInt8().compile(source, tmp_path / "out", blobs)
    test = blobs.split("test").inputs(slice(0, 20), blobs.preprocessing)
    expected = predictions(source.path, test)
    assert np.abs(predictions(made.path, test) - expected).max() < 0.05 * np.abs(expected).max()


def test_a_float_operator_left_over_fails_and_names_its_tensor(
    float_net: Artifact, blobs: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from onnxruntime import quantization

    whole = quantization.quantize_static

    def without_gemm(*arguments: Any, **options: Any) -> None:
        whole(*arguments, **options, op_types_to_quantize=["Conv", "Transpose", "MaxPool", "Reshape", "Softmax"])

    monkeypatch.setattr(quantization, "quantize_static", without_gemm)
    with pytest.raises(ArtifactCheckError, match=r"'.+' of operator \d+ \(Gemm\) is float32"):
        OnnxInt8().compile(float_net, tmp_path, blobs)
    assert list(tmp_path.iterdir()) == []


def network_of(nodes: list[Any], constants: dict[str, Any], path: Path, outputs: int = 4) -> Path:
    """``x`` (1, 12, 12, 1) through a convolution to ``h`` (1, 4, 12, 12), the nodes, and a dense layer from ``g``."""
    rng = np.random.default_rng(0)
    values = {
        "turn": np.array([1, 1, 12, 12]),
        "w": rng.normal(size=(4, 1, 3, 3)).astype(np.float32),
        "dense": rng.normal(size=(576, outputs)).astype(np.float32),
        **constants,
    }
    before = [
        helper.make_node("Reshape", ["x", "turn"], ["t"]),
        helper.make_node("Conv", ["t", "w"], ["h"], pads=[1, 1, 1, 1]),
    ]
    after = [helper.make_node("Flatten", ["g"], ["f"]), helper.make_node("MatMul", ["f", "dense"], ["y"])]
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)]
        for name, shape in (("x", [1, 12, 12, 1]), ("y", [1, outputs]))
    ]
    stored = [numpy_helper.from_array(value, name) for name, value in values.items()]
    graph = helper.make_graph([*before, *nodes, *after], "g", *ends, stored)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


#: A normalization as converters write it, whose square root and reciprocal ONNX Runtime does not quantize.
NORMALIZATION = [
    helper.make_node("ReduceMean", ["h"], ["mean"], axes=[1]),
    helper.make_node("Sub", ["h", "mean"], ["centred"]),
    helper.make_node("Mul", ["centred", "centred"], ["squares"]),
    helper.make_node("ReduceMean", ["squares"], ["variance"], axes=[1]),
    helper.make_node("Add", ["variance", "epsilon"], ["shifted"]),
    helper.make_node("Sqrt", ["shifted"], ["root"]),
    helper.make_node("Reciprocal", ["root"], ["scale"]),
    helper.make_node("Mul", ["centred", "scale"], ["g"]),
]


def test_operators_that_are_not_quantized_stay_in_float_which_is_told(
    blobs: Dataset, tmp_path: Path, heard: Any
) -> None:
    path = network_of(NORMALIZATION, {"epsilon": np.float32(1e-3)}, tmp_path / "net.onnx")
    source = open_artifact(path, preprocessing=blobs.preprocessing)
    made = OnnxInt8().compile(source, tmp_path / "out", blobs, heard)
    left = made.origins[-1].options["in_float"]
    assert left.keys() >= {"Add", "Mul", "Reciprocal", "ReduceMean", "Sqrt"}
    kinds = ", ".join(f"{count} {op}" for op, count in left.items())
    assert f"net: {sum(left.values())} of 12 operators stay in float ({kinds})" in heard.lines
    samples = blobs.split("test").inputs(slice(0, 40), blobs.preprocessing)
    right, got = (predictions(item.path, samples) for item in (source, made))
    assert np.corrcoef(right.ravel(), got.ravel())[0, 1] > 0.98
    # Where nothing varies the inverse root is the largest: it must not become infinite.
    assert np.isfinite(predictions(made.path, np.zeros_like(samples))).all()
    with pytest.raises(ArtifactCheckError, match=r"operator \d+ \((ReduceMean|Sqrt)\) is float32"):
        OnnxInt8(OnnxInt8Settings(float_operators="refuse")).compile(source, tmp_path / "refused", blobs)


def test_weights_that_would_stay_in_float_are_refused_before_anything_is_calibrated(
    blobs: Dataset, tmp_path: Path, heard: Any
) -> None:
    node = helper.make_node("Einsum", ["h", "k"], ["g"], name="mixing", equation="bchw,cd->bdhw")
    path = network_of([node], {"k": np.ones((4, 4), np.float32)}, tmp_path / "net.onnx")
    with pytest.raises(CompileError, match=r"leaves operator 2 \(Einsum, 'mixing'\), which multiplies by weights"):
        OnnxInt8().compile(open_artifact(path), tmp_path / "out", blobs, heard)
    assert not heard.lines


def test_a_float_network_is_unquantized_everywhere(float_net: Artifact, tmp_path: Path) -> None:
    left = unquantized(read_graph(Path(Onnx().compile(float_net, tmp_path).path)))
    assert any("weight" in each.sentence for each in left)
    assert any("activation" in each.sentence for each in left)


def test_nan_in_calibration_names_the_sample(
    float_net: Artifact, blobs_with: Callable[..., Dataset], tmp_path: Path
) -> None:
    with pytest.raises(CompileError, match=r"[Ss]ample \d+"):
        OnnxInt8().compile(float_net, tmp_path, blobs_with(spoil=float("nan")))
    assert list(tmp_path.iterdir()) == []


def test_a_dataset_of_another_shape_is_refused(
    float_net: Artifact, blobs_with: Callable[..., Dataset], tmp_path: Path
) -> None:
    with pytest.raises(IncompatibleError, match="shape"):
        OnnxInt8().compile(float_net, tmp_path, blobs_with(shape=(10, 10, 1)))


def test_without_a_dataset_it_says_so(float_net: Artifact, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no dataset"):
        OnnxInt8().compile(float_net, tmp_path)


def test_the_library_says_nothing_to_the_user(
    float_net: Artifact, blobs: Dataset, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    OnnxInt8(OnnxInt8Settings(calibration_samples=3)).compile(float_net, tmp_path, blobs)
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "WARNING" not in captured.err


def conv_file(path: Path, dtype: type[np.floating[Any]] = np.float32, opset: int = 9, listed: bool = False) -> Path:
    """Conv, Relu, Flatten, MatMul of (1, 1, 12, 12); with ``listed`` constants are among the inputs, as IR 3 has it."""
    from onnx import helper, numpy_helper, save

    rng = np.random.default_rng(3)
    constants = {
        "w": rng.normal(size=(4, 1, 3, 3)).astype(dtype),
        "b": rng.normal(size=4).astype(dtype),
        "m": rng.normal(size=(400, 5)).astype(dtype),
    }
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Flatten", ["r"], ["f"]),
        helper.make_node("MatMul", ["f", "m"], ["y"]),
    ]
    inputs = {"x": (1, 1, 12, 12), **({name: value.shape for name, value in constants.items()} if listed else {})}
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info(name, kind, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info("y", kind, (1, 5))],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    versions = [helper.make_opsetid("", opset)]
    save(helper.make_model(graph, opset_imports=versions, ir_version=3 if listed else 8), path)
    return path


def test_constants_among_the_inputs_are_quantized_like_any(blobs: Dataset, tmp_path: Path) -> None:
    listed = open_artifact(conv_file(tmp_path / "listed.onnx", listed=True), preprocessing=blobs.preprocessing)
    usual = open_artifact(conv_file(tmp_path / "usual.onnx"), preprocessing=blobs.preprocessing)
    made = OnnxInt8().compile(listed, tmp_path / "out", blobs)
    assert unquantized(read_graph(Path(made.path))) == []
    test = blobs.split("test").inputs(slice(0, 20), blobs.preprocessing).transpose(0, 3, 1, 2)
    expected = predictions(usual.path, test)
    np.testing.assert_array_equal(predictions(listed.path, test), expected)
    assert np.abs(predictions(made.path, test) - expected).max() < 0.05 * np.abs(expected).max()


def test_a_float16_file_is_refused_as_what_it_is(blobs: Dataset, tmp_path: Path) -> None:
    source = open_artifact(conv_file(tmp_path / "half.onnx", np.float16, opset=13))
    with pytest.raises(IncompatibleError, match="this ONNX file computes in float16") as caught:
        OnnxInt8().compile(source, tmp_path / "out", blobs)
    assert "TFLite" not in str(caught.value)


def test_the_factors_of_a_resize_are_settings_and_stay_float(blobs: Dataset, tmp_path: Path) -> None:
    from onnx import TensorProto, helper, numpy_helper, save

    rng = np.random.default_rng(5)
    constants = {
        "w": rng.normal(0, 1, (4, 1, 3, 3)).astype(np.float32),
        "factors": np.array([1, 1, 2, 2], np.float32),
        "v": rng.normal(0, 1, (2, 4, 1, 1)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1] * 4),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Resize", ["r", "", "factors"], ["u"], mode="nearest"),
        helper.make_node("Conv", ["u", "v"], ["y"]),
    ]
    ends = [("x", (1, 1, 12, 12)), ("y", (1, 2, 24, 24))]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ends]
    graph = helper.make_graph(
        nodes,
        "net",
        values[:1],
        values[1:],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "net.onnx")
    source = open_artifact(tmp_path / "net.onnx", preprocessing=blobs.preprocessing)
    made = OnnxInt8().compile(source, tmp_path / "out", blobs)
    test = blobs.split("test").inputs(slice(0, 5), blobs.preprocessing).transpose(0, 3, 1, 2)
    expected = predictions(source.path, test)
    assert np.abs(predictions(made.path, test) - expected).max() < 0.05 * np.abs(expected).max()


@pytest.mark.parametrize("level", [logging.WARNING, logging.INFO])
def test_advice_of_the_quantizer_is_logged_where_more_than_warnings_is_asked_for(
    level: int, float_net: Artifact, blobs: Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What others log on the root logger meanwhile is logged in any case."""

    class Talks(Progress):
        @contextmanager
        def task(self, name: str, total: int | None = None) -> Iterator[Task]:
            yield Talking(name, total)

    class Talking(Task):
        def changed(self) -> None:
            logging.getLogger().warning("sample %d", self.done)

    settings = OnnxInt8Settings(calibration_samples=2)
    with caplog.at_level(level):
        OnnxInt8(settings).compile(float_net, tmp_path, blobs, Talks())
    advice = [record for record in caplog.records if "onnxruntime" in Path(record.pathname).parts]
    assert bool(advice) == (level == logging.INFO)
    messages = [record.getMessage() for record in caplog.records]
    assert [text for text in messages if text.startswith("sample")] == ["sample 1", "sample 2"]


@pytest.mark.parametrize("source", ["onnx", "tflite"])
def test_each_of_several_inputs_is_calibrated_on_its_own_values(
    source: str, left_and_right: Npz, tmp_path: Path
) -> None:
    make = {"onnx": two_in_three_out_onnx, "tflite": two_in_three_out_tflite}[source]
    network = open_artifact(make(tmp_path / f"net.{source}"))
    made = OnnxInt8().compile(network, tmp_path / "out", left_and_right)
    assert [spec.name for spec in made.inputs] == ["left", "right"]
    graph = read_graph(Path(made.path))
    assert unquantized(graph) == []
    inputs = left_and_right.split("train").named_inputs(slice(None), network.preprocessing)
    constants = read_onnx_constants(Path(made.path))
    for name, values in inputs.items():
        (scale,) = [
            constants[graph.tensors[operator.inputs[1]].name]
            for operator in graph.operators
            if operator.op == "QuantizeLinear" and graph.tensors[operator.inputs[0]].name == name
        ]
        assert float(scale) == pytest.approx(np.ptp(values) / 255, rel=0.01)
    with OnnxRuntime() as runtime:
        runtime.load(Path(made.path))
        test = left_and_right.split("test").named_inputs(slice(0, 20), network.preprocessing)
        outputs = runtime.run([test["left"], test["right"]]).outputs
    for output, exact in zip(outputs, two_in_three_out(test["left"], test["right"]), strict=True):
        assert np.abs(output - exact).max() < 0.05 * np.abs(exact).max()


def read_onnx_constants(path: Path) -> dict[str, Any]:
    import onnx
    from onnx import numpy_helper

    return {proto.name: numpy_helper.to_array(proto) for proto in onnx.load(path).graph.initializer}


def test_a_network_of_integers_alone_has_nothing_to_calibrate(left_and_right: Npz, tmp_path: Path) -> None:
    network = open_artifact(integers_onnx(tmp_path / "net.onnx"))
    with pytest.raises(IncompatibleError, match=r"takes no real numbers .*'ids' is int64, 'flags' is bool"):
        OnnxInt8().compile(network, tmp_path / "out", left_and_right)


@pytest.mark.parametrize("zipmap", [True, False])
def test_a_network_without_anything_to_quantize_is_refused_before_it_is_calibrated(
    zipmap: bool, tmp_path: Path
) -> None:
    path = tree_onnx(tmp_path / "tree.onnx", zipmap=zipmap)
    size = open_artifact(path).inputs[0].shape[1:]
    model = onnx.load(path)
    # As scikit-learn's converter has it: no operator of ONNX itself, and so no version of these.
    for opset in [each for each in model.opset_import if each.domain == ""]:
        if not zipmap and all(node.domain for node in model.graph.node):
            model.opset_import.remove(opset)
    onnx.save(model, path)
    with pytest.raises(CompileError, match=r"tree\.onnx cannot be quantized: ONNX Runtime quantizes none of its"):
        OnnxInt8().compile(open_artifact(path), tmp_path / "out", Random(RandomSettings(shape=size)))
