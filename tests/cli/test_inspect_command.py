"""``edgerig inspect``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edgerig.testing.networks import dense_onnx, dense_tflite, dense_tflite_int8


def inspect(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    import os

    command = [sys.executable, "-m", "edgerig", "inspect", *map(str, arguments)]
    environment = {**os.environ, **variables}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)


def test_json_is_one_document_on_standard_output(tmp_path: Path) -> None:
    done = inspect(dense_tflite(tmp_path / "net.tflite"), "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert done.stderr == ""
    assert found["totals"] == {"parameters": 36, "weight_bytes": 144, "macs": 32, "macc": 32 + 4 * 15, "operators": 2}
    assert found["memory"]["plain_sum_bytes"] == 32 + 16 + 16
    assert found["memory"]["planned_bytes"] == found["memory"]["lower_bound_bytes"] == 48
    assert found["inputs"][0]["shape"] == [1, 8]
    assert [row["op"] for row in found["operators"]] == ["FULLY_CONNECTED", "SOFTMAX"]
    assert found["operators"][0]["output_shapes"] == [[1, 4]]
    assert (found["format"], found["scheme"], found["notes"]) == ("tflite", "float32", [])


def test_the_table_shows_operators_totals_and_quantization(tmp_path: Path) -> None:
    done = inspect(dense_tflite_int8(tmp_path / "net.tflite"), "--plan")
    assert done.returncode == 0, done.stderr
    for words in ("FULLY_CONNECTED", "1x4", "scale 0.02", "zero point -3", "as planned by liveness", "offset"):
        assert words in done.stdout, words


def test_figures_are_never_cut(tmp_path: Path) -> None:
    path = dense_tflite(tmp_path / "net.tflite", features=3000, classes=1000)
    for columns in ("60", "80", "200"):
        done = inspect(path, COLUMNS=columns, FORCE_COLOR="1")
        assert "3,001,000" in done.stdout
        assert "3,000,000" in done.stdout


def test_onnx_is_inspected_too(tmp_path: Path) -> None:
    done = inspect(dense_onnx(tmp_path / "net.onnx", batch="N"))
    assert done.returncode == 0, done.stderr
    assert "Gemm" in done.stdout
    assert "note: free dimensions are taken as 1: x[0]" in done.stdout


def test_tflite_is_inspected_without_any_extra(tmp_path: Path) -> None:
    path = dense_tflite(tmp_path / "net.tflite")
    code = (
        "import sys; from edgerig.cli import cli; "
        f"cli.main(['inspect', {str(path)!r}], standalone_mode=False); "
        "extras = {'onnx', 'keras', 'jax', 'onnxruntime', 'litert_quantizer', 'litert_converter', 'tflite_micro'}; "
        "sys.exit(bool(extras & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("cut", [0, 4, 100, -20])
def test_a_broken_file_is_one_message_and_an_exit_code(tmp_path: Path, cut: int) -> None:
    path = dense_tflite(tmp_path / "net.tflite")
    path.write_bytes(path.read_bytes()[:cut])
    done = inspect(path, "--json")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 2
