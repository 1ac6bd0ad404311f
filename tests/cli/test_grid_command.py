"""`edgerig grid` on real frameworks: what it writes, tells and refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edgerig.cli import main

MODULE = """\
from edgerig.suites.conversion_grid.frameworks.onnx_runtime import OnnxRuntimeConversion


class Off(OnnxRuntimeConversion):
    name = "off"
    summary = "ONNX Runtime, a little off"

    def _run(self, loaded, inputs):
        return [output * FACTOR for output in super()._run(loaded, inputs)]
"""


def run_anew(*words: str) -> tuple[int, str, str]:
    """In a process of its own: what one has imported is not read again."""
    command = [sys.executable, "-m", "edgerig", "grid", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def grid(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    try:
        main(["grid", *words])
        code = 0
    except SystemExit as ended:
        code = int(ended.code or 0)
    return (code, *capfd.readouterr())


@pytest.mark.slow
def test_a_grid_is_written_compared_with_the_last_one_and_repeated_by_its_own_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGERIG_CACHE", str(tmp_path / "cache"))
    module = tmp_path / "off.py"
    module.write_text(MODULE.replace("FACTOR", "1.0"))
    words = ["--exporters", "sklearn,edgerig", "--models", "linear,mlp", "--importers", "onnxruntime,off:Off"]
    code, out, err = run_anew(*words, "--out", "out")
    assert code == 0, err
    assert "onnxruntime: 2 of 2 equal" in out
    assert "off:Off: 2 of 2 equal" in out
    assert "[6/6]" in err
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "grid.html", "grid.md", "grid.rst", "grid.json", "sklearn-linear-17.onnx", "edgerig-mlp-17.onnx"
    }  # fmt: skip

    # An importer that was edited is run again, and told to be worse.
    module.write_text(MODULE.replace("FACTOR", "1.01"))
    code, out, err = run_anew(*words, "--out", "out")
    assert code == 0
    assert "onnxruntime: 2 of 2 equal" in out
    assert "off:Off: 0 of 2 equal" in out
    assert out.count("WORSE: ") == 2
    assert "edgerig/mlp@17 in off:Off: equal before, DIFFERENT now" in out
    (again,) = [
        line.strip().strip("`") for line in (tmp_path / "out/grid.md").read_text().splitlines() if "models mlp" in line
    ]
    code, out, err = run_anew(*again.split()[2:], "--json")
    (cell,) = json.loads(out)["cells"]
    assert (cell["status"], cell["importer"]) == ("different", "off:Off")
    assert cell["error"] > cell["allowed"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--exporters", "kears"], "Did you mean 'keras'"),
        (["--exporters", "sklearn", "--models", "forrest"], "Did you mean 'forest'"),
        (["--opsets", "x"], "no list of opsets"),
        (["--opsets", "22-13"], "names no opset"),
        (["--opsets", "0"], "names no opset"),
        (["--against", "no-such.json"], "no-such.json"),
        (["--timeout", "0"], "timeout"),
    ],
)
def test_what_cannot_be_is_refused(words: list[str], why: str, capfd: pytest.CaptureFixture[str]) -> None:
    code, _, err = grid(capfd, *words)
    assert code == 2
    assert why in err
    assert "Traceback" not in err


ABSENT = """\
from edgerig.suites.conversion_grid.frameworks.onnx_runtime import OnnxRuntimeConversion
from edgerig.suites.conversion_grid.frameworks.sklearn import SklearnConversion


class Importer(OnnxRuntimeConversion):
    name = "importer"
    modules = ("no_such_engine",)


class Exporter(SklearnConversion):
    name = "exporter"
    modules = ("no_such_framework",)
"""


@pytest.mark.slow
def test_a_framework_that_is_missing_is_told_with_the_reason_and_others_are_not_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "absent.py").write_text(ABSENT)
    words = ["--models", "linear", "--out", "out"]
    code, out, err = run_anew(
        "--exporters", "sklearn,absent:Exporter", "--importers", "onnxruntime,absent:Importer", *words
    )
    assert code == 0, err
    assert "absent:Exporter takes no part: exporter needs no_such_framework" in err
    assert "absent:Importer takes no part: importer needs no_such_engine" in err
    assert "onnxruntime: 1 of 1 equal" in out
    assert "absent:Importer: not installed" in out
    for exporters, importers, what in (
        ("absent:Exporter", "onnxruntime", "exporter"),
        ("sklearn", "absent:Importer", "importer"),
    ):
        code, out, err = run_anew("--exporters", exporters, "--importers", importers, *words)
        assert code == 1, err
        assert f"No {what} of the grid is installed: {what} needs no_such_" in err
        assert "equal" not in out
