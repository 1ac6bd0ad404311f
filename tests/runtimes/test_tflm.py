from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.runtimes.tflite_contract import TFLiteRuntimeContract
from tflite_micro import runtime as tflite_micro

from edgerig.errors import InferenceError
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.runtimes import tflm
from edgerig.runtimes.base import Runtime, RuntimeSettings
from edgerig.runtimes.litert import LiteRt
from edgerig.runtimes.tflm import Tflm
from edgerig.testing.contracts.runtime import samples_for
from edgerig.testing.networks import dense_tflite
from edgerig.testing.networks.tflite_builder import TfliteBuilder, counting_network


class TestTflmContract(TFLiteRuntimeContract):
    @pytest.fixture
    def runtime(self) -> Runtime:
        return Tflm()

    def reference(self, path: Path, inputs: Sequence[Any]) -> list[Any]:
        interpreter = tflite_micro.Interpreter.from_file(str(path), arena_size=1 << 20)
        count = {"float.tflite": 1, "int8.tflite": 1, "two.tflite": 2, "several.tflite": 3}[path.name]
        rows = []
        for index in range(len(inputs[0])):
            for place, array in enumerate(inputs):
                interpreter.set_input(array[index : index + 1], place)
            interpreter.invoke()
            rows.append([interpreter.get_output(place) for place in range(count)])
        return [np.concatenate(column) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize("scheme", ["dynamic", "float16"])
def test_tflm_refuses_schemes_that_it_cannot_run_before_there_is_a_file(scheme: str) -> None:
    reason = Tflm.refuses("tflite", scheme)
    assert reason is not None
    assert "TFLite Micro" in reason


@pytest.mark.parametrize("scheme", ["float32", "int8", "int16x8"])
def test_tflm_takes_the_other_schemes(scheme: str) -> None:
    assert Tflm.refuses("tflite", scheme) is None


def test_tflm_names_its_tensors_as_the_file_does(two_input_tflite: Path) -> None:
    runtime = Tflm()
    runtime.load(two_input_tflite)
    assert [spec.name for spec in runtime.inputs] == ["a", "b"]
    assert [spec.name for spec in runtime.outputs] == ["s", "y"]


def test_the_arena_is_what_the_network_used_not_what_it_was_given(float_tflite: Path) -> None:
    runtime = Tflm()
    runtime.load(float_tflite)
    sizes = {name: quantity.value for name, quantity in runtime.memory().items() if isinstance(quantity, Measurement)}
    assert sizes["arena"] == sizes["arena_activations"] + sizes["arena_persistent"]
    assert 500 < sizes["arena"] < tflm.FIRST_ARENA / 10


def test_the_arena_grows_until_the_network_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tflm, "FIRST_ARENA", 1 << 10)
    path = dense_tflite(tmp_path / "wide.tflite", features=4000, classes=4)
    runtime = Tflm()
    runtime.load(path)
    arena = runtime.memory()["arena"]
    assert isinstance(arena, Measurement)
    assert arena.value > 4 * 4000
    runtime.run(samples_for(runtime.inputs, 1))


def test_a_network_larger_than_the_largest_arena_is_refused(
    float_tflite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tflm, "FIRST_ARENA", 700)
    monkeypatch.setattr(tflm, "LARGEST_ARENA", 700)
    with pytest.raises(InferenceError, match=r"TFLite Micro cannot load float\.tflite: Failed to allocate"):
        Tflm().load(float_tflite)


def test_a_network_with_a_state_counts_as_litert_does(tmp_path: Path) -> None:
    path = tmp_path / "counting.tflite"
    path.write_bytes(counting_network())
    inputs = [np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)]
    found = []
    for runtime in (Tflm(), LiteRt()):
        runtime.load(path)
        found.append(runtime.run(inputs).outputs[0])
    np.testing.assert_allclose(found[0], np.cumsum(inputs[0], axis=0), rtol=1e-6)
    np.testing.assert_array_equal(found[0], found[1])


@pytest.mark.parametrize("runtime", [Tflm, LiteRt])
def test_a_network_without_inputs_is_refused_by_name(runtime: type[Runtime], tmp_path: Path) -> None:
    net = TfliteBuilder()
    x, y = net.tensor("x", (1, 4), "float32"), net.tensor("y", (1, 4), "float32")
    net.operator("RELU", [x], [y])
    path = tmp_path / "deaf.tflite"
    path.write_bytes(net.build([], [y]))
    with pytest.raises(InferenceError, match=r"deaf.tflite has no input"):
        runtime().load(path)


@pytest.mark.slow
def test_a_bias_may_have_the_axis_of_its_weights(tmp_path: Path) -> None:
    """As the person detector that comes with TFLite Micro has it."""
    outputs = []
    for axis in (0, 3):
        path = tmp_path / f"axis{axis}.tflite"
        path.write_bytes(depthwise_with_bias_along(axis))
        runtime = Tflm()
        runtime.load(path)
        outputs.append(runtime.run(samples_for(runtime.inputs, 3)).outputs[0])
    np.testing.assert_array_equal(*outputs)
    assert np.ptp(outputs[0].astype(int)) > 10


def depthwise_with_bias_along(axis: int) -> bytes:
    rng, net = np.random.default_rng(3), TfliteBuilder()
    scales = [0.01, 0.02, 0.03, 0.04]
    x = net.tensor("x", (1, 6, 6, 4), "int8", scale=0.02, zero_point=-128)
    w = net.tensor("w", (1, 3, 3, 4), "int8", rng.integers(-127, 128, (1, 3, 3, 4)), scales, axis=3)
    bias = rng.integers(-500, 500, 4)
    b = net.tensor("b", (4,), "int32", bias, [0.02 * scale for scale in scales], axis=axis)
    y = net.tensor("y", (1, 4, 4, 4), "int8", scale=0.05)
    net.operator(
        "DEPTHWISE_CONV_2D",
        [x, w, b],
        [y],
        "DepthwiseConv2DOptions",
        padding=1,
        strideH=1,
        strideW=1,
        depthMultiplier=1,
    )
    return net.build([x], [y])


def test_tflm_has_one_thread(float_tflite: Path) -> None:
    with pytest.raises(InferenceError, match="one thread"):
        Tflm(RuntimeSettings(threads=2)).load(float_tflite)


def test_tflm_has_no_profile_and_says_why(float_tflite: Path) -> None:
    runtime = Tflm()
    runtime.load(float_tflite)
    layers = runtime.profile(samples_for(runtime.inputs, 1))
    assert isinstance(layers, Unavailable)
    assert "profiler" in layers.reason
