"""Mixed precision: the layers that were named are float, all others are integers, and the budget is kept."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from edgerig.artifact import Artifact
from edgerig.cli.front_view import front_lines
from edgerig.compilers import flatbuffer
from edgerig.compilers.c_source import CSource
from edgerig.compilers.checks import check_mixed
from edgerig.compilers.mixed import Mixed, MixedSettings, budget_of
from edgerig.compilers.mixed_search import Search, Step, int8_share
from edgerig.compilers.quantize import Int8
from edgerig.compilers.sizes import about_mixed_size
from edgerig.datasets.base import Dataset
from edgerig.datasets.npz import Npz
from edgerig.datasets.preprocess import quantize_input
from edgerig.errors import ArtifactCheckError, IncompatibleError, SpecError
from edgerig.models.files import open_artifact
from edgerig.models.graph.read import read_graph
from edgerig.models.graph.scheme import WEIGHTED
from edgerig.progress import Progress
from edgerig.runtimes.micro import Micro
from edgerig.testing.networks.several_ends import two_in_three_out, two_in_three_out_tflite


@pytest.fixture(scope="module")
def search(float_net: Artifact, blobs: Dataset) -> Search:
    model = flatbuffer.unpack(Path(float_net.path).read_bytes())
    names = flatbuffer.ensure_signature(model)
    settings = MixedSettings(calibration_samples=40, validation_samples=100)
    return Search(float_net, flatbuffer.pack(model), names, Int8()._recipe(), blobs, settings, Progress())


def test_the_layers_that_are_named_are_float_and_all_others_int8(search: Search, tmp_path: Path) -> None:
    int8 = search._mixture(())
    candidates = search._candidates(int8)
    ratios = [candidate.sqnr for candidate in candidates if candidate.sqnr is not None]
    assert ratios == sorted(ratios)
    assert len(candidates) >= 4
    for chosen in ((), candidates[:1], candidates[1:3]):
        path = tmp_path / "mixed.tflite"
        path.write_bytes(search._mixture(chosen))
        graph = read_graph(path)
        tensors = {name for candidate in chosen for name in candidate.outputs}
        check_mixed(graph, tensors, path.name)
        weighted = [operator for operator in graph.operators if operator.op in WEIGHTED]
        floats = [graph.tensors[operator.outputs[0]].name in tensors for operator in weighted]
        dtypes = [graph.tensors[operator.inputs[1]].dtype for operator in weighted]
        assert dtypes == ["float32" if is_float else "int8" for is_float in floats]
        assert (int8_share(graph) == 1) == (not any(floats))
        other = {candidate.outputs[-1] for candidate in candidates if candidate not in chosen}
        with pytest.raises(ArtifactCheckError, match="should be float32"):
            check_mixed(graph, tensors | other, path.name)
        if tensors:
            with pytest.raises(ArtifactCheckError, match="should be int8"):
                check_mixed(graph, (), path.name)


def test_a_budget_ends_the_search_where_it_is_met(float_net: Artifact, blobs: Dataset, tmp_path: Path) -> None:
    made = Mixed(MixedSettings(budget="accuracy 1 points", validation_samples=100)).compile(float_net, tmp_path, blobs)
    record = made.origins[-1].options
    steps = msgspec.convert(record["front"], list[Step])
    assert made.scheme == "int8"
    assert steps[0].layer == ""
    assert steps[0].int8_macs == 1.0
    assert [step.layer for step in steps[1:]] == record["float_layers"]
    assert steps[-1].change >= -0.01
    assert all(step.change < -0.01 for step in steps[:-1])
    assert {step.samples for step in steps} == {100}


def test_a_mixture_that_is_larger_than_the_float_network_says_so(
    float_net: Artifact, blobs: Dataset, tmp_path: Path
) -> None:
    """Where nearly all layers are float32, the conversions between the types come on top."""
    made = Mixed(MixedSettings(budget="accuracy 1 points", validation_samples=100)).compile(float_net, tmp_path, blobs)
    record = made.origins[-1].options
    assert record["float_bytes"] == float_net.size
    assert made.size > float_net.size, "else this test says nothing"
    note = about_mixed_size(made)
    assert f"is larger than the float network: {made.size:,} B against {float_net.size:,} B" in note
    assert f"{len(record['float_layers'])} of its layers are float32" in note
    assert note in list(front_lines(made, 120))[-1]
    smaller = msgspec.structs.replace(made, size=float_net.size - 1)
    assert about_mixed_size(smaller) == ""
    assert not any("larger" in line for line in front_lines(smaller, 120))
    assert "as large as" in about_mixed_size(msgspec.structs.replace(made, size=float_net.size))
    assert about_mixed_size(float_net) == ""


def test_the_test_split_is_never_read(float_net: Artifact, blobs: Dataset, tmp_path: Path, monkeypatch: Any) -> None:
    splits: list[str] = []
    own = type(blobs)._split

    def noted(self: Dataset, name: Any) -> Any:
        splits.append(name)
        return own(self, name)

    monkeypatch.setattr(type(blobs), "_split", noted)
    Mixed(MixedSettings(validation_samples=20)).compile(float_net, tmp_path, type(blobs)())
    assert set(splits) == {"train", "validation"}


@pytest.mark.slow
def test_litert_and_c_compute_the_same_of_a_mixed_network(
    search: Search, float_net: Artifact, blobs: Dataset, tmp_path: Path, run_litert: Any
) -> None:
    candidates = search._candidates(search._mixture(()))
    # The first and a middle layer: an input that is float, and both conversions.
    path = tmp_path / "mixed.tflite"
    path.write_bytes(search._mixture((candidates[0], candidates[2])))
    inputs = blobs.split("test").inputs(slice(0, 8), float_net.preprocessing)
    with Micro() as micro:
        micro.load(path)
        spec, result = micro.inputs[0], micro.outputs[0]

        outputs = [micro.run_one([quantize_input(sample[None], spec)])[1][0].copy() for sample in inputs]
    real = np.concatenate(outputs).astype(np.float32)
    if result.quantization is not None:
        real = (real - result.quantization.zero_point) * result.quantization.scale
    np.testing.assert_allclose(real, run_litert(path, inputs, reference=True), atol=1e-5)

    assert Path(CSource().compile(open_artifact(path), tmp_path / "c").path).is_file()


@pytest.mark.parametrize("text", ["", "accuracy", "0.5", "accuracy -1 points", "latency 5 ms", "accuracy nan points"])
def test_a_budget_that_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="budget") as caught:
        Mixed(MixedSettings(budget=text))
    assert "accuracy 0.5 points" in str(caught.value.hint)


def test_budgets_are_points() -> None:
    assert budget_of(" accuracy 2 points ") == 0.02
    assert budget_of("accuracy 1 point") == 0.01


def test_a_dataset_without_classes_is_refused(float_net: Artifact, tmp_path: Path) -> None:
    from edgerig.datasets.random import Random

    with pytest.raises(IncompatibleError, match="no classes"):
        Mixed().compile(float_net, tmp_path, Random())


def test_each_of_several_inputs_is_fed_in_the_search(left_and_right: Npz, tmp_path: Path) -> None:
    network = open_artifact(two_in_three_out_tflite(tmp_path / "net.tflite"))
    made = Mixed(MixedSettings(budget="accuracy 30 points", calibration_samples=40)).compile(
        network, tmp_path / "out", left_and_right
    )
    validation = left_and_right.split("validation")
    inputs = validation.named_inputs(slice(None), network.preprocessing)
    scores = two_in_three_out(inputs["left"], inputs["right"])[0]
    record = made.origins[-1].options
    assert record["float_accuracy"] == pytest.approx((scores.argmax(axis=1) == validation.labels).mean())
    assert record["front"][0]["samples"] == len(validation)
    assert [spec.name for spec in made.inputs] == ["left", "right"]
