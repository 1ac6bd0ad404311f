"""``edgerig test``: a run is recorded, whatever becomes of its history; what is wrong is said before anything runs."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
from tests.command_line import Call, edgerig

from edgerig.cli import test_command
from edgerig.results.bundle import Bundle
from edgerig.results.tests.history import open_history
from edgerig.results.tests.unsent import UnsentTests
from edgerig.testing.networks import dense_tflite


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Runs ``edgerig`` in a folder of its own: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGERIG_STATE", str(tmp_path / "state"))
    # Samples are not repeated for a second of inference: nothing here is about how exact a time is.
    monkeypatch.setitem(test_command._OF_BENCH, "seconds", 0)
    return partial(edgerig, capfd)


@pytest.mark.slow
def test_a_test_is_recorded_and_is_in_the_history(call: Call, digit_net: Path, tmp_path: Path) -> None:
    short = ("--dataset", "mnist", "--samples", 40, "--rounds", 1, "--history", "data/tests")
    code, out, err = call("test", digit_net, *short, "--name", "nightly", "--description", "first", "--json")
    assert code == 0, err
    document = json.loads(out)
    (shown,) = document["tests"]
    ((name, record),) = open_history(tmp_path / "data" / "tests").read(say=pytest.fail)
    assert (shown["name"], record.name, record.description) == ("nightly", "nightly", "first")
    assert f"Recorded: {name} in data/tests" in err
    (folder,) = (tmp_path / "runs").iterdir()
    (cell,) = Bundle(folder).result().cells
    assert record.date == cell.started
    assert record.metrics == cell.quality.metrics
    assert record.confusion == cell.quality.confusion
    assert record.images == 40 == sum(map(sum, record.confusion))
    assert record.dataset.address == "mnist"

    code, out, err = call("history", "list", "--tests", "data/tests", "--json")
    assert [run["bundle"] for run in json.loads(out)["runs"]] == [str(folder)]
    code, out, err = call("history", "series", "--runs", "elsewhere", "--tests", "data/tests", "--metric", "accuracy")
    assert "test-nightly" in out
    assert code == call("history", "export", "tests.json", "--tests", "data/tests")[0] == 0
    (row,) = json.loads((tmp_path / "tests.json").read_text())
    assert row["accuracy"] == record.accuracy
    code, _, err = call("history", "import", "tests.json", "--history", "data/tests")
    assert "0 of 1 tests are new" in err


@pytest.mark.slow
def test_a_history_that_cannot_be_reached_costs_nothing(call: Call, digit_net: Path, tmp_path: Path) -> None:
    (tmp_path / "share").write_text("not mounted")
    words = ("test", digit_net, "--dataset", "mnist", "--samples", 40, "--rounds", 1, "--history", "share/tests")
    code, _, err = call(*words, "--batch", 4)
    assert code == 0, err
    assert "cannot be reached" in err
    assert len(UnsentTests("share/tests").names()) == 1
    code, _, err = call("history", "send")
    assert code == 1
    assert "1 stay in" in err
    (tmp_path / "share").unlink()
    assert call("history", "send")[0] == 0
    ((_, record),) = open_history(tmp_path / "share" / "tests").read(say=pytest.fail)
    assert record.batch == 4
    assert "No test waits." in call("history", "send")[2]


def test_what_cannot_be_tested_is_said_before_anything_runs(call: Call, digit_net: Path, tmp_path: Path) -> None:
    dense_tflite(tmp_path / "net.tflite", 8, 4)
    for words, reason in (
        (("net.tflite", "--dataset", "mnist"), "takes [8]"),
        (("net.tflite", "--dataset", "nonsuch"), "nonsuch"),
        (("nothing.tflite", "--dataset", "mnist"), "nothing.tflite"),
        ((digit_net, "--dataset", "mnist", "--task", "segmentation"), "class map"),
        ((digit_net, "--dataset", "mnist", "--resume"), "--out"),
    ):
        code, _, err = call("test", *words, "--rounds", 1)
        assert code in (1, 2), err
        assert reason in err
        assert "this is a fault of edgerig" not in err
    assert not (tmp_path / "runs" / "tests").exists()


def test_an_empty_history_says_so(call: Call, tmp_path: Path) -> None:
    assert call("history", "list")[1] == "No finished run and no test is in runs yet.\n"
    assert call("history", "export", "tests.json")[0] == 0
    assert json.loads((tmp_path / "tests.json").read_text()) == []
    (tmp_path / "cut.json").write_text('[{"date": "20')
    code, _, err = call("history", "import", "cut.json")
    assert code == 1
    assert "no JSON" in err
