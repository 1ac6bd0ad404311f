"""`edgerig run` of a file of several rigs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result

from edgerig.cli import cli
from edgerig.datasets.mlperf_tiny.seeded import write_seeded
from edgerig.errors import DatasetError
from edgerig.testing.networks import linear_tflite

QUICK = {"warmup": 1, "rounds": 1, "seconds": 0, "profile": False, "transport_samples": 0}


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two benchmarks, each with a linear network of random weights."""
    folder = tmp_path_factory.mktemp("parts")
    random = np.random.default_rng(0)
    parts: dict[str, object] = {}
    for name, dataset, values in (("kws01", "mlperf-tiny-kws", 490), ("ic01", "mlperf-tiny-ic", 3072)):
        write_seeded(folder, name, per_class=1)
        classes = 12 if name == "kws01" else 10
        weights = random.normal(size=(classes, values)).astype(np.float32)
        linear_tflite(folder / f"{name}.tflite", weights, np.zeros(classes, np.float32))
        parts[name] = {"model": {"file": f"{name}.tflite", "layout": "nhwc"}, "dataset": dataset}
    content = {
        "suite": "mlperf-tiny",
        "dataset": {"root": "."},
        "parts": parts,
        "matrix": {"runtimes": ["litert"]},
        "measure": QUICK,
    }
    path = folder / "rig.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["run", *words])


@pytest.mark.slow
def test_each_rig_has_a_folder_and_all_end_in_one_table(rig: Path, tmp_path: Path) -> None:
    done = run(str(rig), "--out", str(tmp_path / "tiny"), "--json")
    assert done.exit_code == 0, done.output
    results = json.loads(done.stdout)
    for name in ("kws01", "ic01"):
        assert (tmp_path / "tiny" / name / "report.html").is_file()
        assert results[name]["cells"] == json.loads((tmp_path / "tiny" / name / "results.json").read_text())["cells"]
    rows = json.loads((tmp_path / "tiny" / "mlperf-tiny.json").read_text())["rows"]
    assert [row["benchmark"] for row in rows] == ["kws01", "ic01"]
    table = [line for line in done.stderr.splitlines() if line.startswith(("kws01 ", "ic01 "))]
    assert len(table) == 2
    assert "12 of 1,000" in table[0]


def test_a_plan_is_shown_of_the_parts_that_were_chosen(rig: Path, tmp_path: Path) -> None:
    done = run(str(rig), "--dry-run", "--only", "ic01", "--json", "--out", str(tmp_path / "none"))
    assert done.exit_code == 0, done.output
    assert list(json.loads(done.stdout)) == ["ic01"]
    assert not (tmp_path / "none").exists()


@pytest.mark.slow
def test_a_part_alone_leaves_the_others_in_the_table(rig: Path, tmp_path: Path) -> None:
    out = tmp_path / "tiny"
    assert run(str(rig), "--out", str(out)).exit_code == 0
    before = json.loads((out / "mlperf-tiny.json").read_text())["rows"]
    finished = json.loads((out / "kws01" / "results.json").read_text())["finished"]
    done = run(str(rig), "--out", str(out), "--only", "ic01", "--json")
    assert done.exit_code == 0, done.output
    assert list(json.loads(done.stdout)) == ["ic01"]
    document = json.loads((out / "mlperf-tiny.json").read_text())
    assert [row["benchmark"] for row in document["rows"]] == ["kws01", "ic01"]
    assert document["rows"][0] == before[0], "the very figures of the earlier run"
    assert f"Of an earlier run: kws01 ({finished})." in document["notes"]
    assert f"- Of an earlier run: kws01 ({finished})." in (out / "mlperf-tiny.md").read_text()
    (out / "kws01" / "results.json").write_text("{")
    for cell in (out / "kws01" / "cells").iterdir():
        (cell / "cell.json").unlink(missing_ok=True)
    (out / "kws01" / "bundle.json").write_text("{")
    done = run(str(rig), "--out", str(out), "--only", "ic01")
    assert done.exit_code == 0, done.output
    assert "kws01 is not in the table: " in done.stderr
    assert [row["benchmark"] for row in json.loads((out / "mlperf-tiny.json").read_text())["rows"]] == ["ic01"]


def test_a_rig_that_cannot_be_run_at_all_keeps_none_of_the_others_from_running(rig: Path, tmp_path: Path) -> None:
    done = run(str(rig), "--out", str(tmp_path / "tiny"), "--set", "parts.kws01.dataset.root=nowhere")
    assert isinstance(done.exception, DatasetError)
    assert "nowhere" in done.exception.message
    assert not (tmp_path / "tiny" / "kws01" / "results.json").exists()
    assert "| ic01 |" in (tmp_path / "tiny" / "mlperf-tiny.md").read_text()


@pytest.mark.slow
def test_cells_that_are_left_out_come_from_the_run_that_measured_them_last(rig: Path, tmp_path: Path) -> None:
    content = yaml.safe_load(rig.read_text())
    del content["parts"]["ic01"]
    content["matrix"]["runtimes"] = ["litert", {"use": "litert", "threads": 2}]
    two = rig.with_name("two.yaml")
    two.write_text(yaml.safe_dump(content, sort_keys=False))
    plan = json.loads(run(str(two), "--dry-run", "--json").stdout)["kws01"]
    one, other = (cell["id"] for cell in plan["cells"])
    out = tmp_path / "tiny"
    assert run(str(two), "--out", str(out), "--only", f"kws01/{one}").exit_code == 0
    first = json.loads((out / "kws01" / "results.json").read_text())["cells"][0]
    done = run(str(two), "--out", str(out), "--only", f"kws01/{other}")
    assert done.exit_code == 0, done.output
    document = json.loads((out / "mlperf-tiny.json").read_text())
    assert [row["cell"] for row in document["rows"]] == [other, one]
    assert document["rows"][1]["seconds"] == first["latency"]["steady"]["value"]
    assert any(f"kws01/{one} (" in note and note.endswith("in kws01.1).") for note in document["notes"])
    assert run(str(two), "--out", str(out), "--only", f"kws01/{one}").exit_code == 0
    document = json.loads((out / "mlperf-tiny.json").read_text())
    assert [row["cell"] for row in document["rows"]] == [one, other]
    assert any(note.endswith("in kws01.2).") for note in document["notes"])
