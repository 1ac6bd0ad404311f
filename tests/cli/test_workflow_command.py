"""``edgerig workflow``, as processes that are stopped and killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
import yaml

TEXT = """
name: kept
parameters: {symbol: digits}
steps:
  first:
    run: compile ${inputs.net} --to c-array --name ${symbol} --out build
    inputs: {net: net.tflite}
    outputs: {header: build/net.h}
  held:
    run: list compilers held:Held
    after: first
"""
#: A class whose module tells its process, and then waits as long as the file ``hold`` is there.
HELD = """
import os, time
from pathlib import Path
from edgerig.compilers.c_array import CArray
Path(__file__).with_name("pid").write_text(str(os.getpid()))
while Path(__file__).with_name("hold").exists():
    time.sleep(0.05)
class Held(CArray):
    \"\"\"A compiler.\"\"\"
    name = "held"
"""


@pytest.fixture
def folder(tmp_path: Path, digit_net: Path) -> Path:
    shutil.copy(digit_net, tmp_path / "net.tflite")
    (tmp_path / "w.yaml").write_text(TEXT)
    (tmp_path / "held.py").write_text(HELD)
    return tmp_path


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "edgerig", "workflow", *words],
        cwd=folder,
        env={**os.environ, "EDGERIG_CACHE": str(folder / "cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def rows(process: subprocess.Popen[str]) -> dict[str, str]:
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return {row["step"]: row["state"] for row in json.loads(output)}


def wait_until(condition: Callable[[], bool]) -> None:
    """Return when ``condition`` holds; fail where it does not within a minute."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def step_process(folder: Path) -> int:
    """The process of the step that is held, once it runs."""
    wait_until(lambda: (folder / "pid").is_file() and (folder / "pid").read_text() != "")
    return int((folder / "pid").read_text())


def has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.fresh_processes("a run is killed")
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_killed_takes_its_step_with_it_and_goes_on_where_it_was(
    folder: Path, number: signal.Signals
) -> None:
    (folder / "hold").touch()
    process = start(folder, "run", "w.yaml")
    pid = step_process(folder)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    if number == signal.SIGKILL:
        assert process.returncode == -9
    else:
        assert process.returncode == 130
        assert "Stopped" in errors
        assert "Traceback" not in errors
    wait_until(lambda: has_ended(pid))
    (folder / "hold").unlink()
    assert rows(start(folder, "run", "w.yaml", "--json")) == {"first": "unchanged", "held": "run"}


@pytest.mark.slow
def test_two_runs_at_once_run_each_step_once(folder: Path) -> None:
    (folder / "hold").touch()
    first = start(folder, "run", "w.yaml", "--json", "--out", "a")
    step_process(folder)
    second = start(folder, "run", "w.yaml", "--json", "--out", "b")
    assert second.stderr is not None
    for line in second.stderr:
        if "another process runs this step" in line:
            break
    else:
        pytest.fail("it did not say that it waits")
    (folder / "hold").unlink()
    assert rows(first) == {"first": "run", "held": "run"}
    assert rows(second) == {"first": "unchanged", "held": "unchanged"}
    assert (folder / "b" / "first" / "build" / "net.h").is_file()


def test_show_says_what_a_run_would_do(folder: Path) -> None:
    output, errors = start(folder, "show", "w.yaml").communicate(timeout=60)
    assert errors == ""
    assert "run it if its inputs change" in output
    assert not (folder / "pid").exists()


def test_a_mistake_is_told_without_a_traceback(folder: Path) -> None:
    (folder / "w.yaml").write_text("steps:\n  a: {runs: list tasks}\n")
    process = start(folder, "run", "w.yaml")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "w.yaml:2: steps.a: unknown key 'runs'; did you mean 'run'?" in errors
    assert "Traceback" not in errors


def test_the_schema_takes_workflow_files_and_refuses_others(folder: Path) -> None:
    command = [sys.executable, "-m", "edgerig", "schema", "workflow"]
    schema = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid(yaml.safe_load(TEXT))
    for wrong in ("steps: {a: {runs: x}}", "steps: {A: {run: x}}", "steps: {}", "name: x", "step: {a: {run: x}}"):
        assert not validator.is_valid(yaml.safe_load(wrong)), wrong
