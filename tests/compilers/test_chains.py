"""Several compilers on one model."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from tests.heard import Heard
from tests.needs import need_module

from edgerig.artifact import Artifact, Preprocessing
from edgerig.compilers.base import ModelCompiler
from edgerig.compilers.c_array import CArray
from edgerig.compilers.c_source import CSource
from edgerig.compilers.chains import compile_chains, for_dataset, plan_chains
from edgerig.compilers.compression.prune import Prune, TorchPrune
from edgerig.compilers.float32 import Float32, TorchFloat32
from edgerig.compilers.onnx import Onnx
from edgerig.compilers.onnx_int8 import OnnxInt8
from edgerig.compilers.quantize import Dynamic, Float16, Int8, Int8Settings, Int16x8
from edgerig.errors import (
    CompileError,
    IncompatibleError,
    MissingExtraError,
    SpecError,
    StorageError,
    UnknownNameError,
    UsageError,
)
from edgerig.install import install_command
from edgerig.models.files import open_artifact
from edgerig.models.graph.tflite_file import read_tflite, read_tflite_weights
from edgerig.progress import Progress
from edgerig.testing.networks.onnx_networks import torch_like_onnx
from edgerig.testing.networks.tree_networks import stump


def names(chains) -> list[list[str]]:
    return [[compiler.name for compiler in chain] for chain in chains.steps]


def test_keras_goes_by_way_of_float32_once(keras_net: Artifact, blobs, tmp_path: Path) -> None:
    chains = plan_chains(["int8", "c-array"], {}, keras_net, blobs)
    assert names(chains) == [["float32", "int8"], ["float32", "c-array"]]
    made, failures = compile_chains(chains, keras_net, tmp_path, blobs, Progress())
    assert failures == []
    assert [one.compiler for one in made] == ["float32", "int8", "c-array"]
    assert {path.name for path in tmp_path.iterdir() if path.suffix != ".json"} == {
        "net.tflite",
        "net_int8.tflite",
        "net.h",
    }
    assert made[1].artifact.origins[-1].parent == made[0].artifact.sha256
    assert made[2].payload == made[0].artifact.size < made[2].artifact.size


def test_tflite_needs_no_way(float_net: Artifact, blobs) -> None:
    assert names(plan_chains(["int8", "int8", "float32"], {}, float_net, blobs)) == [["int8"], ["float32"]]


def test_all_leaves_out_what_cannot_be_and_says_why(float_net: Artifact, blobs, tmp_path: Path) -> None:
    everything = plan_chains(["all"], {}, float_net, blobs)
    found = [chain[-1].name for chain in everything.steps]
    assert found[:4] == ["float16", "dynamic", "int8", "int16x8"]
    assert [reason.split(":")[0] for reason in everything.skipped] == ["float32"]
    quantized = Int8().compile(float_net, tmp_path, blobs)
    chains = plan_chains(["all"], {}, quantized, blobs)
    assert names(chains) == [["c-array"], ["c"]]
    assert any(reason.startswith("int8:") and "int8 already" in reason for reason in chains.skipped)


def test_all_leaves_out_engines_that_are_not_there(float_net: Artifact, blobs, monkeypatch) -> None:
    monkeypatch.setattr(Int8, "modules", ("no_such_module",))
    chains = plan_chains(["all"], {}, float_net, blobs)
    assert "int8" not in [chain[-1].name for chain in chains.steps]
    assert any(install_command("quantize") in reason for reason in chains.skipped)
    with pytest.raises(MissingExtraError):
        plan_chains(["int8"], {}, float_net, blobs)


def test_a_converter_that_is_not_there_is_told_before_a_network_is_trained(keras_net, blobs, monkeypatch) -> None:
    """PyTorch has a converter to TFLite of its own, which a step that nobody named needs."""
    monkeypatch.setattr(TorchPrune, "modules", ())
    monkeypatch.setattr(TorchFloat32, "modules", ("no_such_module",))
    network = msgspec.structs.replace(keras_net, format="torch", path=str(Path(keras_net.path).with_suffix(".pt2")))
    with pytest.raises(MissingExtraError, match=r"compiler onnx needs only the extra torch.* no_such_module") as caught:
        plan_chains(["prune+int8"], {}, network, blobs)
    assert caught.value.hint == install_command("litert-torch")


def test_nothing_to_make_is_an_error_with_every_reason(float_net: Artifact, tmp_path: Path, monkeypatch) -> None:
    for kind in (Float32, Float16, Dynamic, Int8, Int16x8, Onnx, OnnxInt8, CArray, CSource):
        monkeypatch.setattr(kind, "modules", ("no_such_module",))
    with pytest.raises(UsageError, match=r"Nothing can be made of net\.tflite") as caught:
        plan_chains(["all"], {}, float_net, None)
    assert "int8 needs no_such_module, which is not installed" in caught.value.message


def test_settings_go_to_those_that_have_them(float_net: Artifact, blobs) -> None:
    chains = plan_chains(
        ["int8", "int16x8", "c-array"],
        {"calibration_samples": 7, "int8.input_type": "uint8", "c_array.name": "digits"},
        float_net,
        blobs,
    )
    (int8,), (int16x8,), (c_array,) = chains.steps
    assert int8.settings == Int8Settings(calibration_samples=7, input_type="uint8")
    assert (int16x8.settings.calibration_samples, int16x8.settings.input_type) == (7, "int16")
    assert c_array.settings.name == "digits"


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"input_typ": "uint8"}, UnknownNameError, "input_typ"),
        ({"int8.name": "x"}, UnknownNameError, "setting of int8"),
        ({"int9.input_type": "uint8"}, UnknownNameError, "int9"),
        ({"input_type": "int4"}, SpecError, "int8"),
        ({"calibration_samples": 0}, SpecError, "calibration_samples"),
    ],
)
def test_wrong_settings_are_told(options, error, text: str, float_net: Artifact, blobs) -> None:
    with pytest.raises(error, match=text):
        plan_chains(["int8", "c-array"], options, float_net, blobs)


@pytest.mark.slow
def test_everything_is_checked_before_anything_starts(float_net: Artifact, blobs, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="'cc'"):
        plan_chains(["float16", "cc"], {}, float_net, blobs)
    with pytest.raises(UsageError, match="no dataset: int8, int16x8"):
        plan_chains(["float16", "int8", "int16x8"], {}, float_net, None)
    with pytest.raises(UsageError, match="no dataset"):
        plan_chains(["all"], {}, float_net, None)
    quantized = Int8().compile(float_net, tmp_path, blobs)
    with pytest.raises(IncompatibleError, match="int8 already"):
        plan_chains(["c-array", "float16"], {}, quantized, blobs)


def test_one_that_fails_does_not_stop_the_others(float_net: Artifact, blobs, tmp_path: Path, monkeypatch) -> None:
    def fail(*args) -> bytes:
        raise CompileError("no.", "Try again.")

    monkeypatch.setattr(Int8, "_compile", fail)
    chains = plan_chains(["int8", "c-array"], {}, float_net, blobs)
    made, failures = compile_chains(chains, float_net, tmp_path, blobs, Progress())
    assert [one.compiler for one in made] == ["c-array"]
    assert [(one.compiler, one.error, one.message, one.hint) for one in failures] == [
        ("int8", "CompileError", "no.", "Try again.")
    ]


def test_a_full_disk_stops_all_and_keeps_what_was_made(float_net: Artifact, blobs, tmp_path: Path, monkeypatch) -> None:
    def full(self, *args) -> bytes:
        raise StorageError("full.")

    monkeypatch.setattr(CArray, "_compile", full)
    chains = plan_chains(["float16", "c-array", "dynamic"], {}, float_net, blobs)
    with pytest.raises(StorageError):
        compile_chains(chains, float_net, tmp_path, blobs, Progress())
    assert {path.name for path in tmp_path.iterdir()} == {"net_float16.tflite", "net_float16.tflite.json"}


def test_a_file_that_was_never_described_takes_the_datasets_preprocessing(
    float_net: Artifact, blobs, tmp_path: Path
) -> None:
    path = tmp_path / "brought.tflite"
    path.write_bytes(float_net.read())
    brought = for_dataset(open_artifact(path), blobs)
    assert (brought.preprocessing, brought.classes) == (blobs.preprocessing, blobs.classes)


def test_a_described_network_keeps_its_own_preprocessing(float_net: Artifact, blobs) -> None:
    own = Preprocessing(scale=1 / 127.5, mean=(1.0,))
    described = msgspec.structs.replace(float_net, preprocessing=own, classes=("x",))
    assert for_dataset(described, blobs) == described
    trained = msgspec.structs.replace(
        float_net, preprocessing=Preprocessing(), origins=(msgspec.structs.replace(float_net.origins[0], tool="net"),)
    )
    assert for_dataset(trained, blobs).preprocessing == Preprocessing()


def test_all_leaves_out_what_the_content_of_a_file_does_not_allow(blobs, tmp_path: Path) -> None:
    """Trees in ONNX become C, networks in ONNX do not."""
    torch_like_onnx(tmp_path / "net.onnx")
    (tmp_path / "trees.onnx").write_bytes(stump())
    files = [open_artifact(tmp_path / name) for name in ("net.onnx", "trees.onnx")]
    kept = [plan_chains(["all"], {}, file, blobs) for file in files]
    assert [["c"] in names(chains) for chains in kept] == [False, True]
    assert any(
        "c: net.onnx cannot be compiled: not supported in C: operator 0 (Conv)" in reason for reason in kept[0].skipped
    )


@pytest.mark.slow
def test_chains_that_begin_alike_share_their_steps(
    keras_net: Artifact, blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By all steps before it, not by its name: int8 of the pruned network is not int8 of the other one."""
    compiled, own = [], ModelCompiler.compile
    monkeypatch.setattr(
        ModelCompiler, "compile", lambda self, *rest: compiled.append(self.name) or own(self, *rest), raising=True
    )
    chains = plan_chains(["int8", "prune+int8", "prune+c-array"], {"share": 0.9, "epochs": 0}, keras_net, blobs)
    made, failures = compile_chains(chains, keras_net, tmp_path, blobs, Progress())
    assert failures == []
    assert compiled == ["float32", "int8", "prune", "float32", "int8", "c-array"]
    files = {one.compiler: one.artifact for one in made}
    assert list(files) == ["float32", "int8", "prune", "prune+float32", "prune+int8", "prune+c-array"]
    assert len({one.path for one in files.values()}) == len({one.sha256 for one in files.values()}) == 6
    assert files["prune+c-array"].origins[-1].parent == files["prune+float32"].sha256
    assert [origin.tool for origin in files["prune+int8"].origins][-3:] == ["prune", "float32", "int8"]


