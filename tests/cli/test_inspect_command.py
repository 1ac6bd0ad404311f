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
    for words in (
        "FULLY_CONNECTED",
        "1x4",
        "scale 0.02",
        "zero point -3",
        "as planned by liveness",
        "peak: step 0, FULLY_CONNECTED, 12 B",
    ):
        assert words in done.stdout, words


@pytest.mark.slow
def test_figures_are_never_cut(tmp_path: Path) -> None:
    path = dense_tflite(tmp_path / "net.tflite", features=3000, classes=1000)
    for columns in ("60", "80", "200"):
        done = inspect(path, COLUMNS=columns, FORCE_COLOR="1")
        assert "3,001,000" in done.stdout
        assert "3,000,000" in done.stdout


@pytest.mark.slow
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
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 2


@pytest.mark.slow
def test_a_summary_shows_layers_and_sums(tmp_path: Path) -> None:
    path = dense_tflite(tmp_path / "net.tflite")
    done = inspect(path, "--summary")
    assert done.returncode == 0, done.stderr
    assert "(FULLY_CONNECTED)" in done.stdout
    assert "(1, 4)" in done.stdout
    assert "Total params: 36\nTrainable params: not known" in done.stdout
    document = json.loads(inspect(path, "--summary", "--json").stdout)
    assert document["summary"]["parameters"] == 36
    assert document["summary"]["trainable"] is None
    assert document["totals"]["parameters"] == 36


@pytest.mark.slow
def test_a_saved_models_signatures_are_shown_without_tensorflow(tmp_path: Path) -> None:
    """The bytes of one by hand: a graph with the tag serve and a function of one float, of any batch by 3."""
    tensor = b"\x0a\x03x:0\x10\x01\x1a\x11\x12\x0b\x08" + b"\xff" * 9 + b"\x01" + b"\x12\x02\x08\x03"
    entry = b"\x0a\x01x\x12" + bytes([len(tensor)]) + tensor
    function = b"\x0a" + bytes([len(entry)]) + entry + b"\x1a\x07predict"
    signature = b"\x0a\x01f\x12" + bytes([len(function)]) + function
    graph = b"\x0a\x07\x22\x05serve" + b"\x2a" + bytes([len(signature)]) + signature
    (tmp_path / "saved_model.pb").write_bytes(b"\x08\x01\x12" + bytes([len(graph)]) + graph)
    done = inspect(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "SavedModel, serve" in done.stdout
    assert "does not tell its operators" in inspect(tmp_path, "--expect", "macs=1").stderr
    assert "signature f  predict\n  input  x  float32 (None, 3), x:0" in done.stdout
    (graph_json,) = json.loads(inspect(tmp_path, "--json").stdout)["graphs"]
    assert graph_json["signatures"][0]["inputs"] == [{"key": "x", "name": "x:0", "dtype": "float32", "shape": [-1, 3]}]
    (tmp_path / "saved_model.pb").write_bytes(b"\x12\xff")
    done = inspect(tmp_path)
    assert done.returncode == 2
    assert "no sound SavedModel" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_figures_that_are_stated_are_held_against_the_file(tmp_path: Path) -> None:
    path = dense_tflite(tmp_path / "net.tflite")
    assert inspect(path, "--expect", "macs=32", "--expect", "parameters=36").returncode == 0
    done = inspect(path, "--expect", "macs=64")
    assert done.returncode == 1
    assert "64 MACs are stated, and the network has 32: additions and multiplications were counted apart" in done.stderr
    for text, words in (("macs", "states no number"), ("macs=many", "states no number"), ("mac=1", "Did you mean")):
        done = inspect(path, "--expect", text)
        assert done.returncode == 2
        assert words in done.stderr
