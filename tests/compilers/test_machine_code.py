"""Compilers to machine code: IREE and TVM, for this machine and an Arm board; what cannot be compiled is named."""

from __future__ import annotations

import platform
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from tests.needs import need_engine

from edgerig.artifact import Artifact
from edgerig.compilers.base import ModelCompiler
from edgerig.compilers.linking import linked, linker_for
from edgerig.compilers.machine_code import MachineCodeSettings, native_words
from edgerig.datasets.base import Dataset
from edgerig.errors import CompileError, IncompatibleError, InferenceError, MissingProgramError, SpecError, UsageError
from edgerig.measure.cpu_features import architecture, checked, this_processor
from edgerig.models.cpu_module import Bound, unpacked
from edgerig.models.files import open_artifact
from edgerig.plugins import make
from edgerig.runtimes.base import Runtime
from edgerig.testing.contracts.compiler import CompilerContract
from edgerig.testing.networks import dense_onnx

ENGINES = ("iree", "tvm")
ARM = {"triple": "aarch64-linux-gnu", "cpu": "cortex-a72"}


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    need_engine(name, name)
    return name


class TestIree(CompilerContract):
    @pytest.fixture(scope="class")
    @classmethod
    def compiler(cls) -> ModelCompiler:
        need_engine("iree", "iree")
        return make("compiler", "iree", ModelCompiler)

    @pytest.fixture(scope="class")
    @classmethod
    def artifact(cls, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
        return open_artifact(dense_onnx(tmp_path_factory.mktemp("onnx") / "net.onnx"))

    @pytest.fixture(scope="class")
    @classmethod
    def dataset(cls) -> Dataset | None:
        return None


class TestTvm(TestIree):
    @pytest.fixture(scope="class")
    @classmethod
    def compiler(cls) -> ModelCompiler:
        need_engine("tvm", "tvm")
        return make("compiler", "tvm", ModelCompiler)


def compile_to(engine: str, path: Path, out: Path, **options: Any) -> Artifact:
    return make("compiler", engine, ModelCompiler, options).compile(open_artifact(path), out)


def bound_of(artifact: Artifact) -> Bound:
    return unpacked(Path(artifact.path).read_bytes(), artifact.name, artifact.format)[0]


@pytest.mark.slow
def test_code_for_an_arm_board_is_that_and_is_refused_here(engine: str, tmp_path: Path) -> None:
    if engine == "tvm" and not (shutil.which("aarch64-linux-gnu-gcc") or find_spec("ziglang")):
        pytest.skip("no linker for Arm: apt-get install gcc-aarch64-linux-gnu, or pip install ziglang")
    made = compile_to(engine, dense_onnx(tmp_path / "net.onnx"), tmp_path / "out", **ARM)
    bound = bound_of(made)
    assert (bound.machine, bound.cpu) == ("aarch64", "cortex-a72")
    assert "neon" in bound.features
    assert "dotprod" not in bound.features, "a Cortex-A72 has none"
    if engine == "tvm":
        # ELF, 64 bit, little endian, a shared object of AArch64 (183).
        data = Path(made.path).read_bytes()
        assert data[:6] == b"\x7fELF\x02\x01"
        assert data[18:20] == (183).to_bytes(2, "little")
    if platform.machine() != "aarch64":
        with pytest.raises(InferenceError, match=r"machine code for aarch64 \(cortex-a72\); this processor is"):
            make("runtime", engine, Runtime).load(Path(made.path))


def test_code_for_this_machine_and_the_least_of_its_architecture(engine: str, tmp_path: Path) -> None:
    path = dense_onnx(tmp_path / "net.onnx")
    own, least = (bound_of(compile_to(engine, path, tmp_path / cpu, cpu=cpu)) for cpu in ("host", "generic"))
    assert own.machine == least.machine == architecture()
    assert least.cpu == "generic"
    assert set(checked(own.machine, least.features)) < set(checked(own.machine, own.features))


@pytest.mark.parametrize("options", [{"cpu": "pentium-99"}, {"triple": "nonsense-linux-gnu"}, {**ARM, "cpu": "znver4"}])
def test_a_processor_that_the_engine_does_not_know_is_refused(
    engine: str, options: dict[str, str], tmp_path: Path
) -> None:
    """The trap: TVM makes code for another processor then, and IREE ends the process."""
    named = options["cpu"] if "cpu" in options else options["triple"]
    with pytest.raises(UsageError, match=named):
        compile_to(engine, dense_onnx(tmp_path / "net.onnx"), tmp_path / "out", **options)
    assert not list(tmp_path.glob("out/*"))


def network(path: Path, node: Any, shape: list[Any]) -> Path:
    ends = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)] for name in "xy"]
    domains = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
    onnx.save(helper.make_model(helper.make_graph([node], "g", *ends), opset_imports=domains, ir_version=9), str(path))
    return path


