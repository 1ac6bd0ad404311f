"""tract: ONNX files, bit for bit as by its own interface, and within rounding of ONNX Runtime's outputs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from tests.needs import need_engine
from tests.runtimes.onnx_contract import OnnxFilesContract

from edgerig.errors import InferenceError
from edgerig.measure.census import Census
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.runtimes.base import Runtime
from edgerig.runtimes.batch import ResizableSettings
from edgerig.runtimes.onnxruntime import OnnxRuntime
from edgerig.runtimes.tract import Tract
from edgerig.testing.contracts.runtime import samples_for
from edgerig.testing.networks import dense_onnx
from edgerig.testing.networks.several_ends import two_in_three_out_onnx

need_engine("tract", "tract")


class TestTract(OnnxFilesContract):
    @pytest.fixture
    def runtime(self) -> Runtime:
        return Tract()

    @pytest.fixture
    def network(self, tmp_path: Path) -> Path:
        return dense_onnx(tmp_path / "net.onnx")

    def reference(self, path: Path, inputs: Sequence[Any]) -> list[Any]:
        import tract

        runnable = tract.onnx().load(str(path)).into_model().into_runnable()
        rows = [
            [output.to_numpy() for output in runnable.run([array[i : i + 1] for array in inputs])]
            for i in range(len(inputs[0]))
        ]
        return [np.concatenate(column) for column in zip(*rows, strict=True)]


def loaded(path: Path, **settings: Any) -> Tract:
    runtime = Tract(ResizableSettings(**settings))
    runtime.load(path)
    return runtime


def write(path: Path, node: Any, inputs: list[Any], outputs: list[Any]) -> Path:
    graph = helper.make_graph([node], "graph", inputs, outputs)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    return path


@pytest.mark.parametrize("batch", [1, 4])
def test_ends_and_outputs_are_those_of_onnx_runtime(tmp_path: Path, batch: int) -> None:
    """tract itself calls an output as the operator that makes it is called, `softmax`."""
    path = dense_onnx(tmp_path / "net.onnx", batch="n")
    ours, theirs = loaded(path, batch=batch), OnnxRuntime(OnnxRuntime.Settings(batch=batch))
    theirs.load(path)
    assert [spec.name for spec in ours.outputs] == ["y"]
    assert ours.inputs == theirs.inputs
    assert ours.outputs == theirs.outputs
    samples = [np.random.default_rng(0).normal(size=(20, *ours.inputs[0].shape)).astype(np.float32)]
    if batch == 1:
        samples = [samples[0][:, 0]]
    np.testing.assert_allclose(ours.run(samples).outputs[0], theirs.run(samples).outputs[0], rtol=0, atol=1e-5)


def test_a_batch_that_the_file_fixes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InferenceError, match="cannot be set to 4"):
        loaded(dense_onnx(tmp_path / "fixed.onnx"), batch=4)


def test_it_uses_one_thread(tmp_path: Path) -> None:
    with pytest.raises(InferenceError, match="one thread"):
        loaded(dense_onnx(tmp_path / "net.onnx"), threads=2)


def test_an_axis_behind_the_batch_that_is_free_is_refused(tmp_path: Path) -> None:
    ends = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, "length"])] for name in "xy"]
    path = write(tmp_path / "free.onnx", helper.make_node("Relu", ["x"], ["y"]), *ends)
    with pytest.raises(InferenceError, match=r"'x'.*--shape|'x'.*batch axis"):
        loaded(path)


def test_an_operator_that_it_lacks_is_named_without_a_backtrace(tmp_path: Path) -> None:
    ends = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4])] for name in "xy"]
    path = write(tmp_path / "own.onnx", helper.make_node("Mine", ["x"], ["y"], domain="mine"), *ends)
    with pytest.raises(InferenceError, match="Mine") as caught:
        loaded(path)
    assert "backtrace" not in caught.value.message
    assert caught.value.hint


def test_the_census_tells_the_type_of_what_multiplies(tmp_path: Path) -> None:
    runtime = loaded(dense_onnx(tmp_path / "net.onnx"))
    census = runtime.census(samples_for(runtime.inputs, 1))
    assert isinstance(census, Census)
    products = [group for group in census.operators if group.dtype]
    assert [(group.op, group.dtype, group.count) for group in products] == [("OptMatMul", "float32", 1)]
    assert not {"Source", "Const"} & {group.op for group in census.operators}
    assert Tract.refuses("onnx", "int8") is not None
    assert Tract.refuses("onnx", "float32") is None


def test_quantized_networks_are_refused_since_their_outputs_would_be_wrong(tmp_path: Path) -> None:
    ends = [
        [helper.make_tensor_value_info(*end)]
        for end in (("x", TensorProto.FLOAT, [1, 4]), ("y", TensorProto.INT8, [1, 4]))
    ]
    constants = [
        helper.make_tensor("s", TensorProto.FLOAT, [], [0.1]),
        helper.make_tensor("z", TensorProto.INT8, [], [0]),
    ]
    node = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"])
    graph = helper.make_graph([node], "graph", *ends, constants)
    path = tmp_path / "int8.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    with pytest.raises(InferenceError, match=r"QuantizeLinear.*float networks alone"):
        loaded(path)


@pytest.mark.slow
def test_operators_have_their_times(tmp_path: Path) -> None:
    runtime = loaded(two_in_three_out_onnx(tmp_path / "several.onnx"))
    layers = runtime.profile(samples_for(runtime.inputs, 1))
    assert not isinstance(layers, Unavailable)
    assert [layer.op for layer in layers].count("OptMatMul") == 3
    for layer in layers:
        assert isinstance(layer.time, Measurement)
        assert layer.time.n > 100
