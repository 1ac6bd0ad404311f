"""What was asked for and did not run so is told beside the numbers, or refused."""

from pathlib import Path
from typing import Any

import onnxruntime
import pytest

import edgerig
from edgerig.cli import main
from edgerig.cli.finish import finish
from edgerig.errors import InferenceError
from edgerig.measure.census import Census
from edgerig.measure.kinds import Measurement
from edgerig.report import build_report, render
from edgerig.report.load import load_bundle
from edgerig.results.types import CellResult
from edgerig.testing import networks
from edgerig.testing.networks.quantized_onnx import qdq_network

IDLE = "AzureExecutionProvider"
PART = "int8 was asked for: 1 of 3 convolutions ran in float32."
needs_idle_provider = pytest.mark.skipif(
    IDLE not in onnxruntime.get_available_providers(), reason=f"this build of ONNX Runtime has no {IDLE}"
)


@pytest.fixture
def measure(tmp_path: Path):
    """Measures an int8 network, some of whose convolutions stay float, on ONNX Runtime with ``options``."""

    def measured(float_convolutions: int = 0, **options: Any) -> CellResult:
        net = qdq_network(tmp_path / "net.onnx", float_convolutions=float_convolutions)
        rig = {
            "name": "t",
            "model": {"file": str(net)},
            "dataset": {"use": "random", "shape": [4, 9, 9], "samples": 10},
            "matrix": [{"runtimes": [{"use": "onnxruntime", **options}], "targets": ["local"]}],
            "measure": {"rounds": 1, "seconds": 0, "warmup": 1, "profile": False, "transport_samples": 0},
        }
        return edgerig.run(rig, out=tmp_path / "out").cells[0]

    return measured


def test_request_that_is_met_warns_of_nothing(measure) -> None:
    cell = measure()
    assert isinstance(cell.census, Census)
    assert not any("was asked for" in text for text in cell.warnings)


def test_request_that_is_met_in_part_stands_at_the_latency_and_in_the_warnings(measure, tmp_path: Path) -> None:
    cell = measure(float_convolutions=1)
    assert PART in cell.warnings
    assert isinstance(cell.latency.steady, Measurement)
    assert PART in cell.latency.steady.warnings


def test_request_that_is_met_in_part_stands_in_every_report(measure, tmp_path: Path, capsys) -> None:
    measure(float_convolutions=1)
    out = tmp_path / "out"
    (variant,) = build_report([out]).variants
    assert variant.placement.warnings == (PART,)
    assert {(row.dtype, row.count) for row in variant.placement.rows if row.op == "Conv"} == {("float32", 1)}
    for kind in ("html", "md", "rst", "csv", "json"):
        assert PART in render([load_bundle(out)], kind).replace("\\", "")
    assert PART in (out / "results.json").read_text()
    finish(out, load_bundle(out).result)
    assert PART in capsys.readouterr().err.replace("\n", " ")
    with pytest.raises(SystemExit):
        main(["compare", str(out), str(out)])
    assert PART in " ".join(capsys.readouterr().out.split())


def test_part_is_an_error_where_that_is_forbidden(measure) -> None:
    with pytest.raises(InferenceError, match="in part only, and `fallback: forbid` is set: int8 was asked for: 1 of 3"):
        measure(float_convolutions=1, fallback="forbid")


@needs_idle_provider
def test_provider_that_takes_nothing_is_an_error(measure) -> None:
    with pytest.raises(InferenceError, match=f"not at all: {IDLE} was asked for: .* ran on CPUExecutionProvider"):
        measure(provider=IDLE)


@needs_idle_provider
def test_fallback_that_is_allowed_is_told_as_what_it_is(measure) -> None:
    cell = measure(provider=IDLE, fallback="allow")
    assert any(text.startswith(f"{IDLE} was asked for: ") for text in cell.warnings)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"wrong": True}, "litert does not compute this float32 network as its reference does: outputs differ by up"),
        ({}, ""),
    ],
)
def test_delegate_that_computes_wrongly_is_named(
    tmp_path: Path, delegate_library: Path, options: dict[str, Any], words: str
) -> None:
    rig = {
        "name": "t",
        "model": {"file": str(networks.two_input_tflite(tmp_path / "net.tflite"))},
        "dataset": {"use": "random", "inputs": {"a": {"shape": [8]}, "b": {"shape": [8]}}, "samples": 10},
        "matrix": [{"runtimes": [{"use": "litert", "delegates": [{str(delegate_library): options}]}]}],
        "measure": {"rounds": 1, "seconds": 0, "warmup": 1, "profile": False, "transport_samples": 0},
    }
    (cell,) = edgerig.run(rig, out=tmp_path / "out").cells
    unlike = [text for text in cell.warnings if "as its reference does" in text]
    assert bool(unlike) == bool(words)
    assert all(text.startswith(words) for text in unlike)
    assert f"{delegate_library.name} was asked for: 1 of 2 operators ran on XNNPACK." in cell.warnings
