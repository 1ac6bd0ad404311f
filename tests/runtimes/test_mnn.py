"""MNN: bit for bit as by its own interface, ends in the order of the network, in the type that was asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from tests.needs import need_engine

from edgerig.compilers.mnn import Mnn as MnnCompiler
from edgerig.compilers.mnn import convert
from edgerig.compilers.program import run_python
from edgerig.errors import CompileError, InferenceError
from edgerig.measure.census import Census, verdicts
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.models.files import open_artifact
from edgerig.runtimes.base import Runtime
from edgerig.runtimes.mnn import Mnn, MnnSettings
from edgerig.runtimes.onnxruntime import OnnxRuntime
from edgerig.suites.conversion_grid.compare import largest_error, reference_of
from edgerig.testing.contracts.runtime import RuntimeContract, samples_for
from edgerig.testing.networks import dense_onnx
from edgerig.testing.networks.several_ends import two_in_three_out_onnx

need_engine("MNN", "mnn")


def as_mnn(path: Path) -> Path:
    """An ONNX file as MNN converts it, beside it."""
    target = path.with_suffix(".mnn")
    target.write_bytes(convert(path))
    return target


class TestMnn(RuntimeContract):
    @pytest.fixture
    def runtime(self) -> Runtime:
        return Mnn()

    @pytest.fixture
    def network(self, tmp_path: Path) -> Path:
        return as_mnn(dense_onnx(tmp_path / "net.onnx"))

    @pytest.fixture
    def network_of_several(self, tmp_path: Path) -> Path:
        return as_mnn(two_in_three_out_onnx(tmp_path / "several.onnx"))

    @pytest.fixture
    def wrong_network(self, tmp_path: Path) -> Path:
        path = tmp_path / "broken.mnn"
        path.write_bytes(b"\x08\xff" * 40)
        return path

    def reference(self, path: Path, inputs: Sequence[Any]) -> list[Any]:
        import MNN

        interpreter = MNN.Interpreter(str(path))
        session = interpreter.createSession({"backend": "CPU", "numThread": 1, "precision": "high"})
        rows = []
        for sample in zip(*inputs, strict=True):
            # In alphabetical order, as the inputs and outputs of these networks are.
            for tensor, value in zip(interpreter.getSessionInputAll(session).values(), sample, strict=True):
                tensor.copyFrom(MNN.Tensor((1, *value.shape), MNN.Halide_Type_Float, value[None].copy(), 1))
            interpreter.runSession(session)
            outputs = []
            for tensor in interpreter.getSessionOutputAll(session).values():
                host = MNN.Tensor(tensor.getShape(), MNN.Halide_Type_Float, np.zeros(tensor.getShape(), np.float32), 1)
                tensor.copyToHostTensor(host)
                outputs.append(np.array(host.getNumpyData()))
            rows.append(outputs)
        return [np.concatenate(column) for column in zip(*rows, strict=True)]


def loaded(path: Path, **settings: Any) -> Mnn:
    runtime = Mnn(MnnSettings(**settings))
    runtime.load(path)
    return runtime


@pytest.mark.parametrize("batch", [1, 4])
def test_ends_and_outputs_are_those_of_onnx_runtime(tmp_path: Path, batch: int) -> None:
    path = dense_onnx(tmp_path / "net.onnx", batch="n")
    ours, theirs = loaded(as_mnn(path), batch=batch), OnnxRuntime(OnnxRuntime.Settings(batch=batch))
    theirs.load(path)
    assert ours.inputs == theirs.inputs
    assert ours.outputs == theirs.outputs
    samples = [np.random.default_rng(0).normal(size=(20, *ours.inputs[0].shape)).astype(np.float32)]
    if batch == 1:
        samples = [samples[0][:, 0]]
    np.testing.assert_allclose(ours.run(samples).outputs[0], theirs.run(samples).outputs[0], rtol=0, atol=2e-6)


def test_ends_keep_the_order_of_the_network(tmp_path: Path) -> None:
    """MNN's own interface gives them in alphabetical order."""
    shape = [1, 4]
    nodes = [
        helper.make_node("Relu", ["left"], ["zebra"]),
        helper.make_node("Sub", ["zebra", "apple"], ["middle"]),
        helper.make_node("Neg", ["apple"], ["ant"]),
    ]
    inputs, outputs = ("left", "apple"), ("zebra", "ant", "middle")
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in names] for names in (inputs, outputs)
    ]
    path = tmp_path / "order.onnx"
    graph = helper.make_graph(nodes, "graph", *ends)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    runtime = loaded(as_mnn(path))
    assert [spec.name for spec in runtime.inputs] == list(inputs)
    assert [spec.name for spec in runtime.outputs] == list(outputs)
    left, apple = samples_for(runtime.inputs, 3)
    want = (np.maximum(left, 0), -apple, np.maximum(left, 0) - apple)
    for got, expected in zip(runtime.run([left, apple]).outputs, want, strict=True):
        np.testing.assert_array_equal(got, expected)


