from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from ai_edge_litert.schema_py_generated import ModelT
from tests.runtimes.tflite_contract import TFLiteRuntimeContract

from edgerig.errors import InferenceError
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.plugins import make
from edgerig.runtimes.base import Runtime
from edgerig.runtimes.litert import LARGE, LiteRt, LiteRtSettings
from edgerig.testing.contracts.runtime import samples_for
from edgerig.testing.networks import INT8_INPUT, INT8_OUTPUT, bright_pixels_tflite, dense_tflite, dense_weights
from edgerig.testing.networks.tflite_builder import TfliteBuilder, counting_network, packed


def by_interpreter(path: Path, inputs: Sequence[Any], resolver: OpResolverType = OpResolverType.AUTO) -> list[Any]:
    interpreter = Interpreter(str(path), num_threads=1, experimental_op_resolver_type=resolver)
    interpreter.allocate_tensors()
    rows = []
    for index in range(len(inputs[0])):
        for detail, array in zip(interpreter.get_input_details(), inputs, strict=True):
            interpreter.set_tensor(detail["index"], array[index : index + 1])
        interpreter.invoke()
        rows.append([interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()])
    return [np.concatenate(column) for column in zip(*rows, strict=True)]


class TestLiteRtContract(TFLiteRuntimeContract):
    @pytest.fixture
    def runtime(self) -> Runtime:
        return LiteRt()

    def reference(self, path: Path, inputs: Sequence[Any]) -> list[Any]:
        return by_interpreter(path, inputs)


class TestLiteRtReferenceKernelsContract(TestLiteRtContract):
    @pytest.fixture
    def runtime(self) -> Runtime:
        return LiteRt(LiteRtSettings(kernels="reference"))

    def reference(self, path: Path, inputs: Sequence[Any]) -> list[Any]:
        return by_interpreter(path, inputs, OpResolverType.BUILTIN_REF)


@pytest.mark.parametrize("height", [4, 256])
def test_outputs_go_where_they_are_wanted_be_they_large_or_small(height: int, tmp_path: Path) -> None:
    runtime = LiteRt()
    runtime.load(bright_pixels_tflite(tmp_path / "net.tflite", height, 64))
    into = np.zeros((1, height, 64, 2), np.float32)
    for seed in range(3):
        x = np.random.default_rng(seed).random((1, height, 64, 3), np.float32)
        others = np.zeros((2, 1, height, 64, 2), np.float32)
        times = np.zeros(3, np.int64)
        runtime.run_each([([x], [into]), ([0 * x], [others[0]]), ([x], [others[1]])], times)
        assert (times > 0).all()
        np.testing.assert_array_equal(into, runtime.run([x]).outputs[0])
        np.testing.assert_array_equal(others[0], runtime.run([0 * x]).outputs[0])
        np.testing.assert_array_equal(others[1], into)
        assert runtime._copy_outputs([into]) == (into.nbytes >= LARGE)
    # Nobody holds the tensor, which the interpreter would refuse to run with.
    flat, other = np.zeros((height * 64 * 2), np.float32), np.zeros((1, height, 32, 2), np.float32)
    runtime.run_each([([x], [flat])], times)
    np.testing.assert_array_equal(flat, runtime.run([x]).outputs[0].ravel())
    with pytest.raises(InferenceError, match="for an output that it told to be"):
        runtime.run_each([([x], [other])], times)
    assert not other.any()


def test_litert_is_found_by_its_name() -> None:
    assert isinstance(make("runtime", "litert", Runtime, {"threads": "2", "kernels": "reference"}), LiteRt)


def test_litert_computes_softmax_of_the_dense_layer(float_tflite: Path) -> None:
    runtime = LiteRt()
    runtime.load(float_tflite)
    (x,) = samples_for(runtime.inputs, 5)
    weights, bias = dense_weights(8, 4)
    logits = x @ weights.T + bias
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(runtime.run([x]).outputs[0], expected, rtol=1e-5)


def test_litert_tells_quantization_of_inputs_and_outputs(int8_tflite: Path) -> None:
    runtime = LiteRt()
    runtime.load(int8_tflite)
    for spec, (scale, zero_point) in ((runtime.inputs[0], INT8_INPUT), (runtime.outputs[0], INT8_OUTPUT)):
        assert spec.dtype == "int8"
        assert spec.quantization is not None
        assert spec.quantization.scales == pytest.approx((scale,))
        assert spec.quantization.zero_points == (zero_point,)
        assert spec.quantization.axis is None


def test_int8_output_is_within_a_step_of_the_float_result(int8_tflite: Path) -> None:
    runtime = LiteRt()
    runtime.load(int8_tflite)
    (q,) = samples_for(runtime.inputs, 20)
    weights, bias = dense_weights(8, 4)
    real = (q.astype(np.float32) - INT8_INPUT[1]) * INT8_INPUT[0] @ weights.T + bias
    output = (runtime.run([q]).outputs[0].astype(np.float32) - INT8_OUTPUT[1]) * INT8_OUTPUT[0]
    assert np.abs(output - real).max() < 1.5 * INT8_OUTPUT[0]


