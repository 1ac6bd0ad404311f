"""What ONNX Runtime tells of the operators that really ran."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from edgerig.measure.census import Census, verdicts, with_scheme
from edgerig.plugins import make
from edgerig.runtimes.base import Runtime
from edgerig.testing.networks.quantized_onnx import qdq_network

IDLE = "AzureExecutionProvider"


def census(path: Path, **settings: object) -> Census:
    with make("runtime", "onnxruntime", Runtime, settings) as engine:
        engine.load(path)
        told = engine.census([np.ones((3, *spec.call_shape), spec.dtype) for spec in engine.inputs])
    assert isinstance(told, Census)
    return told


def test_quantized_convolutions_run_in_integers(tmp_path: Path) -> None:
    told = census(qdq_network(tmp_path / "net.onnx"))
    (convolutions,) = (group for group in told.operators if group.op == "QLinearConv")
    assert (convolutions.placement, convolutions.count) == ("CPUExecutionProvider", 3)
    # On x86-64 ONNX Runtime turns signed bytes into unsigned ones.
    assert convolutions.dtype in ("int8", "uint8")
    (verdict,) = verdicts(with_scheme(told, "int8"))
    assert (verdict.outcome, verdict.met, verdict.total) == ("met", 3, 3)


def test_convolutions_that_fell_to_float_are_counted(tmp_path: Path) -> None:
    (verdict,) = verdicts(with_scheme(census(qdq_network(tmp_path / "net.onnx", float_convolutions=1)), "int8"))
    assert (verdict.outcome, verdict.text) == ("part", "int8 was asked for: 1 of 3 convolutions ran in float32.")


def test_network_whose_quantization_was_optimized_away_is_not_met_at_all(tmp_path: Path) -> None:
    (verdict,) = verdicts(with_scheme(census(qdq_network(tmp_path / "net.onnx", float_convolutions=3)), "int8"))
    assert verdict.outcome == "not"


@pytest.mark.skipif(IDLE not in onnxruntime.get_available_providers(), reason=f"this build has no {IDLE}")
def test_provider_that_takes_no_operator_is_seen(tmp_path: Path) -> None:
    told = census(qdq_network(tmp_path / "net.onnx"), provider=IDLE)
    verdict = verdicts(told)[0]
    assert (verdict.request.name, verdict.outcome) == (IDLE, "not")
    assert (
        f"{IDLE} was asked for: {verdict.total} of {verdict.total} operators ran on CPUExecutionProvider."
        == verdict.text
    )
