"""TVM's kernels are tuned by timing variants of them: within a bound, and only variants that compute the same count."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.needs import need_engine

from edgerig.artifact import Artifact
from edgerig.compilers.base import ModelCompiler
from edgerig.compilers.tvm_candidates import NETWORK, TARGET, Kernels, plain, replayed, same
from edgerig.compilers.tvm_tuning import Kernel, record_of, searching, tell
from edgerig.errors import IncompatibleError, SpecError
from edgerig.measure.cpu_features import architecture, this_processor
from edgerig.models.cpu_module import unpacked
from edgerig.models.files import open_artifact
from edgerig.plugins import make
from edgerig.runtimes.base import Runtime
from edgerig.testing.networks import dense_onnx

INPUTS = np.random.default_rng(0).normal(size=(3, 1, 4, 12, 12)).astype(np.float32)


def conv_net(path: Path, seed: int = 0) -> Path:
    """A convolution with weights of ``seed``, 8 channels of 4, and its ReLU."""
    kernel = numpy_helper.from_array(np.random.default_rng(seed).normal(size=(8, 4, 3, 3)).astype(np.float32), "w")
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"]), helper.make_node("Relu", ["c"], ["y"])]
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)]
        for name, shape in (("x", [1, 4, 12, 12]), ("y", [1, 8, 10, 10]))
    ]
    graph = helper.make_graph(nodes, "g", *ends, [kernel])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    return path


def tuning(**options: Any) -> ModelCompiler:
    return make("compiler", "tvm", ModelCompiler, options)


def test_code_that_cannot_run_here_is_not_tuned(tmp_path: Path) -> None:
    other = "riscv64-linux-gnu" if architecture() != "riscv64" else "x86_64-linux-gnu"
    reason = tuning(tune=5, triple=other).refuses("onnx", "float32")
    assert reason is not None
    assert other in reason
    assert tuning(triple=other).refuses("onnx", "float32") is None
    with pytest.raises(IncompatibleError, match="by timing code on this machine"):
        tuning(tune=5, triple=other).compile(open_artifact(dense_onnx(tmp_path / "net.onnx")), tmp_path / "out")


def test_what_is_tuned_is_this_machine_s() -> None:
    assert tuning(tune=5, cpu="generic").of_machine() == this_processor()
    assert tuning(cpu="generic").of_machine() == ()
    for wrong in (-1, 1.5, 86401, "long"):
        with pytest.raises(SpecError):
            tuning(tune=wrong)


def test_a_process_that_ends_or_takes_too_long_costs_one_answer(tmp_path: Path) -> None:
    """Without a network in its folder the process ends at once; with no patience it is not even waited for."""
    with searching(tmp_path) as search:
        assert search.ask(60, do="first", name="a") == {"fault": "ended the process"}
        assert "Error" in search.words()
        assert search.ask(0, do="first", name="a") == {"fault": "took too long"}
        assert search.ask(60, do="first", name="a") == {"fault": "ended the process"}


def test_sums_in_another_order_are_the_same_and_others_are_not() -> None:
    right = np.array([1.0, -1000.0, np.nan, np.inf], np.float32)
    assert same(right + np.float32(0.05), right)
    assert not same(right + np.float32(0.2), right)
    assert not same(np.array([1.0, -1000.0, 0.0, np.inf], np.float32), right)
    assert same(np.array([1, 2]), np.array([1, 2]))
    assert not same(np.array([1, 2]), np.array([1, 3]))
    assert not same(right[:3], right)


def test_the_next_variant_is_of_the_kernel_that_takes_the_network_longest_until_it_was_tried() -> None:
    often, rare = Kernel("often", 10, best=1e-6), Kernel("rare", 1, best=5e-6)
    assert often.promise > rare.promise
    often.tried = 2
    assert often.promise < rare.promise


def test_what_was_tried_and_gained_is_told(heard: Any) -> None:
    kernels = [
        Kernel("slow", 2, 8e-6, 2e-6, ["trace"], tried=7, faults={"wrong": 1, "took too long": 2}),
        Kernel("quick", 1, 1e-6, 1e-6, None, tried=1, faults={"wrong": 1}),
    ]
    record = record_of(kernels, 17e-6, 5e-6, used=True)
    assert record == {
        "variants": 8,
        "left_out": {"took too long": 2, "wrong": 2},
        "network_us": [17.0, 5.0],
        "used": True,
        "kernels_us": {"slow": [8.0, 2.0], "quick": [1.0, 1.0]},
    }
    tell(record, "net", heard)
    tell(record_of(kernels[1:], 1e-6, 2e-6, used=False), "net", heard)
    tried = "8 variants of its kernels were tried (2 took too long, 2 wrong)"
    assert heard.lines == [
        f"net: 17.0 us untuned, 5.0 us tuned; {tried}",
        "net: nothing was faster (1.0 us untuned, 2.0 us); 1 variants of its kernels were tried (1 wrong); it stays "
        "untuned",
    ]


def kernels_in(folder: Path, network: Path) -> Kernels:
    (folder / NETWORK).write_bytes(network.read_bytes())
    (folder / TARGET).write_text(json.dumps({"kind": "llvm", "mcpu": "generic", "num-cores": 1}))
    return Kernels(folder)


@pytest.mark.slow
def test_variants_are_drawn_compared_and_can_be_made_again(tmp_path: Path) -> None:
    need_engine("tvm", "tvm")
    import tvm

    kernels = kernels_in(tmp_path, conv_net(tmp_path / "net.onnx"))
    (name,) = [name for name in kernels._functions if "conv" in name]
    assert kernels.first(name)["seconds"] > 0
    drawn = next(
        answer
        for seed in range(20)
        if "trace" in (answer := kernels.variant(name, seed, None))  # some cannot be built
    )
    assert json.loads(json.dumps(drawn["trace"])) == drawn["trace"]
    again = replayed(kernels._kernel(name), drawn["trace"])
    assert plain(again.trace.as_json()) == drawn["trace"]
    with pytest.raises(ValueError, match="StructuralEqual"):
        tvm.ir.assert_structural_equal(again.mod, kernels._kernel(name))
    answers = [kernels.variant(name, seed, drawn["trace"]) for seed in range(6)]
    assert any("trace" in answer and answer["trace"] != drawn["trace"] for answer in answers)
    # What computes something else than the kernel as it was is none of its variants.
    kernels._right[name] = kernels._right[name] + 1
    assert {kernels.variant(name, seed, drawn["trace"])["fault"] for seed in range(6)} <= {"wrong", "cannot be built"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tuned")


@pytest.fixture(scope="module")
def compiled(folder: Path) -> dict[str, Artifact]:
    need_engine("tvm", "tvm")
    source = open_artifact(conv_net(folder / "net.onnx"))
    other = open_artifact(conv_net(folder / "other.onnx", seed=1))
    return {
        "plain": tuning().compile(source, folder / "plain"),
        "tuned": tuning(tune=8).compile(source, folder / "tuned"),
        "other": tuning().compile(other, folder / "plain"),
    }


def outputs_of(artifact: Artifact) -> Any:
    runtime = make("runtime", "tvm", Runtime)
    runtime.load(Path(artifact.path))
    return runtime.run([INPUTS[:, 0]]).outputs[0]


@pytest.mark.slow
def test_the_tuned_network_computes_what_the_untuned_one_does(compiled: dict[str, Artifact]) -> None:
    record = compiled["tuned"].origins[-1].options["tuning"]
    assert record["variants"] > 0
    assert record["used"]
    assert record["network_us"][1] < record["network_us"][0]
    assert all(after <= before for before, after in record["kernels_us"].values())
    assert "tuning" not in compiled["plain"].origins[-1].options
    right = outputs_of(compiled["plain"])
    np.testing.assert_allclose(outputs_of(compiled["tuned"]), right, rtol=0, atol=1e-5 * np.abs(right).max())
    assert Path(compiled["tuned"].path).read_bytes() != Path(compiled["plain"].path).read_bytes()


@pytest.mark.slow
def test_networks_that_compute_something_else_are_told_apart(
    compiled: dict[str, Artifact], folder: Path, tmp_path: Path
) -> None:
    files = {}
    for name, artifact in compiled.items():
        files[name] = tmp_path / f"{name}.so"
        files[name].write_bytes(unpacked(Path(artifact.path).read_bytes(), name, "tvm")[1])
    kernels = kernels_in(tmp_path, folder / "net.onnx")
    for name, equal in (("tuned", True), ("other", False)):
        answer = kernels.networks([str(files["plain"]), str(files[name])], [[[1, 4, 12, 12], "float32"]])
        assert answer["equal"] is equal
        assert len(answer["seconds"]) == 2
