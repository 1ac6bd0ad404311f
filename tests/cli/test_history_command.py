"""``edgerig history``."""

import csv
import io
import json
from functools import partial
from pathlib import Path

import pytest
from tests.command_line import edgerig
from tests.results.conftest import make_measured, write_run
from tests.results.energies import powered

__all__ = ["write_run"]


@pytest.fixture
def call(capfd, tmp_path, monkeypatch):
    """Runs ``edgerig history`` in a folder: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    return partial(edgerig, capfd, "history")


def test_a_history_without_runs_says_so_and_makes_nothing(call, tmp_path: Path) -> None:
    code, out, _ = call("list")
    assert (code, out) == (0, "No finished run and no test is in runs yet.\n")
    assert json.loads(call("list", "--json")[1]) == {"runs": [], "baselines": {}}
    assert not (tmp_path / "runs").exists()


def test_an_index_that_cannot_be_is_made_in_memory(call, write_run, tmp_path: Path) -> None:
    """Nothing is said not to be there because its index could not be written."""
    write_run("runs/one", make_measured([1e-4] * 3))
    (tmp_path / "runs" / "history.sqlite").mkdir()
    code, out, err = call("list", "--json")
    (run,) = json.loads(out)["runs"]
    assert (code, Path(run["bundle"]).name) == (0, "one")
    assert "(!) The history is of the bundles in runs, and is not kept: " in err
    assert json.loads(call("series", "--metric", "latency", "--json")[1])[0]["series"]["points"][0]["value"]
    assert call("page")[0] == 0


def test_runs_are_listed_named_and_shown(call, write_run, tmp_path: Path) -> None:
    bundle = write_run("runs/one", make_measured([1e-4] * 3))
    code, out, _ = call("list")
    assert code == 0
    assert str(bundle) in out
    code, _, err = call("name", "main", "runs/one")
    assert code == 0, err
    (run,) = json.loads(call("list", "--json")[1])["runs"]
    assert (run["baselines"], run["there"], run["rig"]) == (["main"], True, "r")
    code, out, _ = call("series", "--metric", "latency")
    assert "1 run, now 10" in out
    (document,) = json.loads(call("series", "--metric", "latency", "--json")[1])
    assert document["changes"] == []
    assert call("page")[0] == 0
    assert "int8-litert-local" in (tmp_path / "runs" / "history.html").read_text()
    assert call("rebuild")[0] == 0
    code, _, err = call("name", "main", "nothing")
    assert (code, "no finished run" in err) == (2, True)
    code, _, err = call("add", "nothing")
    assert code == 2
    assert "Traceback" not in err


def test_a_metric_that_no_run_has_is_told_with_the_nearest_one(call, write_run) -> None:
    """Nothing on standard output would read as nothing measured."""
    write_run("runs/one", make_measured([1e-4] * 3))
    code, out, err = call("series", "--metric", "latncy")
    assert (code, out) == (2, "")
    assert "Did you mean 'latency'?" in err
    assert "Known: r." in call("page", "--rig", "q")[2]


def test_series_are_told_with_their_bounds_and_written_as_csv(call, write_run) -> None:
    write_run("runs/one", powered([0.002, 0.0021, 0.0019]))
    write_run("runs/two", powered([0.003, 0.0031, 0.0029]))
    code, out, _ = call("series", "--metric", "energy")
    assert code == 0
    assert "energy: 2 runs, now 3.00 mJ, " in out
    assert "mJ (local (" in out
    first, second = csv.DictReader(io.StringIO(call("series", "--metric", "energy", "--csv")[1]))
    assert (first["metric"], first["unit"], first["kind"]) == ("energy", "J", "measured")
    assert [float(row["value"]) for row in (first, second)] == pytest.approx([0.002, 0.003])
    assert float(first["low"]) < 0.002 < float(first["high"])
    assert first["bundle"].endswith("one")
    (document,) = json.loads(call("series", "--metric", "energy", "--json")[1])
    assert [point["value"] for point in document["series"]["points"]] == pytest.approx([0.002, 0.003])
    (size, *_) = csv.DictReader(io.StringIO(call("series", "--metric", "size", "--csv")[1]))
    assert size["unit"] == "B"
    code, _, err = call("series", "--csv", "--json")
    assert (code, "two formats" in err) == (2, True)


def test_an_index_that_is_broken_is_told_and_no_run_is_lost(call, write_run, tmp_path: Path) -> None:
    write_run("runs/one", make_measured([1e-4] * 3))
    (tmp_path / "runs" / "history.sqlite").write_bytes(b"x" * 5000)
    code, _, err = call("list")
    assert code == 1
    assert "edgerig history rebuild" in err
    assert call("rebuild")[0] == 0
    assert "one" in call("list")[1]
