"""edgerig's own C on this machine: a runtime like any other, exact, with a profile, and no use without a compiler."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.runtimes.tflite_contract import TFLiteRuntimeContract

from edgerig.errors import InferenceError, MissingProgramError
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.micro import Options, compile_model
from edgerig.runtimes import micro
from edgerig.runtimes.base import Runtime
from edgerig.runtimes.micro import Micro, MicroSettings
from edgerig.testing.contracts.runtime import samples_for
from edgerig.testing.networks.generated import load
from edgerig.testing.networks.known_networks import digits
from edgerig.testing.networks.reference_runs import Oracle


class TestMicroContract(TFLiteRuntimeContract):
    @pytest.fixture
    def runtime(self) -> Runtime:
        return Micro()

    def reference(self, path: Path, inputs: Sequence[Any]) -> list[Any]:
        with tempfile.TemporaryDirectory() as folder:
            network = load(compile_model(path.read_bytes(), "own", Options()), Path(folder))
            rows = [network.run([array[index : index + 1] for array in inputs]) for index in range(len(inputs[0]))]
        return [np.concatenate(column) for column in zip(*rows, strict=True)]


@pytest.fixture(scope="module")
def digit_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("digits") / "digits.tflite"
    path.write_bytes(digits())
    return path


def test_layers_take_the_time_of_the_network_and_bear_its_names(digit_file: Path) -> None:
    with Micro() as runtime:
        runtime.load(digit_file)
        samples = samples_for(runtime.inputs, 5)
        layers = runtime.profile(samples)
        memory = runtime.memory()
    assert not isinstance(layers, Unavailable)
    assert any(layer.op.startswith("CONV_2D") for layer in layers)
    assert layers[-1].op == "SOFTMAX"
    assert layers[-1].output_shape == (1, 10)
    for layer in layers:
        assert isinstance(layer.time, Measurement)
        assert (layer.time.kind, layer.time.n) == ("measured", 5)
        assert layer.time.value > 0
    arena, plain = memory["arena"], memory["tensor_sum"]
    assert isinstance(arena, Measurement)
    assert isinstance(plain, Measurement)
    assert arena.value < plain.value


@pytest.mark.slow
def test_two_networks_in_one_process_keep_out_of_each_other_s_way(digit_file: Path, int8_tflite: Path) -> None:
    with Micro() as one, Micro() as other:
        one.load(digit_file)
        samples = samples_for(one.inputs, 2)
        before = one.run(samples).outputs[0]
        other.load(digit_file)
        other.run(samples_for(one.inputs, 2, seed=1))
        assert np.array_equal(one.run(samples).outputs[0], before)
        other.load(int8_tflite)
        other.run(samples_for(other.inputs, 2))
        assert np.array_equal(one.run(samples).outputs[0], before)


def test_schemes_that_the_compiler_does_not_know_are_refused_before_there_is_a_file() -> None:
    assert "dynamic" in (Micro.refuses("tflite", "dynamic") or "")
    assert "keras" in (Micro.refuses("keras", "float32") or "")
    # Trees; networks are refused when the file is read.
    assert Micro.refuses("onnx", "float32") is None
    assert Micro.refuses("tflite", "int8") is Micro.refuses("tflite", "int16x8") is None


def test_more_than_one_thread_is_refused(digit_file: Path) -> None:
    with pytest.raises(InferenceError, match="one thread"):
        Micro(MicroSettings(threads=2)).load(digit_file)


def test_without_a_compiler_it_is_told_how_to_get_one(digit_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(micro.shutil, "which", lambda name: None)
    monkeypatch.setattr(micro.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingProgramError, match="needs a C compiler") as error:
        Micro().load(digit_file)
    assert "apt-get install gcc" in (error.value.hint or "")


def test_ziglang_serves_where_the_machine_has_no_compiler(digit_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(micro.shutil, "which", lambda name: None)
    with Micro() as runtime:
        runtime.load(digit_file)
        samples = samples_for(runtime.inputs, 3)
        (found,) = runtime.run(samples).outputs
    oracle = Oracle(digit_file.read_bytes())
    for sample, output in zip(samples[0], found, strict=True):
        assert np.array_equal(oracle.run([sample[None]])[0][0], output)


def test_a_compiler_that_fails_is_quoted(tmp_path: Path, digit_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "cc"
    program.write_text("#!/bin/sh\necho out of memory >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(micro.shutil, "which", lambda name: str(program))
    with pytest.raises(InferenceError, match="out of memory"):
        Micro().load(digit_file)
    assert shutil.which("sh") is not None
