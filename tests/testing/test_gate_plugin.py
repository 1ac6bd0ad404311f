"""The pytest plugin, in pytest processes of its own."""

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import edgerig
from edgerig.testing.networks import dense_tflite

PLUGIN = "edgerig_pytest"
RIG = """\
name: g
model: {file: net.tflite}
dataset: {use: random, shape: [64], samples: 40}
matrix: [{runtimes: [litert], targets: [local]}]
measure: {rounds: 1, samples: 40, seconds: 0, profile: false, transport_samples: 0}
gate: {size: 0}
"""
TESTS = """
import pytest

@pytest.mark.edgerig_gate("rig.yaml", baseline="base")
def test_size(edgerig_gate):
    assert edgerig_gate().outcome == "passed"

@pytest.mark.edgerig_gate("rig.yaml", "base", inconclusive="skip", settings=["gate.accuracy=1 point"])
def test_accuracy(edgerig_gate):
    edgerig_gate(settings=["gate.size=1 MB", "gate.accuracy=1 point"])

def test_nothing_is_said(edgerig_gate):
    edgerig_gate()
"""


def run_pytest(folder: Path, *arguments: str) -> str:
    # Where the package was installed before it had the plugin, it is named.
    known = any(entry.value == PLUGIN for entry in entry_points(group="pytest11"))
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", *([] if known else ["-p", PLUGIN])]
    return subprocess.run(
        [*command, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=200
    ).stdout


@pytest.mark.slow
def test_the_marker_is_known(tmp_path: Path) -> None:
    assert "@pytest.mark.edgerig_gate(rig, baseline" in run_pytest(tmp_path, "--markers")


@pytest.mark.slow
def test_a_test_passes_fails_or_is_skipped_as_its_gate_says(tmp_path: Path) -> None:
    (tmp_path / "rig.yaml").write_text(RIG)
    (tmp_path / "test_it.py").write_text(TESTS)
    dense_tflite(tmp_path / "net.tflite", 64, 4)
    edgerig.run(tmp_path / "rig.yaml", out=tmp_path / "base")
    text = run_pytest(tmp_path)
    assert "PASSED test_it.py::test_size" in text, text
    assert "SKIPPED" in text
    assert "not certain" in text
    assert "baseline, rig is missing" in text
    dense_tflite(tmp_path / "net.tflite", 64, 6)
    text = run_pytest(tmp_path, "-k", "test_size")
    assert "FAILED test_it.py::test_size" in text
    assert "Something has become worse" in text


@pytest.mark.slow
def test_only_assertions_of_contracts_are_rewritten(tmp_path: Path) -> None:
    """Rewriting all of edgerig would cost every suite of a user's seconds, and what is read are the contracts'."""
    (tmp_path / "test_it.py").write_text(
        "from edgerig.results.gate import judge\n"
        "from edgerig.testing.contracts import target\n"
        "def test_it():\n"
        "    print('LOADERS', type(judge.__loader__).__name__, type(target.__loader__).__name__)\n"
    )
    text = run_pytest(tmp_path, "-s")
    assert "LOADERS SourceFileLoader AssertionRewritingHook" in text, text
