"""OpenVINO's IR: as the network is, and quantized by NNCF; here and in another interpreter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.compilers.on_float_tflite import OnFloatTflite
from tests.environments_made import AGENT, made_environment
from tests.heard import Heard
from tests.needs import need_module

from edgerig.artifact import Artifact
from edgerig.compilers.base import CompilerSettings
from edgerig.compilers.openvino import OpenVino, OpenVinoInt8, OpenVinoInt8Settings
from edgerig.compilers.quantize import Int8, Int8Settings
from edgerig.datasets.base import Dataset
from edgerig.engine.dependencies import of_plugin
from edgerig.errors import CompileError, IncompatibleError, NotInstalledError, UsageError
from edgerig.measure.census import Census, verdicts, with_scheme
from edgerig.models.files import open_artifact
from edgerig.runtimes.litert import LiteRt
from edgerig.runtimes.openvino import OpenVino as OpenVinoRuntime
from edgerig.testing.contracts.compiler import CompilerContract
from edgerig.testing.networks import dense_onnx
from edgerig.testing.networks.several_ends import two_in_three_out_onnx

need_module("openvino", "openvino")
need_module("nncf", "nncf")


class TestOpenVino(CompilerContract):
    @pytest.fixture(scope="class")
    @classmethod
    def compiler(cls) -> OpenVino:
        return OpenVino()

    @pytest.fixture(scope="class")
    @classmethod
    def artifact(cls, float_net: Artifact) -> Artifact:
        return float_net

    @pytest.fixture(scope="class")
    @classmethod
    def dataset(cls) -> None:
        return None


@pytest.mark.slow
class TestOpenVinoInt8(OnFloatTflite):
    @pytest.fixture(scope="class")
    @classmethod
    def compiler(cls) -> OpenVinoInt8:
        return OpenVinoInt8(OpenVinoInt8Settings(calibration_samples=8))


def outputs(artifact: Artifact, inputs: Any, runtime: type[Any] = OpenVinoRuntime) -> Any:
    engine = runtime()
    engine.load(Path(artifact.path))
    return engine.run([np.ascontiguousarray(inputs)]).outputs[0]


def test_the_ir_computes_what_the_network_does(float_net: Artifact, blobs: Dataset, tmp_path: Path) -> None:
    compiled = OpenVino().compile(float_net, tmp_path)
    assert (compiled.format, compiled.scheme) == ("openvino", "float32")
    assert [spec.shape for spec in compiled.inputs] == [spec.shape for spec in float_net.inputs]
    test = blobs.split("test").inputs(slice(None), float_net.preprocessing)
    np.testing.assert_allclose(outputs(compiled, test), outputs(float_net, test, LiteRt), atol=1e-5)
    assert compiled.origins[-1].versions["openvino"]
    assert open_artifact(Path(compiled.path)).sha256 == compiled.sha256


def test_an_int8_network_stays_int8(float_net: Artifact, blobs: Dataset, tmp_path: Path) -> None:
    ends = Int8Settings(input_type="float32", output_type="float32")
    int8 = Int8(ends).compile(float_net, tmp_path / "int8", blobs)
    compiled = OpenVino().compile(int8, tmp_path / "ir")
    assert compiled.scheme == "int8"
    assert [spec.dtype for spec in compiled.inputs] == ["float32"]
    test = blobs.split("test").inputs(slice(None), float_net.preprocessing)
    np.testing.assert_allclose(outputs(compiled, test), outputs(int8, test, LiteRt), atol=0.05)


def test_integers_whose_scale_the_ir_would_lose_are_refused(
    float_net: Artifact, blobs: Dataset, tmp_path: Path
) -> None:
    int8 = Int8().compile(float_net, tmp_path / "int8", blobs)
    with pytest.raises(IncompatibleError, match="is int8 with a scale, which OpenVINO's IR does not keep") as caught:
        OpenVino().compile(int8, tmp_path / "ir")
    assert "input_type=float32 and output_type=float32" in str(caught.value)


def test_a_free_batch_becomes_one_and_several_inputs_keep_their_order(tmp_path: Path) -> None:
    free = open_artifact(dense_onnx(tmp_path / "free.onnx", batch="n"))
    assert OpenVino().compile(free, tmp_path / "a").inputs[0].shape[0] == 1
    several = open_artifact(two_in_three_out_onnx(tmp_path / "several.onnx"))
    compiled = OpenVino().compile(several, tmp_path / "b")
    assert [spec.name for spec in compiled.inputs] == [spec.name for spec in several.inputs]
    assert len(compiled.outputs) == len(several.outputs)


def test_nncf_quantizes_it_and_it_predicts_like_the_float_network(
    float_net: Artifact, blobs: Dataset, tmp_path: Path
) -> None:
    compiled = OpenVinoInt8(OpenVinoInt8Settings(calibration_samples=50)).compile(float_net, tmp_path, blobs)
    assert (compiled.format, compiled.scheme) == ("openvino", "int8")
    as_it_is = OpenVino().compile(float_net, tmp_path / "float")
    weights, before = (Path(item.path).with_suffix(".bin").stat().st_size for item in (compiled, as_it_is))
    assert weights < before
    assert compiled.origins[-1].options["calibration"]["dataset"] == blobs.name
    test = blobs.split("test").inputs(slice(None), float_net.preprocessing)
    ours, theirs = outputs(compiled, test), outputs(float_net, test, LiteRt)
    assert not np.array_equal(ours, theirs)
    assert np.abs(ours - theirs).max() < 0.1
    runtime = OpenVinoRuntime()
    runtime.load(Path(compiled.path))
    census = runtime.census([np.ascontiguousarray(test[:1])])
    assert isinstance(census, Census)
    (verdict,) = verdicts(with_scheme(census, "int8"))
    assert verdict.met >= 1, "what NNCF has quantized runs in integers"


def test_what_cannot_be_compiled_is_refused(float_net: Artifact, blobs: Dataset, tmp_path: Path) -> None:
    int8 = Int8().compile(float_net, tmp_path / "int8", blobs)
    with pytest.raises(IncompatibleError, match="starts from a float32 network, not from int8"):
        OpenVinoInt8().compile(int8, tmp_path, blobs)
    assert "float16" in str(OpenVino().refuses("tflite", "float16"))
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(Path(dense_onnx(tmp_path / "net.onnx")).read_bytes()[:-40])
    broken = open_artifact(dense_onnx(tmp_path / "other.onnx"))
    Path(broken.path).write_bytes(damaged.read_bytes())
    with pytest.raises(Exception, match="other"):
        OpenVino().compile(broken, tmp_path / "out")


def test_in_another_interpreter_the_result_is_the_same(
    float_net: Artifact, openvino_environment: Path, tmp_path: Path
) -> None:
    heard = Heard()
    here = OpenVino().compile(float_net, tmp_path / "here")
    there = OpenVino(CompilerSettings(python=str(openvino_environment))).compile(
        float_net, tmp_path / "there", progress=heard
    )
    assert there.inputs == here.inputs
    assert there.outputs == here.outputs
    assert (Path(there.path).with_suffix(".bin")).read_bytes() == Path(here.path).with_suffix(".bin").read_bytes()
    assert any(str(openvino_environment.resolve()) in line for line in heard.lines)
    origin = there.origins[-1]
    assert origin.versions["openvino"] == here.origins[-1].versions["openvino"]
    assert origin.versions["python"]
    assert "python" not in origin.options, "where it lies is nobody's affair"


def test_a_stage_depends_on_the_versions_there_and_not_on_the_path(
    openvino_environment: Path, litert_environment: Path, tmp_path: Path
) -> None:
    alias = tmp_path / "alias"
    alias.symlink_to(openvino_environment)
    first, second = (of_plugin(OpenVino(CompilerSettings(python=str(path)))) for path in (openvino_environment, alias))
    assert first == second
    assert first["interpreter"]["packages"]["openvino"]
    assert "interpreter" not in of_plugin(OpenVino())
    with pytest.raises(NotInstalledError, match="needs openvino, which is not installed for"):
        of_plugin(OpenVino(CompilerSettings(python=str(litert_environment))))


def test_an_interpreter_that_is_none_is_refused_before_anything_is_done(float_net: Artifact, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no Python interpreter"):
        OpenVino(CompilerSettings(python=str(tmp_path / "absent"))).compile(float_net, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "words", "seconds"),
    [
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", "died of SIGSEGV", 120),
        ("import sys, time\nprint('waits for a licence', flush=True)\ntime.sleep(600)", "told no progress for 3 s", 3),
        ("held = [bytearray(1 << 20) for _ in range(1 << 20)]", "GB of memory", 120),
    ],
)
def test_an_engine_that_crashes_hangs_or_takes_all_memory_costs_its_compilation_alone(
    float_net: Artifact, tmp_path: Path, code: str, words: str, seconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = made_environment(tmp_path / "env", AGENT)
    site = next(folder.glob("lib/python3*/site-packages"))
    (site / "openvino.py").write_text(code)
    monkeypatch.setenv("EDGERIG_STAGE_TIMEOUT", str(seconds))
    monkeypatch.setenv("EDGERIG_STAGE_MEMORY", str(300 << 20))
    with pytest.raises(CompileError, match=words):
        OpenVino(CompilerSettings(python=str(folder))).compile(float_net, tmp_path / "out")
    assert list(tmp_path.glob("out/*")) == []
