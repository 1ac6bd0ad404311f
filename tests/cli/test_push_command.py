"""``edgerig push`` and ``edgerig pull``: runs, models and folders in a store."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from tests.command_line import Call, edgerig
from tests.results.conftest import make_measured, write_run

from edgerig.results.bundle import Bundle
from edgerig.store import open_dataset, open_store
from edgerig.store.objects import key_of

__all__ = ["write_run"]


@pytest.fixture
def call(capfd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    monkeypatch.chdir(tmp_path)
    return partial(edgerig, capfd)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_run_goes_there_and_back(call: Call, write_run, tmp_path: Path) -> None:
    write_run("runs/demo", make_measured([1e-4] * 3))
    code, out, err = call("push", "runs/demo", "store/runs/demo", "--note", "first")
    assert code == 0, err
    assert out.startswith("store/runs/demo@1: ")
    assert open_dataset("store/runs/demo")[0].read().header.kind == "run"
    assert call("pull", "store/runs/demo", "--to", "back")[0] == 0
    visible = {name: data for name, data in tree(tmp_path / "runs" / "demo").items() if not name.startswith(".")}
    assert tree(tmp_path / "back") == visible
    assert Bundle(tmp_path / "back").result() == Bundle(tmp_path / "runs" / "demo").result()
    assert "nothing is new" in call("push", "back", "store/runs/demo")[1]


def test_a_run_that_is_not_finished_stays_here(call: Call, write_run, tmp_path: Path) -> None:
    write_run("runs/demo", make_measured([1e-4] * 3))
    (tmp_path / "runs" / "demo" / "results.json").unlink()
    code, _, err = call("push", "runs/demo", "store/demo")
    assert code == 2
    assert "not finished" in err
    assert not (tmp_path / "store").exists()


def test_a_model_takes_its_description_along(call: Call, digit_net: Path, tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "net.tflite").write_bytes(digit_net.read_bytes())
    (tmp_path / "build" / "net.tflite.json").write_text("{}")
    (tmp_path / "build" / "other.tflite").write_bytes(b"another network")
    assert call("push", "build/net.tflite", "store/net")[0] == 0
    version = open_dataset("store/net")[0].read()
    assert [entry.name for entry in version.entries] == ["net.tflite", "net.tflite.json"]
    assert version.header.kind == "model"
    assert call("pull", "store/net@1")[1] == "store/net@1: 2 files written to net\n"
    assert (tmp_path / "net" / "net.tflite").read_bytes() == digit_net.read_bytes()
    code, _, err = call("push", "build", "store/net")
    assert code == 2
    assert "store/net is of the kind 'model', build of 'files'" in err


def test_a_damaged_model_is_not_pulled(call: Call, digit_net: Path, tmp_path: Path) -> None:
    call("push", digit_net, "store/net")
    (entry,) = open_dataset("store/net")[0].read().entries
    open_store("store", writing=True).put(key_of(entry.sha256), digit_net.read_bytes()[:-1])
    code, _, err = call("pull", "store/net", "--to", "back")
    assert code == 1
    assert entry.sha256 in err
    assert tree(tmp_path / "back") == {}


def test_what_cannot_be_pushed_or_pulled_is_said(call: Call, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    assert "There is no none" in call("push", "none", "store/x")[2]
    assert "names a version" in call("push", "notes.txt", "store/x@2")[2]
    assert call("push", "notes.txt", "store/x")[0] == 0
    assert "Did you mean 'x'" in call("pull", "store/xx")[2]