def test_an_operator_that_the_engine_lacks_is_named(engine: str, tmp_path: Path) -> None:
    path = network(tmp_path / "own.onnx", helper.make_node("Mine", ["x"], ["y"], domain="mine"), [1, 4])
    with pytest.raises(CompileError, match="Mine") as caught:
        compile_to(engine, path, tmp_path / "out")
    assert len(caught.value.message) < 800, "not the whole of the program"


def test_a_free_batch_becomes_one_and_another_free_axis_is_refused(engine: str, tmp_path: Path) -> None:
    made = compile_to(engine, dense_onnx(tmp_path / "free.onnx", batch="n"), tmp_path / "out")
    assert (made.inputs[0].shape, made.outputs[0].shape) == ((1, 8), (1, 4))
    free = network(tmp_path / "axis.onnx", helper.make_node("Relu", ["x"], ["y"]), [1, "length"])
    with pytest.raises(IncompatibleError, match=r"fixed shapes.*'x'") as caught:
        compile_to(engine, free, tmp_path / "out")
    assert "--shape x=1" in str(caught.value.hint)


def test_settings_say_what_they_are() -> None:
    assert MachineCodeSettings().processor == "host"
    other = "riscv64-linux-gnu"
    assert MachineCodeSettings(triple=other).processor == "generic"
    assert MachineCodeSettings(triple=other, cpu="sifive-u74").processor == "sifive-u74"
    assert MachineCodeSettings(triple=f"{architecture()}-linux-gnu").processor == "host"
    for wrong in ({"cpu": ""}, {"cpu": "-mattr=+x y"}, {"triple": "aarch64"}):
        with pytest.raises(SpecError):
            make("compiler", "iree", ModelCompiler, wrong)


def test_native_words_are_heard_and_stay_where_they_were_written(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    import os

    with native_words() as words:
        os.write(2, b"an engine says something\n")
    assert words() == "an engine says something\n"


def test_without_a_linker_the_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("edgerig.compilers.linking.find_spec", lambda name: None)
    with pytest.raises(MissingProgramError) as caught:
        linker_for("riscv64-linux-gnu")
    assert "gcc-riscv64-linux-gnu" in str(caught.value.hint)
    with pytest.raises(MissingProgramError):
        linker_for(None)


def test_what_cannot_be_linked_is_told_in_the_linker_s_words(tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    (tmp_path / "no.o").write_bytes(b"no object file")
    with pytest.raises(CompileError, match=r"no\.o"):
        linked(linker_for(None), str(tmp_path / "x.so"), [str(tmp_path / "no.o")])


def test_both_compute_the_same_in_a_bounded_process(engine: str, tmp_path: Path) -> None:
    """There its words are in a file, from which they are read."""
    from edgerig.bounded import bounded

    with bounded():
        made = compile_to(engine, dense_onnx(tmp_path / "net.onnx"), tmp_path / "out")
        path = network(tmp_path / "own.onnx", helper.make_node("Mine", ["x"], ["y"], domain="mine"), [1, 4])
        with pytest.raises(CompileError, match="Mine"):
            compile_to(engine, path, tmp_path / "own")
    runtime = make("runtime", engine, Runtime)
    runtime.load(Path(made.path))
    assert np.isclose(runtime.run([np.ones((1, 8), np.float32)]).outputs[0].sum(), 1, atol=1e-5)


@pytest.mark.parametrize("name", ENGINES)
def test_only_code_for_this_machine_s_processor_is_cached_for_that_alone(name: str) -> None:
    assert make("compiler", name, ModelCompiler).of_machine() == this_processor()
    assert this_processor()[0] == architecture()
    for options in ({"cpu": "generic"}, ARM, {"triple": ARM["triple"]}):
        if architecture() != "aarch64":
            assert make("compiler", name, ModelCompiler, options).of_machine() == ()
