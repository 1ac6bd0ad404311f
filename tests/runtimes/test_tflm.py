import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tflite_micro import runtime as tflite_micro

from edgerig.errors import InferenceError
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.runtimes import tflm
from edgerig.runtimes.base import Runtime, RuntimeSettings
from edgerig.runtimes.tflm import Tflm, captured_stderr
from edgerig.testing.networks import dense_tflite
from edgerig.testing.runtime import RuntimeContract, samples_for


class TestTflmContract(RuntimeContract):
    @pytest.fixture
    def runtime(self) -> Runtime:
        return Tflm()

    @pytest.fixture(params=["float_tflite", "int8_tflite", "two_input_tflite"])
    def network(self, request: pytest.FixtureRequest) -> Path:
        return request.getfixturevalue(request.param)

    @pytest.fixture
    def wrong_network(self, broken_tflite: Path) -> Path:
        return broken_tflite

    def reference(self, path: Path, inputs: Sequence[Any]) -> list[Any]:
        interpreter = tflite_micro.Interpreter.from_file(str(path), arena_size=1 << 20)
        count = {"float.tflite": 1, "int8.tflite": 1, "two.tflite": 2}[path.name]
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
    with pytest.raises(InferenceError, match="Failed to allocate"):
        Tflm().load(float_tflite)


def test_a_lack_of_memory_is_no_excuse_for_other_faults(float_tflite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    class Refusing:
        @staticmethod
        def from_bytes(_: bytes, arena_size: int) -> None:
            sizes.append(arena_size)
            os.write(2, b"tensorflow/lite/micro/x.cc:12 Didn't find op for builtin opcode 'FOO'\n")
            raise RuntimeError("TFLM failed to allocate tensors")

    monkeypatch.setattr(tflite_micro, "Interpreter", Refusing)
    with pytest.raises(InferenceError, match="Didn't find op for builtin opcode 'FOO'"):
        Tflm().load(float_tflite)
    assert sizes == [tflm.FIRST_ARENA]


def test_tflm_has_one_thread(float_tflite: Path) -> None:
    with pytest.raises(InferenceError, match="one thread"):
        Tflm(RuntimeSettings(threads=2)).load(float_tflite)


def test_tflm_has_no_profile_and_says_why(float_tflite: Path) -> None:
    runtime = Tflm()
    runtime.load(float_tflite)
    layers = runtime.profile(samples_for(runtime.inputs, 1))
    assert isinstance(layers, Unavailable)
    assert "profiler" in layers.reason


def test_native_words_are_caught_and_the_descriptor_is_given_back(capfd: pytest.CaptureFixture[str]) -> None:
    with captured_stderr() as text:
        os.write(2, b"inside\n")
    os.write(2, b"outside\n")
    assert text() == "inside\n"
    assert capfd.readouterr().err == "outside\n"


def test_the_descriptor_is_given_back_after_an_exception(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with captured_stderr():
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    os.write(2, b"outside\n")
    assert capfd.readouterr().err == "outside\n"
