import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from tests.runtimes.onnx_contract import OnnxFilesContract

from edgerig.errors import InferenceError
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.runtimes.base import Runtime, RuntimeSettings
from edgerig.runtimes.onnxruntime import OnnxRuntime, OnnxRuntimeSettings
from edgerig.testing.contracts.runtime import samples_for
from edgerig.testing.networks import dense_onnx


def write(path: Path, node: Any, inputs: list[Any], outputs: list[Any]) -> Path:
    graph = helper.make_graph([node], "graph", inputs, outputs)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    return path


def value(name: str, shape: list[Any], kind: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


@pytest.fixture
def two_onnx(tmp_path: Path) -> Path:
    node = helper.make_node("TopK", ["a", "k"], ["values", "places"], name="top")
    return write(
        tmp_path / "two.onnx",
        node,
        [value("a", [1, 6]), value("k", [1], TensorProto.INT64)],
        [value("values", [1, 1]), value("places", [1, 1], TensorProto.INT64)],
    )


class TestOnnxRuntimeContract(OnnxFilesContract):
    @pytest.fixture
    def runtime(self) -> Runtime:
        return OnnxRuntime()

    def reference(self, path: Path, inputs: Sequence[Any]) -> list[Any]:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        names = [node.name for node in session.get_inputs()]
        rows = [
            session.run(None, {name: array[i : i + 1] for name, array in zip(names, inputs, strict=True)})
            for i in range(len(inputs[0]))
        ]
        return [np.concatenate(column) for column in zip(*rows, strict=True)]


def test_outputs_of_several_dtypes_are_bound_each(two_onnx: Path) -> None:
    runtime = OnnxRuntime()
    runtime.load(two_onnx.with_name("two.onnx"))
    a = np.array([[3, 9, 1, 0, 0, 0], [7, 0, 0, 0, 0, 8]], np.float32)
    values, places = runtime.run([a[:1], np.array([1])[:, None][:, 0]]).outputs
    assert values.tolist() == [[9.0]]
    assert places.tolist() == [[1]]
    assert [spec.dtype for spec in runtime.outputs] == ["float32", "int64"]


@pytest.mark.parametrize("free", [False, True])
def test_an_input_that_is_an_output_too_is_what_was_given(tmp_path: Path, free: bool) -> None:
    """The engine never writes the buffer of such an output."""
    shapes = {"x": [1, 3], "y": [1, "n"] if free else [1, 3]}
    path = write(
        tmp_path / "net.onnx",
        helper.make_node("Neg", ["x"], ["y"]),
        [value("x", shapes["x"])],
        [value("x", shapes["x"]), value("y", shapes["y"])],
    )
    runtime = OnnxRuntime()
    runtime.load(path)
    samples = np.arange(6, dtype=np.float32).reshape(2, 1, 3)
    for sample in samples:
        given, negated = runtime.run([sample]).outputs
        assert given.reshape(-1).tolist() == sample.reshape(-1).tolist()
        assert negated.reshape(-1).tolist() == (-sample).reshape(-1).tolist()


def test_onnxruntime_profile_has_names_types_shapes_and_peak(float_onnx: Path) -> None:
    runtime = OnnxRuntime()
    runtime.load(float_onnx)
    before = runtime.memory()["engine_peak"]
    assert isinstance(before, Unavailable)
    layers = runtime.profile(samples_for(runtime.inputs, 25))
    assert not isinstance(layers, Unavailable)
    assert [(layer.name, layer.op, layer.output_shape) for layer in layers] == [
        ("dense", "Gemm", (1, 4)),
        ("softmax", "Softmax", (1, 4)),
    ]
    times = [layer.time for layer in layers if isinstance(layer.time, Measurement)]
    assert all(time.n == 25 for time in times)
    peak = runtime.memory()["engine_peak"]
    assert isinstance(peak, Measurement)
    assert peak.value >= 4 * 8 * 4  # the weights


def test_the_profile_leaves_no_file_behind(float_onnx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    runtime = OnnxRuntime()
    runtime.load(float_onnx)
    assert not isinstance(runtime.profile(samples_for(runtime.inputs, 2)), Unavailable)
    assert list(folder.iterdir()) == []
    assert sorted(tmp_path.iterdir()) == before


def test_a_profile_that_cannot_be_read_is_unavailable(float_onnx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = OnnxRuntime()
    runtime.load(float_onnx)

    def fail(*_: Any) -> Any:
        raise json.JSONDecodeError("cut short", "", 0)

    monkeypatch.setattr(json, "loads", fail)
    layers = runtime.profile(samples_for(runtime.inputs, 2))
    assert isinstance(layers, Unavailable)
    assert "cut short" in layers.reason


def test_a_free_axis_that_is_not_the_batch_is_refused(tmp_path: Path) -> None:
    node = helper.make_node("Relu", ["x"], ["y"])
    path = write(tmp_path / "free.onnx", node, [value("x", [1, "width"])], [value("y", [1, "width"])])
    with pytest.raises(InferenceError, match="only the batch axis may be free"):
        OnnxRuntime().load(path)


def test_a_tensor_of_text_is_refused(tmp_path: Path) -> None:
    node = helper.make_node("Identity", ["x"], ["y"])
    text = TensorProto.STRING
    path = write(tmp_path / "text.onnx", node, [value("x", [1, 2], text)], [value("y", [1, 2], text)])
    with pytest.raises(InferenceError, match=r"tensor\(string\)"):
        OnnxRuntime().load(path)


def test_a_refused_file_leaves_standard_output_clean(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(dense_onnx(path).read_bytes().replace(b"Gemm", b"Ge\xff\xfe"))
    with pytest.raises(InferenceError):
        OnnxRuntime().load(path)
    assert capfd.readouterr().out == ""


def test_threads_reach_the_session(float_onnx: Path) -> None:
    runtime = OnnxRuntime(RuntimeSettings(threads=2))
    runtime.load(float_onnx)
    options = runtime._session.get_session_options()
    assert options.intra_op_num_threads == 2
    assert options.inter_op_num_threads == 1


def test_a_shape_that_only_the_engine_knows_is_read_from_what_it_made(tmp_path: Path) -> None:
    """Rows of the positive entries: their number differs from sample to sample."""
    nodes = [
        helper.make_node("NonZero", ["x"], ["places"]),
        helper.make_node("Cast", ["places"], ["y"], to=1),
        helper.make_node("Relu", ["x"], ["z"]),
    ]
    graph = helper.make_graph(nodes, "graph", [value("x", [1, 3])], [value("y", [2, "n"]), value("z", [1, 3])])
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    runtime = OnnxRuntime()
    runtime.load(path)
    assert [spec.shape for spec in runtime.outputs] == [(2, -1), (1, 3)]
    same = np.array([[1, 0, 2], [0, 3, 4]], np.float32)
    places, relu = runtime.run([same]).outputs
    np.testing.assert_array_equal(places, [[[0, 0], [0, 2]], [[0, 0], [1, 2]]])
    np.testing.assert_array_equal(relu, same)
    _, (one, _) = runtime.run_one([np.array([[0, 0, 5]], np.float32)])
    np.testing.assert_array_equal(one, [[0], [2]])
    with pytest.raises(InferenceError, match="'y' changes its shape"):
        runtime.run([np.array([[1, 0, 0], [1, 1, 1]], np.float32)])


def test_what_is_no_tensor_of_numbers_is_not_asked_for(tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("SequenceConstruct", ["y"], ["s"])]
    sequence = helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "graph", [value("x", [1, 3])], [sequence, value("y", [1, 3])])
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    runtime = OnnxRuntime()
    runtime.load(path)
    assert [spec.name for spec in runtime.outputs] == ["y"]
    x = np.array([[-1, 2, 3]], np.float32)
    np.testing.assert_array_equal(runtime.run([x]).outputs[0], [[0, 2, 3]])


def test_a_fixed_batch_of_an_onnx_file_runs_whole_batches(tmp_path: Path) -> None:
    one, four = OnnxRuntime(), OnnxRuntime()
    one.load(dense_onnx(tmp_path / "one.onnx"))
    four.load(dense_onnx(tmp_path / "four.onnx", batch=4))
    x = np.random.default_rng(0).random((8, 8), np.float32)
    result = four.run([x.reshape(2, 4, 8)])
    assert result.times_ns.shape == (2,)
    np.testing.assert_allclose(result.outputs[0].reshape(8, 4), one.run([x]).outputs[0], atol=1e-6)


def test_a_free_batch_can_be_set_and_gives_each_sample_its_own_result(tmp_path: Path) -> None:
    net = dense_onnx(tmp_path / "net.onnx", batch="n")
    x = np.random.default_rng(3).normal(size=(10, 8)).astype(np.float32)
    with OnnxRuntime() as single, OnnxRuntime(OnnxRuntimeSettings(batch=5)) as batched:
        single.load(net)
        batched.load(net)
        assert (single.inputs[0].shape, batched.inputs[0].shape) == ((1, 8), (5, 8))
        run = batched.run([x.reshape(2, 5, 8)])
        assert len(run.times_ns) == 2, "one time a batch"
        outputs = single.run([x]).outputs[0]
        np.testing.assert_allclose(run.outputs[0].reshape(10, -1), outputs, rtol=1e-5, atol=1e-6)


def test_a_fixed_batch_cannot_be_set_to_another(tmp_path: Path) -> None:
    net = dense_onnx(tmp_path / "net.onnx", batch=1)
    with pytest.raises(InferenceError, match=r"batch of the network cannot be set to 4: 'x' has the shape \[1, 8\]"):
        OnnxRuntime(OnnxRuntimeSettings(batch=4)).load(net)