def test_numbers_of_64_bits_stay_what_they_are_for_the_network(tmp_path: Path) -> None:
    """MNN makes int32 of them, inputs and outputs alike, and its file does not tell."""
    table = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "index"], ["row"]),
        helper.make_node("ArgMax", ["row"], ["largest"], axis=-1, keepdims=0),
    ]
    inputs = [helper.make_tensor_value_info("index", TensorProto.INT64, [1, 4])]
    outputs = [
        helper.make_tensor_value_info("row", TensorProto.FLOAT, [1, 4, 3]),
        helper.make_tensor_value_info("largest", TensorProto.INT64, [1, 4]),
    ]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, [onnx.numpy_helper.from_array(table, "table")])
    path = tmp_path / "index.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    runtime = loaded(Path(MnnCompiler().compile(open_artifact(path), tmp_path / "out").path))
    assert [spec.dtype for spec in (*runtime.inputs, *runtime.outputs)] == ["int64", "float32", "int64"]
    index = np.array([[0, 9, 3, 3], [1, 2, 4, 8]])
    rows, largest = runtime.run([index]).outputs
    np.testing.assert_array_equal(rows, table[index])
    np.testing.assert_array_equal(largest, table[index].argmax(-1))
    assert largest.dtype == np.int64
    with pytest.raises(InferenceError, match="'index' holds a number beyond 32 bits"):
        runtime.run([np.full((1, 4), 2**40)])


def test_gelu_is_its_approximation_which_a_comparison_tells(tmp_path: Path) -> None:
    """A network that MNN computes otherwise than ONNX defines it: it takes the formula with tanh for erf."""
    shape = [1, 64]
    ends = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)] for name in "xy"]
    graph = helper.make_graph([helper.make_node("Gelu", ["x"], ["y"])], "graph", *ends)
    path = tmp_path / "gelu.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), str(path))
    theirs, ours = OnnxRuntime(), loaded(as_mnn(path))
    theirs.load(path)
    x = np.linspace(-3, 1, 64, dtype=np.float32)[None]
    got = ours.run([x]).outputs[0]
    approximation = 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    np.testing.assert_allclose(got, approximation, rtol=0, atol=2e-5)
    samples = [{"x": x}, {"x": x + np.float32(0.1)}]
    reference = reference_of(lambda sample: theirs.run([sample["x"]]).outputs, samples, ())
    error, allowed, words = largest_error(reference, [ours.run([sample["x"]]).outputs for sample in samples])
    assert error > allowed
    assert "output 0 differs" in words


def test_a_batch_that_the_file_fixes_is_refused(tmp_path: Path) -> None:
    path = as_mnn(dense_onnx(tmp_path / "fixed.onnx", batch=2))
    with pytest.raises(InferenceError, match="cannot be set to 4"):
        loaded(path, batch=4)


def test_a_type_that_the_processor_lacks_is_told_by_what_ran(tmp_path: Path) -> None:
    """MNN says nothing: asked for float16 it computes in float32 where it has no such kernels."""
    path = as_mnn(dense_onnx(tmp_path / "net.onnx"))
    runtime = loaded(path)
    samples = samples_for(runtime.inputs, 20)
    exact = runtime.run(samples).outputs[0]
    census = runtime.census(samples)
    assert isinstance(census, Census)
    assert {group.dtype for group in census.operators} <= {"float32", ""}
    assert census.requested == ()
    for asked in ("float16", "bfloat16"):
        other = loaded(path, precision=asked)
        census = other.census(samples)
        assert isinstance(census, Census)
        (verdict,) = verdicts(census)
        same = np.array_equal(other.run(samples[:1] and [samples[0][:1]]).outputs[0], exact[:1])
        assert verdict.outcome == ("not" if same else "met"), verdict.text


