"""Networks of ncnn by pnnx: kept in float32, with the ends of the network that they were made of."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from tests.compilers.on_onnx import OnOnnx
from tests.environments_made import AGENT, made_environment
from tests.needs import need_engine

from edgerig.artifact import Artifact
from edgerig.compilers.base import CompilerSettings, ModelCompiler
from edgerig.compilers.ncnn import Ncnn, NcnnFloat16
from edgerig.datasets.base import Dataset
from edgerig.errors import CompileError, NotInstalledError
from edgerig.measure.census import Census
from edgerig.models.files import open_artifact
from edgerig.runtimes.litert import LiteRt
from edgerig.runtimes.ncnn import Ncnn as NcnnRuntime
from edgerig.testing.contracts.runtime import samples_for
from edgerig.testing.networks import dense_onnx
from edgerig.testing.networks.several_ends import two_in_three_out_onnx

# Both: pip install ncnn; pip install --no-deps pnnx.
need_engine("ncnn", "ncnn")
need_engine("pnnx", "ncnn")


class TestNcnn(OnOnnx):
    @pytest.fixture(scope="class")
    @classmethod
    def compiler(cls) -> ModelCompiler:
        return Ncnn()


class TestNcnnFloat16(OnOnnx):
    @pytest.fixture(scope="class")
    @classmethod
    def compiler(cls) -> ModelCompiler:
        return NcnnFloat16()


def outputs(artifact: Artifact, inputs: Any, runtime: type[Any] = NcnnRuntime) -> Any:
    engine = runtime()
    engine.load(Path(artifact.path))
    return engine.run([np.ascontiguousarray(inputs)]).outputs[0]


def written(path: Path, node: Any, *, shape: list[Any], kind: int = TensorProto.FLOAT) -> Artifact:
    ends = [
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", kind, shape)],
    ]
    graph = helper.make_graph([node], "graph", *ends)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    return open_artifact(path)


def test_it_computes_what_the_network_does_in_float32(
    float_net: Artifact, onnx_net: Artifact, blobs: Dataset, tmp_path: Path
) -> None:
    """The trap: pnnx itself stores weights in float16, which would be an error of a thousandth."""
    compiled, half = Ncnn().compile(onnx_net, tmp_path / "a"), NcnnFloat16().compile(onnx_net, tmp_path / "b")
    assert (compiled.scheme, half.scheme) == ("float32", "float16")
    assert half.size < compiled.size
    test = blobs.split("test").inputs(slice(None), float_net.preprocessing)
    want = outputs(float_net, test, LiteRt)
    np.testing.assert_allclose(outputs(compiled, test), want, atol=1e-5)
    assert 1e-5 < np.abs(outputs(half, test) - want).max() < 1e-2
    assert {compiled.origins[-1].versions[name] for name in ("ncnn", "pnnx")}
    assert open_artifact(Path(compiled.path)).sha256 == compiled.sha256
    runtime = NcnnRuntime()
    runtime.load(Path(half.path))
    census = runtime.census(samples_for(runtime.inputs, 1))
    assert isinstance(census, Census)
    assert {group.dtype for group in census.operators} == {"float32"}


def test_several_ends_keep_their_order_and_names(tmp_path: Path) -> None:
    several = open_artifact(two_in_three_out_onnx(tmp_path / "several.onnx"))
    compiled = Ncnn().compile(several, tmp_path / "out")
    assert compiled.inputs == several.inputs
    assert compiled.outputs == several.outputs
    assert Ncnn().compile(open_artifact(dense_onnx(tmp_path / "free.onnx", batch="n")), tmp_path / "free").inputs[
        0
    ].shape == (1, 8)


def test_what_ncnn_lacks_is_named(tmp_path: Path) -> None:
    where = written(tmp_path / "erf.onnx", helper.make_node("IsNaN", ["x"], ["y"]), shape=[1, 4], kind=TensorProto.BOOL)
    with pytest.raises(
        CompileError, match=r"ncnn has no layer for .*[Ii]s_?[Nn]a[Nn]|pnnx cannot convert|float32 alone"
    ):
        Ncnn().compile(where, tmp_path / "a")
    whole = written(tmp_path / "whole.onnx", helper.make_node("Cast", ["x"], ["y"], to=7), shape=[1, 4], kind=7)
    with pytest.raises(CompileError, match=r"'y' is int64, and ncnn gives float32 alone|ncnn has no layer"):
        Ncnn().compile(whole, tmp_path / "b")
    free = written(tmp_path / "free.onnx", helper.make_node("Relu", ["x"], ["y"]), shape=[1, "length"])
    with pytest.raises(CompileError, match=r"'x' has the shape \[1, -1\]: ncnn's networks have fixed shapes") as caught:
        Ncnn().compile(free, tmp_path / "c")
    assert "--shape x=1" in str(caught.value.hint)
    assert "starts from a float32 network" in str(Ncnn().refuses("onnx", "int8"))
    assert "reads onnx, not tflite" in str(Ncnn().refuses("tflite", "float32"))


def test_a_network_on_which_pnnx_dies_costs_that_compilation_alone(tmp_path: Path) -> None:
    """Of an operator of ai.onnx.ml it dies of SIGSEGV."""
    node = helper.make_node("Scaler", ["x"], ["y"], domain="ai.onnx.ml", offset=[0.0], scale=[2.0])
    ends = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4])] for name in "xy"]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    path = tmp_path / "scaler.onnx"
    onnx.save(
        helper.make_model(helper.make_graph([node], "graph", *ends), opset_imports=opsets, ir_version=9), str(path)
    )
    with pytest.raises(
        CompileError, match=r"pnnx cannot convert the network: it died of SIGSEGV; its last words: .*Scaler"
    ):
        Ncnn().compile(open_artifact(path), tmp_path / "out")
    assert list(tmp_path.glob("out/*")) == []


def test_without_pnnx_it_says_how_to_get_it_without_pytorch(
    onnx_net: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGERIG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("edgerig.compilers.ncnn.is_there", lambda module: module != "pnnx")
    with pytest.raises(NotInstalledError, match="needs pnnx, which is not installed") as caught:
        Ncnn().compile(onnx_net, tmp_path / "out")
    assert "pip install --no-deps" in str(caught.value.hint)
    assert "edgerig engines install ncnn" in str(caught.value.hint)


@pytest.mark.slow
def test_in_another_interpreter_the_result_is_the_same(onnx_net: Artifact, tmp_path: Path) -> None:
    there = made_environment(tmp_path / "env", (*AGENT, "ncnn", "pnnx", "tqdm", "requests", "portalocker"))
    ours = Ncnn().compile(onnx_net, tmp_path / "here")
    theirs = Ncnn(CompilerSettings(python=str(there))).compile(onnx_net, tmp_path / "there")
    assert theirs.sha256 == ours.sha256
    assert theirs.origins[-1].versions["python"] == ".".join(map(str, sys.version_info[:3]))
