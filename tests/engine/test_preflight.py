"""What cannot work is said before anything is moved, fetched, trained or measured, and of which network it is so."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from tests.heard import Heard

import edgerig
from edgerig.artifact import Preprocessing
from edgerig.datasets.base import Dataset
from edgerig.engine.preflight import check_networks
from edgerig.engine.samples.evaluation import EvaluationSamples
from edgerig.errors import EdgerigError, IncompatibleError, InferenceError, Interrupted
from edgerig.models.base import ModelWrapper, TrainSettings
from edgerig.models.files import open_artifact
from edgerig.plugins import make
from edgerig.testing.networks import dense_tflite
from edgerig.testing.networks.tflite_builder import counting_network

QUICK = {"samples": 20, "warmup": 1, "rounds": 1, "seconds": 0, "profile": False, "transport_samples": 2}


@pytest.fixture(autouse=True)
def nothing_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of its own, and no npm to fill it with."""
    monkeypatch.setenv("EDGERIG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))


def rig(model: Any, dataset: Any = "mnist", **more: Any) -> dict[str, Any]:
    key = "models" if isinstance(model, list) else "model"
    return {"name": "t", key: model, "dataset": dataset, "measure": QUICK, **more}


def test_a_bundle_stays_where_it_is_when_the_next_run_cannot_work(tmp_path: Path) -> None:
    net, out, heard = dense_tflite(tmp_path / "net.tflite", 784, 10), tmp_path / "out", Heard()
    edgerig.run(rig({"file": str(net)}), out=out)
    before = (out / "results.json").read_bytes()
    with pytest.raises(IncompatibleError, match=r"'cifar10' gives samples of shape \[32, 32, 3\]"):
        edgerig.run(rig({"file": str(net)}, "cifar10"), out=out, progress=heard)
    assert heard.lines == []
    assert (out / "results.json").read_bytes() == before
    assert not (tmp_path / "out.1").exists()


CANNOT_WORK: dict[str, dict[str, Any]] = {
    "a dataset without a folder": {"dataset": {"use": "folder", "root": "nowhere"}},
    "a dataset with an empty class": {"dataset": {"use": "folder", "root": "photos"}},
    "a device that is not there": {"matrix": [{"runtimes": ["litert"], "targets": ["tcp://127.0.0.1:1"]}]},
    "more classes than outputs": {"model": "seven.tflite"},
    "threads of a board": {
        "matrix": [{"runtimes": [{"use": "micro", "threads": 2}], "targets": ["sim:stm32f746"]}],
    },
    "threads of an engine that has one": {"matrix": [{"runtimes": [{"use": "tflm", "threads": 2}]}]},
}


@pytest.mark.slow
@pytest.mark.parametrize("why", CANNOT_WORK)
def test_nothing_is_moved_for_a_run_that_cannot_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    """Not even to and fro: who kills it meanwhile finds the earlier bundle where it was."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos" / "cat").mkdir(parents=True)
    dense_tflite(tmp_path / "net.tflite", 784, 10)
    dense_tflite(tmp_path / "seven.tflite", 784, 7)
    edgerig.run(rig("net.tflite"), out="out")
    before = {path: path.stat().st_mtime_ns for path in sorted((tmp_path / "out").rglob("*"))}
    with pytest.raises(EdgerigError) as caught:
        edgerig.run({**rig("net.tflite"), **CANNOT_WORK[why]}, out="out", progress=(heard := Heard()))
    assert not isinstance(caught.value, InferenceError)
    assert not any("is now in" in line or "there again" in line for line in heard.lines)
    assert {path: path.stat().st_mtime_ns for path in sorted((tmp_path / "out").rglob("*"))} == before
    assert sorted(path.name for path in tmp_path.glob("out*")) == ["out"]


def test_a_run_that_is_stopped_before_it_measures_leaves_the_bundle_of_the_last_as_it_is(tmp_path: Path) -> None:
    class StopsAtTarget(Heard):
        def log(self, message: str) -> None:
            super().log(message)
            raise KeyboardInterrupt

    net, out = dense_tflite(tmp_path / "net.tflite", 784, 10), tmp_path / "out"
    edgerig.run(rig(str(net)), out=out)
    before = (out / "bundle.json").read_bytes()
    with pytest.raises(Interrupted, match="Stopped before anything was measured"):
        edgerig.run(rig(str(net)), out=out, progress=StopsAtTarget())
    assert (out / "bundle.json").read_bytes() == before
    with pytest.raises(Interrupted):
        edgerig.run(rig(str(net)), out=tmp_path / "new", progress=StopsAtTarget())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "net.tflite", "out"]


def test_a_model_to_train_is_held_against_the_samples_before_they_are_fetched(tmp_path: Path) -> None:
    data = rig({"use": "mnist-cnn", "train": {"epochs": 1}}, "cifar10")
    with pytest.raises(IncompatibleError, match="takes inputs of shape 28x28x1, but samples of dataset 'cifar10'"):
        edgerig.run(data, out=tmp_path / "out")
    model, cifar10 = make("model", "mnist-cnn", ModelWrapper), make("dataset", "cifar10", Dataset)
    with pytest.raises(IncompatibleError, match="28x28x1"):
        model.train(cifar10, TrainSettings(), tmp_path / "train")
    assert not (tmp_path / "cache" / "sources").exists()


def test_too_few_outputs_are_no_failed_cell(tmp_path: Path) -> None:
    net, heard = dense_tflite(tmp_path / "net.tflite", 784, 4), Heard()
    with pytest.raises(IncompatibleError, match="gives 4 values a sample, dataset 'mnist' has 10 classes") as caught:
        edgerig.run(rig({"file": str(net)}), out=tmp_path / "out", progress=heard)
    assert caught.value.bundle is None
    assert not any("FAILED" in text for text in heard.lines)
    assert not (tmp_path / "out").exists()


def test_of_several_networks_the_one_that_does_not_fit_is_named(tmp_path: Path) -> None:
    fits, not_so = dense_tflite(tmp_path / "a.tflite", 784, 10), dense_tflite(tmp_path / "b.tflite", 16, 10)
    with pytest.raises(IncompatibleError, match=r"^b: Dataset 'mnist' gives samples of shape"):
        edgerig.run(rig([str(fits), str(not_so)], matrix=[{"runtimes": ["litert"]}]), out=tmp_path / "out")
    digits = make("dataset", "mnist", Dataset)
    digits.prepare()
    networks = {"a": open_artifact(fits), "c": open_artifact(dense_tflite(tmp_path / "c.tflite", 784, 3))}
    with pytest.raises(IncompatibleError, match=r"^c: The network gives 3 values a sample"):
        check_networks(networks, EvaluationSamples(digits, 20))


def test_samples_that_cannot_be_read_are_left_to_the_cells(tmp_path: Path) -> None:
    x, y = np.zeros((20, 16), np.float32), np.arange(20) % 4
    np.savez(tmp_path / "data.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    data = make("dataset", "npz", Dataset, {"file": str(tmp_path / "data.npz")})
    data.prepare()
    network = open_artifact(dense_tflite(tmp_path / "net.tflite", 16, 4), preprocessing=Preprocessing(std=(0.0,)))
    with pytest.raises(IncompatibleError, match="std of 0"):
        data.split("test").inputs(slice(0, 1), network.preprocessing)
    check_networks({"net": network}, EvaluationSamples(data, 20))


def test_nobody_asked_for_the_default_number_of_samples(tmp_path: Path) -> None:
    net, heard = dense_tflite(tmp_path / "net.tflite", 16, 4), Heard()
    measure = {key: value for key, value in QUICK.items() if key != "samples"}
    data = rig({"file": str(net)}, {"use": "random", "shape": [16], "samples": 30})
    result = edgerig.run({**data, "measure": measure}, out=tmp_path / "out", progress=heard)
    assert result.cells[0].measured_samples == 30
    assert not any("asked for" in text for text in (*heard.lines, *result.warnings))


@pytest.mark.parametrize(
    ("dtype", "said"),
    [("int64", r"gives a label \(int64\) a sample, not a score for each of the 10"), ("float32", "1 value a")],
)
def test_a_label_is_told_from_scores(dtype: str, said: str, tmp_path: Path) -> None:
    digits = make("dataset", "mnist", Dataset)
    digits.prepare()
    network = open_artifact(dense_tflite(tmp_path / "net.tflite", 784, 1))
    outputs = tuple(replace(spec, dtype=dtype) for spec in network.outputs)
    with pytest.raises(IncompatibleError, match=said) as caught:
        check_networks({"net": replace(network, outputs=outputs)}, EvaluationSamples(digits, 20))
    assert "`random`" in (caught.value.hint or "")


@pytest.mark.slow
def test_a_network_that_keeps_state_is_told_once_beside_its_numbers(tmp_path: Path) -> None:
    """The warm-up moves the state, so that a comparison with the float model is one of other states."""
    (tmp_path / "counter.tflite").write_bytes(counting_network())
    plain = dense_tflite(tmp_path / "plain.tflite", 4, 4)
    random = {"use": "random", "shape": [4], "samples": 20}
    heard = Heard()
    result = edgerig.run(rig(str(tmp_path / "counter.tflite"), random), out=tmp_path / "a", progress=heard)
    (warning,) = [text for text in result.warnings if "keeps state between inferences" in text]
    assert "counter" in warning
    assert "ASSIGN_VARIABLE" in warning
    assert heard.lines.count(warning) == 1
    result = edgerig.run(rig(str(plain), random), out=tmp_path / "b")
    assert not any("keeps state" in text for text in result.warnings)