def test_litert_profile_names_the_operators(tmp_path: Path) -> None:
    path = dense_tflite(tmp_path / "large.tflite", features=2048, classes=1024)
    runtime = LiteRt()
    runtime.load(path)
    layers = runtime.profile(samples_for(runtime.inputs, 30))
    assert not isinstance(layers, Unavailable), layers
    dense = next(layer for layer in layers if layer.op.startswith("Fully Connected"))
    assert isinstance(dense.time, Measurement)
    assert dense.time.n == 30
    assert any(layer.op.startswith("Softmax") for layer in layers)


def test_reference_kernels_have_no_profile_and_say_why(float_tflite: Path) -> None:
    runtime = LiteRt(LiteRtSettings(kernels="reference"))
    runtime.load(float_tflite)
    layers = runtime.profile(samples_for(runtime.inputs, 2))
    assert isinstance(layers, Unavailable)
    assert "XNNPACK" in layers.reason


def test_a_fixed_batch_runs_whole_batches(tmp_path: Path) -> None:
    one, three = LiteRt(), LiteRt()
    one.load(dense_tflite(tmp_path / "one.tflite"))
    three.load(dense_tflite(tmp_path / "three.tflite", batch=3))
    x = np.random.default_rng(0).random((6, 8), np.float32)
    result = three.run([x.reshape(2, 3, 8)])
    assert result.times_ns.shape == (2,)
    assert result.outputs[0].shape == (2, 3, 4)
    np.testing.assert_allclose(result.outputs[0].reshape(6, 4), one.run([x]).outputs[0], atol=1e-6)
    with pytest.raises(InferenceError, match="a batch of 3"):
        three.run([x])


@pytest.mark.parametrize("kernels", ["xnnpack", "reference"])
def test_a_batch_that_is_set_gives_each_sample_its_own_result(float_tflite: Path, kernels: Any) -> None:
    x = np.random.default_rng(3).normal(size=(10, 8)).astype(np.float32)
    with LiteRt(LiteRtSettings(kernels=kernels)) as single, LiteRt(LiteRtSettings(kernels=kernels, batch=5)) as batched:
        single.load(float_tflite)
        batched.load(float_tflite)
        assert (single.inputs[0].shape, batched.inputs[0].shape) == ((1, 8), (5, 8))
        assert batched.outputs[0].shape == (5, 4)
        run = batched.run([x.reshape(2, 5, 8)])
        assert len(run.times_ns) == 2, "one time a batch"
        outputs = single.run([x]).outputs[0]
        np.testing.assert_allclose(run.outputs[0].reshape(10, 4), outputs, rtol=1e-5, atol=1e-6)
        assert isinstance(batched.profile([x.reshape(2, 5, 8)]), Unavailable)


def test_a_batch_that_is_the_files_own_is_no_change(tmp_path: Path) -> None:
    with LiteRt(LiteRtSettings(batch=3)) as runtime:
        runtime.load(dense_tflite(tmp_path / "net.tflite", batch=3))
        assert runtime.inputs[0].shape == (3, 8)


def test_a_batch_other_than_the_files_own_is_refused(tmp_path: Path) -> None:
    net = dense_tflite(tmp_path / "net.tflite", batch=3)
    with pytest.raises(InferenceError, match=r"batch of the network cannot be set to 4: .*\[3, 8\] in the file"):
        LiteRt(LiteRtSettings(batch=4)).load(net)


def test_a_variable_without_an_initial_value_is_refused_at_the_beginning_of_a_sequence(tmp_path: Path) -> None:
    path = tmp_path / "unset.tflite"
    path.write_bytes(counting_network(filled=False))
    with LiteRt() as runtime:
        runtime.load(path)
        with pytest.raises(InferenceError, match="variable 'state' holds at the beginning") as caught:
            runtime.begin_sequence()
    assert "runtime micro" in str(caught.value.hint)


def delay_line() -> bytes:
    """SVDF, an operator with a state of its own: the sum of the last three inputs."""
    net = TfliteBuilder()
    x, y, state = (
        net.tensor("x", (1, 1), "float32"),
        net.tensor("y", (1, 1), "float32"),
        net.tensor("s", (1, 3), "float32"),
    )
    feature = net.tensor("feature", (1, 1), "float32", np.ones((1, 1)))
    over_time = net.tensor("time", (1, 3), "float32", np.ones((1, 3)))
    net.operator("SVDF", [x, feature, over_time, -1, state], [y], "SVDFOptions", rank=1)
    model = ModelT.InitFromPackedBuf(net.build([x], [y]), 0)
    model.subgraphs[0].tensors[state].isVariable = True
    return packed(model)


def test_the_state_of_an_operator_is_reset_too(tmp_path: Path) -> None:
    path = tmp_path / "delay.tflite"
    path.write_bytes(delay_line())
    with LiteRt() as runtime:
        runtime.load(path)
        for _ in range(2):
            sums = runtime.run([np.array([[1], [2], [4], [8]], np.float32)]).outputs[0]
            assert sums.reshape(-1).tolist() == [1.0, 3.0, 7.0, 14.0]
            runtime.begin_sequence()