@pytest.mark.parametrize("targets", [["int8", "float32+int8"], ["float32+int8", "int8"]])
def test_each_chain_that_was_asked_for_is_told_though_another_makes_the_same_file(
    targets: list[str], keras_net: Artifact, blobs, tmp_path: Path
) -> None:
    made, failures = compile_chains(plan_chains(targets, {}, keras_net, blobs), keras_net, tmp_path, blobs, Progress())
    assert failures == []
    assert [one.compiler for one in made] == ["float32", *targets]
    assert made[1].artifact == made[2].artifact
    assert {path.name for path in tmp_path.glob("*.tflite")} == {"net.tflite", "net_int8.tflite"}


def test_a_step_that_fails_ends_the_chains_that_begin_with_it_once(
    keras_net: Artifact, blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def fail(self, *args) -> bytes:
        tried.append(self.name)
        raise CompileError("no.", "Try again.")

    monkeypatch.setattr(Prune, "_compile", fail)
    chains = plan_chains(["prune+int8", "prune+float16", "int8"], {"epochs": 0}, keras_net, blobs)
    made, failures = compile_chains(chains, keras_net, tmp_path, blobs, Progress())
    assert [one.compiler for one in made] == ["float32", "int8"]
    assert [(one.compiler, one.message) for one in failures] == [("prune+int8", "no."), ("prune+float16", "no.")]
    assert tried == ["prune"]


class Namesake(Prune):
    """A compiler of the user's own with the name of edgerig's."""


@pytest.mark.slow
def test_a_compiler_with_the_name_of_another_makes_its_own_file(keras_net: Artifact, blobs, tmp_path: Path) -> None:
    mine = f"{__name__}:Namesake"
    options = {"epochs": 0, "prune.share": 0.25, f"{mine}.share": 0.75}
    chains = plan_chains(["prune+c-array", f"{mine}+c-array"], options, keras_net, blobs)
    made, failures = compile_chains(chains, keras_net, tmp_path, blobs, Progress())
    assert failures == []
    assert len({one.artifact.path for one in made}) == len({one.artifact.sha256 for one in made}) == len(made) == 6
    shares = [one.artifact.origins[-1].options["sparsity"] for one in made if one.compiler == "prune"]
    assert shares == pytest.approx([0.25, 0.75], abs=0.05)


def test_files_of_one_name_lie_apart(float_net: Artifact, blobs, tmp_path: Path) -> None:
    """OpenVINO's, through ONNX and not: what another chain wrote is never replaced."""
    need_module("openvino", "openvino")
    chains = plan_chains(["openvino", "onnx+openvino"], {}, float_net, blobs)
    made, failures = compile_chains(chains, float_net, tmp_path, blobs, Progress())
    assert failures == []
    paths = {one.compiler: Path(one.artifact.path).relative_to(tmp_path) for one in made}
    assert paths["openvino"] == Path("net/net.xml")
    assert paths["onnx+openvino"] == Path("onnx+openvino/net/net.xml")
    assert all(one.artifact.read() for one in made)


@pytest.mark.slow
def test_zeros_are_counted_in_the_final_file(keras_net: Artifact, blobs, tmp_path: Path) -> None:
    heard = Heard()
    targets = ["prune+int8", "prune+float16", "prune+dynamic", "prune+onnx-int8"]
    chains = plan_chains(targets, {"share": 0.75, "epochs": 0}, keras_net, blobs)
    made, failures = compile_chains(chains, keras_net, tmp_path, blobs, heard)
    assert failures == []
    shares = {}
    pruned, counted = (made[0].artifact, made[0].artifact.origins[-1].options["sparsity"])
    assert f"{Path(pruned.path).name}: {counted:.2%} of the weights are 0" in heard.lines
    for one in made[2:]:
        before, after = shares[one.compiler] = one.artifact.origins[-1].options["zero_weights"]
        assert before == pytest.approx(0.75, abs=0.001)
        assert before <= after < 0.85, one.compiler
        file = Path(one.artifact.path).name
        assert f"{file}: {after:.2%} of the weights are 0, {before:.2%} before it" in heard.lines
    assert {"prune+int8", "prune+float16", "prune+dynamic", "prune+onnx-int8"} <= shares.keys()
    # Counted here anew: each kernel of the int8 file has as many zeros as that of the pruned network, or more.
    (int8,) = (one.artifact for one in made if one.compiler == "prune+int8")
    graph, content = read_tflite(int8.read(), "net"), read_tflite_weights(int8.read(), "net")
    kernels = [content[op.inputs[1]] for op in graph.operators if op.op in ("CONV_2D", "DEPTHWISE_CONV_2D")]
    kernels += [content[op.inputs[1]] for op in graph.operators if op.op == "FULLY_CONNECTED"]
    assert len(kernels) == 4
    assert all((kernel == 0).mean() >= 0.75 - 1 / kernel.size for kernel in kernels)
    zeros = sum(int((kernel == 0).sum()) for kernel in kernels)
    assert shares["prune+int8"][1] == pytest.approx(zeros / sum(kernel.size for kernel in kernels), abs=1e-6)


def test_a_network_that_was_not_pruned_has_no_count(float_net: Artifact, blobs, tmp_path: Path) -> None:
    assert "zero_weights" not in Int8().compile(float_net, tmp_path, blobs).origins[-1].options
