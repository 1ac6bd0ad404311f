"""Networks of MNN by its converter: kept in float32, equal for equal networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from tests.compilers.on_onnx import OnOnnx
from tests.environments_made import AGENT, made_environment
from tests.needs import need_engine

from edgerig.artifact import Artifact, TensorSpec
from edgerig.compilers.base import ModelCompiler
from edgerig.compilers.chains import for_dataset
from edgerig.compilers.mnn import Mnn, MnnDynamic, MnnDynamicSettings, MnnFloat16, MnnSettings
from edgerig.compilers.mnn_int8 import MnnInt8, MnnInt8Settings, _write_sample
from edgerig.datasets.base import Dataset
from edgerig.errors import ArtifactCheckError, CompileError
from edgerig.measure.census import Census, verdicts, with_scheme
from edgerig.models.files import open_artifact
from edgerig.runtimes.litert import LiteRt
from edgerig.runtimes.mnn import Mnn as MnnRuntime
from edgerig.runtimes.onnxruntime import OnnxRuntime
from edgerig.testing.contracts.compiler import CompilerContract
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


class TestMnnInt8(CompilerContract):
    @pytest.fixture(scope="class")
    @classmethod
    def compiler(cls) -> ModelCompiler:
        return MnnInt8()

    @pytest.fixture(scope="class")
    @classmethod
    def artifact(cls, onnx_net: Artifact) -> Artifact:
        return onnx_net

    @pytest.fixture(scope="class")
    @classmethod
    def dataset(cls, blobs: Dataset) -> Dataset:
        return blobs


def two_layers_onnx(path: Path) -> Path:
    """Two dense layers with random weights: its outputs move by much more than a step of int8."""
    rng = np.random.default_rng(0)
    arrays = {"w": rng.normal(size=(144, 16)) / 12, "v": rng.normal(size=(16, 4)) / 4}
    nodes = [
        helper.make_node("Flatten", ["x"], ["row"]),
        helper.make_node("MatMul", ["row", "w"], ["middle"]),
        helper.make_node("Relu", ["middle"], ["positive"]),
        helper.make_node("MatMul", ["positive", "v"], ["y"]),
    ]
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)]
        for name, shape in (("x", [1, 12, 12, 1]), ("y", [1, 4]))
    ]
    constants = [onnx.numpy_helper.from_array(value.astype(np.float32), name) for name, value in arrays.items()]
    graph = helper.make_graph(nodes, "graph", *ends, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    return path


@pytest.mark.parametrize("activations", ["KL", "ADMM"])
def test_int8_is_what_mnn_runs_and_close_to_the_network(blobs: Dataset, tmp_path: Path, activations: str) -> None:
    network = for_dataset(open_artifact(two_layers_onnx(tmp_path / "net.onnx")), blobs)
    compiled = MnnInt8(MnnInt8Settings(activations=activations)).compile(network, tmp_path / "out", blobs)
    counts = compiled.origins[-1].options["operators"]
    runtime = MnnRuntime()
    runtime.load(Path(compiled.path))
    test = blobs.split("test").inputs(slice(None), network.preprocessing)
    census = runtime.census([np.ascontiguousarray(test[:1])])
    assert isinstance(census, Census)
    (verdict,) = verdicts(with_scheme(census, "int8"))
    assert (verdict.met, verdict.total) == (2, 2)
    assert [sum(count[key] for count in counts.values()) for key in ("int8", "all")] == [2, 2]
    want, got = outputs(network, test, OnnxRuntime), outputs(compiled, test)
    # ADMM clips the largest values for the sake of the others.
    assert 1e-6 < np.abs(got - want).max() < 0.25 * np.ptp(want)
    assert np.corrcoef((got - want.mean(0)).ravel(), (want - want.mean(0)).ravel())[0, 1] > 0.97


def test_a_network_without_weights_is_no_int8_network(blobs: Dataset, tmp_path: Path) -> None:
    ends = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 12, 12, 1])] for name in "xy"]
    graph = helper.make_graph([helper.make_node("Sigmoid", ["x"], ["y"])], "graph", *ends)
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    with pytest.raises(ArtifactCheckError, match="left all of net in float32"):
        MnnInt8().compile(open_artifact(path), tmp_path / "out", blobs)
    assert list(tmp_path.glob("out/*")) == []


def test_samples_of_an_input_stay_in_their_folder(blobs: Dataset, tmp_path: Path) -> None:
    specs = [TensorSpec("../../x", (1, 2), "float32")]
    with pytest.raises(CompileError, match=r"'\.\./\.\./x' from a file of that name, which leads out"):
        _write_sample(tmp_path / "calibration" / "input_0", specs, [np.zeros((1, 2), np.float32)], ["y"])
    assert not (tmp_path.parent / "x.txt").exists()


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
