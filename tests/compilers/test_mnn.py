"""Networks of MNN by its converter: kept in float32, equal for equal networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.compilers.on_onnx import OnOnnx
from tests.environments_made import AGENT, made_environment
from tests.needs import need_engine

from edgerig.artifact import Artifact
from edgerig.compilers.base import ModelCompiler
from edgerig.compilers.mnn import Mnn, MnnDynamic, MnnDynamicSettings, MnnFloat16, MnnSettings
from edgerig.datasets.base import Dataset
from edgerig.errors import CompileError
from edgerig.models.files import open_artifact
from edgerig.runtimes.litert import LiteRt
from edgerig.runtimes.mnn import Mnn as MnnRuntime
from edgerig.testing.networks import dense_onnx
from edgerig.testing.networks.several_ends import two_in_three_out_onnx

need_engine("MNN", "mnn")


class TestMnn(OnOnnx):
    """One of its tests compiles twice and compares: the converter itself draws an identity for each file."""

    @pytest.fixture(scope="class")
    @classmethod
    def compiler(cls) -> ModelCompiler:
        return Mnn()


class TestMnnFloat16(OnOnnx):
    @pytest.fixture(scope="class")
    @classmethod
    def compiler(cls) -> ModelCompiler:
        return MnnFloat16()


class TestMnnDynamic(OnOnnx):
    @pytest.fixture(scope="class")
    @classmethod
    def compiler(cls) -> ModelCompiler:
        return MnnDynamic()


def outputs(artifact: Artifact, inputs: Any, runtime: type[Any] = MnnRuntime) -> Any:
    engine = runtime()
    engine.load(Path(artifact.path))
    return engine.run([np.ascontiguousarray(inputs)]).outputs[0]


def test_it_computes_what_the_network_does_and_fewer_bits_cost_what_they_should(
    float_net: Artifact, onnx_net: Artifact, blobs: Dataset, tmp_path: Path
) -> None:
    test = blobs.split("test").inputs(slice(None), float_net.preprocessing)
    want = outputs(float_net, test, LiteRt)
    errors, sizes = [], []
    for compiler in (Mnn(), MnnFloat16(), MnnDynamic(), MnnDynamic(MnnDynamicSettings(bits=4))):
        compiled = compiler.compile(onnx_net, tmp_path / f"{len(errors)}")
        errors.append(float(np.abs(outputs(compiled, test) - want).max()))
        sizes.append(compiled.size)
    assert errors[0] < 1e-5
    assert errors[0] < errors[1] < errors[2] < errors[3]
    assert sizes[0] > sizes[1] > sizes[2] > sizes[3]


def test_a_free_batch_is_left_free_and_several_ends_keep_their_order(tmp_path: Path) -> None:
    several = open_artifact(two_in_three_out_onnx(tmp_path / "several.onnx"))
    compiled = Mnn().compile(several, tmp_path / "out")
    assert (compiled.inputs, compiled.outputs) == (several.inputs, several.outputs)
    free = Mnn().compile(open_artifact(dense_onnx(tmp_path / "free.onnx", batch="n")), tmp_path / "free")
    runtime = MnnRuntime(MnnRuntime.Settings(batch=3))
    runtime.load(Path(free.path))
    assert runtime.outputs[0].shape == (3, 4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "words", "seconds"),
    [
        ("import os, signal\ndef mnnconvert(a): os.kill(os.getpid(), signal.SIGSEGV)", "it died of SIGSEGV", 120),
        (
            "import time\ndef mnnconvert(a):\n    print('waits for a licence', flush=True)\n    time.sleep(600)",
            "had not ended after 6 s; its last words: waits for a licence",
            8,
        ),
        ("def mnnconvert(a): held = bytearray(1 << 40)", "MemoryError", 120),
    ],
)
def test_a_converter_that_crashes_hangs_or_takes_all_memory_costs_its_compilation_alone(
    onnx_net: Artifact, tmp_path: Path, code: str, words: str, seconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = made_environment(tmp_path / "env", AGENT)
    site = next(folder.glob("lib/python3*/site-packages"))
    (site / "MNN.py").write_text("")
    (site / "_tools.py").write_text(code)
    monkeypatch.setenv("EDGERIG_STAGE_TIMEOUT", str(seconds))
    with pytest.raises(CompileError, match=words):
        Mnn(MnnSettings(python=str(folder))).compile(onnx_net, tmp_path / "out")
    assert list(tmp_path.glob("out/*")) == []


@pytest.mark.slow
def test_in_another_interpreter_the_result_is_the_same(onnx_net: Artifact, tmp_path: Path) -> None:
    there = made_environment(tmp_path / "env", (*AGENT, "mnn"))
    ours = Mnn().compile(onnx_net, tmp_path / "here")
    theirs = Mnn(MnnSettings(python=str(there))).compile(onnx_net, tmp_path / "there")
    assert theirs.sha256 == ours.sha256
