"""Several networks in one run: their names, what each is compared with, and what they share."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.heard import Heard

import edgerig
from edgerig.artifact import Artifact, Origin
from edgerig.engine.artifacts import place_artifact
from edgerig.engine.references.choice import Choice, choose_references
from edgerig.measure import Unavailable
from edgerig.models.files import open_artifact
from edgerig.report import build_report
from edgerig.results.bundle import Bundle
from edgerig.rig.types import ModelPart
from edgerig.tasks.judgement import Agreement
from edgerig.testing import networks

SAMPLES = 40


@pytest.fixture(scope="module")
def nets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("several")
    networks.dense_tflite(folder / "a.tflite", 784, 10)
    networks.dense_tflite_int8(folder / "b.tflite", 784, 10)
    networks.dense_onnx(folder / "c.onnx", 784, 10)
    networks.dense_tflite(folder / "other.tflite", 784, 10, seed=5)
    return folder


def rig(*models: Any, **changes: Any) -> dict[str, Any]:
    measure = {"samples": SAMPLES, "warmup": 1, "rounds": 1, "seconds": 0, "profile": False, "transport_samples": 0}
    return {
        "name": "several",
        "models": list(models),
        "dataset": "mnist",
        "matrix": [{"runtimes": ["litert"]}],
        "measure": measure,
        **changes,
    }


@pytest.mark.slow
def test_every_file_keeps_its_name_from_the_plan_to_the_results(nets: Path, tmp_path: Path) -> None:
    matrix = [{"models": ["a", "b"], "runtimes": ["litert"]}, {"models": ["c"], "runtimes": ["onnxruntime"]}]
    files = [str(nets / name) for name in ("a.tflite", "b.tflite", "c.onnx")]
    result = edgerig.run(rig(*files, matrix=matrix), out=tmp_path / "out")
    assert [cell.id for cell in result.cells] == ["a-litert-local", "b-litert-local", "c-onnxruntime-local"]
    assert [(cell.model, cell.variant) for cell in result.cells] == [("a", "a"), ("b", "b"), ("c", "c")]
    assert [model.name for model in result.models] == ["a", "b", "c"]
    assert [row.name for row in result.sizes] == ["a (tflite)", "b (tflite)", "c (onnx)"]
    assert [cell.artifact.size for cell in result.cells] == [Path(file).stat().st_size for file in files]
    bundle = Bundle(tmp_path / "out")
    indices = [bundle.samples(cell.id)["indices"] for cell in result.cells]
    assert all((one == indices[0]).all() for one in indices)


@pytest.mark.slow
def test_what_each_is_compared_with_stands_with_it(nets: Path, tmp_path: Path) -> None:
    models = [str(nets / "a.tflite"), str(nets / "b.tflite")]
    result = edgerig.run(rig(*models), out=tmp_path / "out")
    bundle, (a, b) = Bundle(tmp_path / "out"), result.cells
    assert isinstance(a.agreement, Agreement)
    assert isinstance(b.agreement, Agreement)
    assert a.agreement.reference == b.agreement.reference == "a (float32 tflite)"
    ours, theirs = (bundle.samples(cell.id)["predictions"] for cell in (b, a))
    assert b.agreement.same_class == pytest.approx(float((ours == theirs).mean()))
    assert a.agreement.same_class == 1.0


@pytest.mark.slow
def test_a_reference_that_is_named_goes_before_any_other(nets: Path, tmp_path: Path) -> None:
    models = [str(nets / "a.tflite"), {"file": str(nets / "b.tflite"), "reference": str(nets / "other.tflite")}]
    result = edgerig.run(rig(*models), out=tmp_path / "out")
    other = edgerig.run(rig(str(nets / "other.tflite")), out=tmp_path / "other").cells[0]
    theirs = Bundle(tmp_path / "other").samples(other.id)["predictions"]
    ours = Bundle(tmp_path / "out").samples("b-litert-local")["predictions"]
    agreement = result.cells[1].agreement
    assert isinstance(agreement, Agreement)
    assert agreement.reference.startswith("other")
    assert agreement.same_class == pytest.approx(float(np.mean(ours == theirs)))


def test_cells_that_are_left_out_still_serve_as_reference(nets: Path, tmp_path: Path) -> None:
    models = [str(nets / "a.tflite"), str(nets / "b.tflite")]
    result = edgerig.run(rig(*models), out=tmp_path / "out", only=["b-*"])
    assert [cell.id for cell in result.cells] == ["b-litert-local"]
    assert [model.name for model in result.models] == ["b"]
    assert isinstance(result.cells[0].agreement, Agreement)


@pytest.mark.slow
def test_a_run_of_several_goes_on_where_it_stopped(nets: Path, tmp_path: Path) -> None:
    data = rig(str(nets / "a.tflite"), str(nets / "b.tflite"))
    first = edgerig.run(data, out=tmp_path / "out")
    (tmp_path / "out" / "results.json").unlink()
    (tmp_path / "out" / "cells" / "b-litert-local" / "result.json").unlink()
    second = edgerig.run(data, out=tmp_path / "out", resume=True)
    assert second.cells[0] == first.cells[0]
    assert [cell.id for cell in second.cells] == ["a-litert-local", "b-litert-local"]
    assert second.models == first.models


def artifacts(nets: Path) -> dict[str, Artifact]:
    return {name: open_artifact(nets / file) for name, file in (("a", "a.tflite"), ("b", "b.tflite"))}


def parts(*names: str) -> list[ModelPart]:
    return [ModelPart(file=f"{name}.tflite") for name in names]


@pytest.mark.slow
def test_of_two_float_models_none_is_guessed(nets: Path, tmp_path: Path) -> None:
    models = artifacts(nets) | {"other": open_artifact(nets / "other.tflite")}
    chosen = choose_references(parts("a", "b", "other"), models)
    assert (chosen["a"], chosen["other"]) == (Choice("a"), Choice("other"))
    assert chosen["b"].label is None
    assert "a, other" in chosen["b"].why
    result = edgerig.run(
        rig(*(str(nets / f"{name}.tflite") for name in "ab"), str(nets / "other.tflite")), out=tmp_path / "o"
    )
    agreement = result.cells[1].agreement
    assert isinstance(agreement, Unavailable)
    assert "--reference" in agreement.reason


def test_a_description_that_names_its_parent_is_believed(nets: Path) -> None:
    from msgspec.structs import replace

    models = artifacts(nets) | {"other": open_artifact(nets / "other.tflite")}
    models["b"] = replace(models["b"], origins=(Origin("int8", parent=models["other"].sha256),))
    assert choose_references(parts("a", "b", "other"), models)["b"] == Choice("other")


def test_the_only_float_model_is_taken_and_that_is_said(nets: Path) -> None:
    chosen = choose_references(parts("a", "b"), artifacts(nets))["b"]
    assert chosen.label == "a"
    assert "the only float model" in chosen.why


def test_of_float_models_in_several_formats_that_of_its_own_is_taken(nets: Path) -> None:
    models = artifacts(nets) | {"c": open_artifact(nets / "c.onnx")}
    chosen = choose_references([*parts("a", "b"), ModelPart(file="c.onnx")], models)["b"]
    assert chosen.label == "a"
    assert "the only float tflite model" in chosen.why


def test_a_network_of_other_outputs_is_no_reference(nets: Path) -> None:
    small = open_artifact(networks.dense_tflite(nets / "small.tflite", 784, 3))
    chosen = choose_references(parts("small", "b"), {"small": small, "b": artifacts(nets)["b"]})["b"]
    assert chosen.label is None
    assert "was not given" in chosen.why


def test_more_samples_than_there_are_is_said_before_anything_is_measured(nets: Path, tmp_path: Path) -> None:
    heard = Heard()
    data = rig(str(nets / "a.tflite"), dataset={"use": "random", "shape": [784], "samples": 30})
    data["matrix"] = [{"runtimes": ["litert"], "samples": 50}]
    result = edgerig.run(data, out=tmp_path / "out", progress=heard)
    assert result.cells[0].measured_samples == 30
    measured = next(i for i, text in enumerate(heard.lines) if text.startswith("[1/1]"))
    for text in ("random has 30 test samples, and 40 were asked for", "50 samples were asked for, and there are 30"):
        (place,) = [i for i, said in enumerate(heard.lines) if text in said]
        assert place < measured
        assert any(text in warning for warning in result.warnings)


@pytest.mark.slow
def test_files_of_one_name_from_two_runs_are_told_apart(nets: Path, tmp_path: Path) -> None:
    paths = []
    for number, seed in ((1, 0), (2, 5)):
        (tmp_path / f"v{number}").mkdir()
        paths.append(networks.dense_tflite(tmp_path / f"v{number}" / "net.tflite", 784, 10, seed=seed))
    for path in paths:
        edgerig.run(rig(str(path)), out=tmp_path / "runs" / path.parent.name)
    report = build_report([tmp_path / "runs" / "v1", tmp_path / "runs" / "v2"])
    assert [variant.variant for variant in report.variants] == ["v1/net", "v2/net"]
    assert report.compared == ()
    again = tmp_path / "runs" / "again"
    edgerig.run(rig(str(paths[0])), out=again)
    report = build_report([tmp_path / "runs" / "v1", again])
    assert [variant.variant for variant in report.variants] == ["net", "net"]
    assert len(report.compared) == 1


@pytest.mark.slow
def test_one_file_that_is_described_in_two_ways_has_two_copies_in_the_bundle(tmp_path: Path) -> None:
    """The description lies beside the copy: of one copy for both, the second would change what the first says."""
    paths = []
    for number, classes in ((1, "0123456789"), (2, "abcdefghij")):
        (tmp_path / f"v{number}").mkdir()
        path = networks.dense_tflite(tmp_path / f"v{number}" / "net.tflite", 784, 10)
        described = msgspec.structs.replace(open_artifact(path), classes=tuple(classes), scheme=f"scheme {number}")
        described.save()
        paths.append(path)
    models = [{"file": str(path), "name": f"net{number}"} for number, path in enumerate(paths, 1)]
    for resume in (False, True):
        result = edgerig.run(rig(*models), out=tmp_path / "out", resume=resume)
        copies = [cell.artifact.path for cell in result.cells]
        assert len(set(copies)) == 2
        for number, (path, cell) in enumerate(zip(copies, result.cells, strict=True), 1):
            assert cell.artifact.scheme == f"scheme {number}"
            assert Artifact.load(tmp_path / "out" / f"{path}.json").scheme == f"scheme {number}"
        assert len(list((tmp_path / "out" / "artifacts").glob("*.tflite"))) == 2
        # What is finished is taken as it is; measured again, each finds its own copy.
        (tmp_path / "out" / "results.json").unlink()


def test_one_file_that_is_described_in_one_way_has_one_copy(nets: Path, tmp_path: Path) -> None:
    placed: dict[str, Artifact] = {}
    artifact = open_artifact(nets / "a.tflite")
    (tmp_path / "artifacts").mkdir()
    copies = {place_artifact(artifact, tmp_path / "artifacts", placed).path for _ in range(2)}
    assert len(copies) == len(placed) == 1