def test_operators_have_their_times_and_the_session_its_memory(tmp_path: Path) -> None:
    runtime = loaded(as_mnn(two_in_three_out_onnx(tmp_path / "several.onnx")))
    layers = runtime.profile(samples_for(runtime.inputs, 30))
    assert not isinstance(layers, Unavailable)
    assert [layer.op for layer in layers].count("Convolution") == 3, "MNN has products with constants as convolutions"
    for layer in layers:
        assert isinstance(layer.time, Measurement)
        assert layer.time.n == 30
    memory = runtime.memory()["engine_peak"]
    assert isinstance(memory, Measurement)
    assert 0 < memory.value < 10e6


def test_an_operator_that_it_lacks_is_named(tmp_path: Path) -> None:
    ends = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4])] for name in "xy"]
    graph = helper.make_graph([helper.make_node("Mine", ["x"], ["y"], domain="mine")], "graph", *ends)
    path = tmp_path / "own.onnx"
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), str(path))
    with pytest.raises(CompileError, match=r"wrote no network.*Mine"):
        convert(path)


def test_operators_of_a_network_that_mnnquant_has_quantized_are_told_as_int8(tmp_path: Path) -> None:
    source = dense_onnx(tmp_path / "net.onnx")
    network, quantized = as_mnn(source), tmp_path / "quantized.mnn"
    generator = np.random.default_rng(0)
    for number in range(4):
        folder = tmp_path / "calibration" / f"input_{number}"
        folder.mkdir(parents=True)
        (folder / "input.json").write_text(json.dumps({"inputs": [{"name": "x", "shape": [1, 8]}], "outputs": ["y"]}))
        (folder / "x.txt").write_text("\n".join(map(str, generator.normal(size=8))))
    settings = {
        "path": f"{tmp_path / 'calibration'}/", "used_sample_num": 4, "feature_quantize_method": "KL",
        "weight_quantize_method": "MAX_ABS", "input_type": "sequence", "batch_size": 1, "quant_bits": 8,
    }  # fmt: skip
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    arguments = [str(network), str(quantized), str(tmp_path / "settings.json")]
    ended = run_python("import _tools; _tools.mnnquant(['mnnquant', *sys.argv[2:]])", arguments, tmp_path, "mnnquant")
    assert quantized.is_file(), ended.last_words
    samples = samples_for(loaded(network).inputs, 2)
    in_float32, in_int8 = (loaded(path) for path in (network, quantized))
    census = in_int8.census(samples)
    assert isinstance(census, Census)
    dtypes = {operator.op: operator.dtype for operator in census.operators}
    assert dtypes["Convolution"] == "int8"
    assert dtypes["Raster"] == ""
    float32 = in_float32.census(samples)
    assert isinstance(float32, Census)
    assert {operator.dtype for operator in float32.operators if operator.op == "Convolution"} == {"float32"}
    layers = in_int8.profile(samples)
    assert not isinstance(layers, Unavailable)
    assert all("[" not in layer.op for layer in layers)
    (there,), (here,) = (each.run(samples).outputs for each in (in_float32, in_int8))
    assert 0 < np.abs(np.asarray(there) - here).max() < 0.1


def test_a_network_whose_outputs_do_not_count_the_samples_of_a_batch_is_refused(tmp_path: Path) -> None:
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 8]) for name in "xy")
    shape = helper.make_tensor("shape", TensorProto.INT64, [2], [1, -1])
    nodes = [helper.make_node("Reshape", ["x", "shape"], ["row"]), helper.make_node("Softmax", ["row"], ["y"], axis=1)]
    graph = helper.make_graph(nodes, "graph", [x], [y], [shape])
    path = tmp_path / "fixed.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    network = as_mnn(path)
    assert loaded(network).outputs[0].shape == (1, 8)
    with pytest.raises(InferenceError, match=r"cannot be set to 4: 'y' has the shape \[1, 32\]"):
        loaded(network, batch=4)
