"""``edgerig compare``: what its arguments may be, and a whole comparison of real processes."""

import json
from functools import partial

import pytest
from tests.command_line import edgerig
from tests.results.compare.test_quality import NOISE, dataset, judged
from tests.results.conftest import write_run  # noqa: F401

from edgerig.cli import main
from edgerig.cli.compare_command import command
from edgerig.cli.compare_sources import plan_source, read_source
from edgerig.testing.networks import dense_tflite


@pytest.fixture
def call(capfd, tmp_path, monkeypatch):
    """Runs ``edgerig compare`` in a folder with two networks: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("a", "b")):
        dense_tflite(tmp_path / f"{name}.tflite", 784, 10, seed=seed)
    return partial(edgerig, capfd, "compare")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("a.tflite", "nothing.tflite"), "There is no nothing.tflite"),
        (("a.tflite", "."), ". is no bundle"),
        (("runs/old#x", "a.tflite"), "There is no runs/old#x"),
        (("a.tflite", "b.tflite", "--target", "sim:stm32f999"), "stm32f999"),
        (("a.tflite", "b.tflite", "--runtime", "nothing"), "nothing"),
        (("a.tflite", "b.tflite", "--runtime-option", "thread=2"), "Did you mean 'threads'?"),
        (("a.tflite", "b.tflite", "--shape", "x=0"), "--shape 'x=0'"),
        (("a.tflite", "b.tflite", "--pairs", "3"), "4<=x<=20"),
    ],
)
def test_what_cannot_be_compared_is_told(call, arguments, words) -> None:
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert "Traceback" not in err


@pytest.mark.slow
def test_a_network_that_cannot_be_measured_is_told_with_what_compare_can_do(call, tmp_path) -> None:
    """A comparison begins anew: it has no --resume."""
    dense_tflite(tmp_path / "nan.tflite", 784, 10, gain=float("nan"))
    code, out, err = call("a.tflite", "nan.tflite", "--samples", "20")
    assert (code, out) == (1, "")
    assert "is inf or NaN in 20 of 20 samples" in err
    assert "--resume" not in err


@pytest.mark.slow
def test_two_files_have_a_verdict_for_each_metric(call, tmp_path) -> None:
    code, out, err = call(
        "a.tflite", "b.tflite", "--dataset", "mnist", "--samples", "200", "--pairs", "4", "--json", "--out", "kept"
    )
    assert code == 0, err
    document = json.loads(out)
    (comparison,) = document["comparisons"]
    metrics = comparison["metrics"]
    assert document["method"] == "live"
    assert metrics["size"]["verdict"] == "same"
    assert metrics["failures"]["verdict"] == "same"
    assert {metrics[name]["verdict"] for name in ("latency", "p50", "p99")} <= {
        "slower",
        "faster",
        "same",
        "inconclusive",
    }
    assert metrics["accuracy"]["count"] == 200
    assert metrics["latency"]["count"] == 4
    assert comparison["self_check"]["pairs"] == 4
    assert "b.tflite against a.tflite" in (tmp_path / "kept/comparison.html").read_text()
    assert document == json.loads((tmp_path / "kept" / "comparison.json").read_text())
    # The same two, of the bundles that it left: one round each, which passes nothing.
    code, out, err = call("kept/a", "kept/b", "--threads", "2")
    assert (code, out) == (2, "")
    assert "--threads says how to measure" in err
    code, out, err = call("kept/a", "kept/b", "--json", "-v", "--margin", "0.05")
    assert code == 0, err
    (stored,) = json.loads(out)["comparisons"]
    assert stored["metrics"]["latency"]["verdict"] == "inconclusive"
    assert stored["metrics"]["accuracy"] == metrics["accuracy"]
    # A cell of a bundle can be named, or its folder given.
    code, out, _ = call("kept/a#a-litert-local", "kept/b/cells/b-litert-local")
    assert code == 0
    assert "size" in out
    code, _, err = call("kept/a#nothing", "kept/b")
    assert (code, "nothing" in err) == (2, True)


@pytest.mark.parametrize(
    "option", [("--target", "local"), ("--dataset", "mnist"), ("--threads", "2"), ("--layout", "nchw")]
)
def test_what_two_rigs_say_themselves_is_no_option(call, tmp_path, option) -> None:
    for name in ("x", "y"):
        (tmp_path / f"{name}.yaml").write_text(
            f"name: {name}\nmodel: {{file: a.tflite}}\ndataset: {{use: random, shape: [784]}}\n"
            "matrix: [{runtimes: [litert], targets: [local]}]\n"
        )
    code, _, err = call("x.yaml", "y.yaml", *option)
    assert code == 2
    assert f"{option[0]} says how to measure, and two rig files say that themselves" in err
    assert not (tmp_path / "runs").exists()


def test_a_cell_of_a_bundle_is_measured_anew_as_it_was_but_for_what_is_asked_for(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    dense_tflite(tmp_path / "a.tflite", 784, 10)
    with pytest.raises(SystemExit):
        main(["bench", "a.tflite", "--threads", "2", "--samples", "20", "--rounds", "1", "--out", "two"])
    defaults = command.make_context("compare", ["two", "two"]).params

    def cell(**given):
        (only,) = plan_source(read_source("two"), defaults | given, given).cells
        return only

    assert cell().runtime.options == {"threads": 2}
    assert cell(threads=3).runtime.options == {"threads": 3}
    assert cell(runtime_option=("threads=4",)).runtime.options == {"threads": 4}
    assert cell(target="sim:stm32f746", runtime="micro").target.use == "sim:stm32f746"
    assert cell().target.use == "local"


def test_cells_on_different_devices_are_not_compared(call, tmp_path) -> None:
    for name, target in (("x", "local"), ("y", "unix:///nowhere")):
        (tmp_path / f"{name}.yaml").write_text(
            f"name: {name}\nmodel: {{file: a.tflite}}\ndataset: {{use: random, shape: [784]}}\n"
            f"matrix: [{{runtimes: [litert], targets: ['{target}']}}]\n"
        )
    code, _, err = call("x.yaml", "y.yaml")
    assert code == 2
    assert "times of two devices are not compared" in err
    assert not (tmp_path / "runs").exists()


def test_other_metrics_and_a_task_of_the_user_s_are_named(call, write_run, tmp_path) -> None:  # noqa: F811
    (tmp_path / "own_task.py").write_text(
        "from edgerig.tasks.regression import Regression\n\n\nclass Rooms(Regression):\n    name = 'rooms'\n"
    )
    data = dataset(task="own_task:Rooms")
    write_run("one", judged(NOISE), dataset=data)
    write_run("other", judged(1.2 * NOISE), dataset=data)
    code, out, _ = call("one", "other", "--quality", "rmse", "--quality-change", "0.5", "--json")
    (comparison,) = json.loads(out)["comparisons"]
    assert code == 0
    assert "mae" not in comparison["metrics"]
    assert any("--task own_task:Rooms" in note for note in comparison["notes"])
    code, out, _ = call(
        "one", "other", "--task", "own_task:Rooms", "--quality", "rmse", "--quality-change", "0.5", "--json"
    )
    (comparison,) = json.loads(out)["comparisons"]
    verdicts = {name: comparison["metrics"][name]["verdict"] for name in ("mae", "rmse")}
    assert verdicts == {"mae": "same", "rmse": "same"}, "a fifth more is within the margin of a half"
