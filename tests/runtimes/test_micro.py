"""edgerig's own C on this machine: a runtime like any other, exact, with a profile, and no use without a compiler."""

from __future__ import annotations

import platform
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
from edgerig.runtimes import c_library, micro
from edgerig.runtimes.base import Runtime
from edgerig.runtimes.micro import Micro, MicroSettings
from edgerig.testing.contracts.runtime import samples_for
from edgerig.testing.networks.generated import load
from edgerig.testing.networks.known_networks import digits
from edgerig.testing.networks.reference_runs import Oracle


@pytest.mark.slow
class TestMicroContract(TFLiteRuntimeContract):
    @pytest.fixture
    def runtime(self) -> Runtime:
        return Micro()

    def reference(self, path: Path, inputs: Sequence[Any]) -> list[Any]:
        with tempfile.TemporaryDirectory() as folder:
            native = c_library.VECTORS.get(platform.machine())
            source = compile_model(path.read_bytes(), "own", Options(cpu="simd" if native else "portable"))
            network = load(source, Path(folder), ("-O2", *filter(None, [native])))
            rows = [network.run([array[index : index + 1] for array in inputs]) for index in range(len(inputs[0]))]
        return [np.concatenate(column) for column in zip(*rows, strict=True)]


@pytest.fixture(scope="module")
def digit_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("digits") / "digits.tflite"
    path.write_bytes(digits())
    return path


@pytest.mark.slow
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
    monkeypatch.setattr(c_library.shutil, "which", lambda name: None)
    monkeypatch.setattr(c_library.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingProgramError, match="needs a C compiler") as error:
        Micro().load(digit_file)
    assert "apt-get install gcc" in (error.value.hint or "")


@pytest.mark.slow
def test_ziglang_serves_where_the_machine_has_no_compiler(digit_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(c_library.shutil, "which", lambda name: None)
    with Micro() as runtime:
        runtime.load(digit_file)
        samples = samples_for(runtime.inputs, 3)
        (found,) = runtime.run(samples).outputs
    oracle = Oracle(digit_file.read_bytes())
    for sample, output in zip(samples[0], found, strict=True):
        assert np.array_equal(oracle.run([sample[None]])[0][0], output)


@pytest.mark.slow
def test_kernels_for_vectors_and_for_any_processor_give_the_same(digit_file: Path) -> None:
    outputs, kernels = [], []
    for cpu in ("portable", "simd"):
        with Micro(MicroSettings(cpu=cpu)) as runtime:
            runtime.load(digit_file)
            samples = samples_for(runtime.inputs, 3)
            outputs.append(runtime.run(samples).outputs[0])
            memory = runtime.memory()["arena"]
            assert isinstance(memory, Measurement)
            assert f"CPU {cpu};" in (memory.method or "")
            kernels.append({layer.kernel.partition("-")[0] for layer in runtime._manifest.layers})
    assert np.array_equal(*outputs)
    assert "simd" not in kernels[0]
    assert "simd" in kernels[1]


@pytest.mark.slow
def test_of_processors_without_known_vectors_the_kernels_are_portable(
    digit_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(micro.platform, "machine", lambda: "riscv64")
    with Micro() as runtime:
        runtime.load(digit_file)
        assert {layer.kernel.partition("-")[0] for layer in runtime._manifest.layers} == {"portable"}


@pytest.mark.slow
def test_a_compiler_that_does_not_know_this_processor_builds_for_any_of_its_kind(
    tmp_path: Path, digit_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = shutil.which("cc") or pytest.skip("there is no C compiler called cc")
    program = tmp_path / "cc"
    program.write_text(f'#!/bin/sh\ncase "$*" in *=native*) exit 1;; esac\nexec {compiler} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setattr(c_library.shutil, "which", lambda name: str(program))
    with Micro() as runtime:
        runtime.load(digit_file)
        samples = samples_for(runtime.inputs, 2)
        (found,) = runtime.run(samples).outputs
    assert np.array_equal(Oracle(digit_file.read_bytes()).run([samples[0][0][None]])[0][0], found[0])


def test_a_compiler_that_fails_is_quoted(tmp_path: Path, digit_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "cc"
    program.write_text("#!/bin/sh\necho out of memory >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(c_library.shutil, "which", lambda name: str(program))
    with pytest.raises(InferenceError, match="out of memory"):
        Micro().load(digit_file)
    assert shutil.which("sh") is not None
