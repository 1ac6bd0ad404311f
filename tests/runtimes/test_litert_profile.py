import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgerig.artifact import TensorSpec
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.runtimes import litert_profile
from edgerig.runtimes.litert_profile import parse_summary, profile

SPECS = [TensorSpec("x", (1, 8), "float32")]

#: What LiteRT 2.3.0 wrote, shortened.
SUMMARY = """
======= Run Order =======
            [node type]    [start]    [first]   [avg ms]        [%]     [cdf%]   [mem KB] [times called]   [Name]
               QUANTIZE      0.000      0.000      0.000     3.947%     3.947%      0.000             20   [Builtin]:0
 Delegate/Convolution (NHWC, QC8) IGEMM      0.000      0.006      0.006    79.605%    83.553%      0.000             20   [Delegate]:0
 Delegate/Convolution (NHWC, QC8) DWConv      0.000      0.001      0.001    16.447%    100.000%      0.000             20   [Delegate]:1
 Delegate/Static Reshape (NC)      0.000      0.000      0.000     0.000%    100.000%      0.000             20   [Delegate]:3

======= Top by Computation Time =======
 Delegate/Convolution (NHWC, QC8) IGEMM      0.000      0.006      0.006    79.605%    79.605%      0.000             20   [Delegate]:0

Timings (microseconds): count=9 curr=152
Memory (bytes): count=0
"""  # noqa: E501


def samples(count: int = 3) -> list[Any]:
    return [np.zeros((count, 1, 8), np.float32)]


def test_the_table_is_read_in_run_order_and_by_the_finer_share() -> None:
    layers = parse_summary(SUMMARY)
    assert not isinstance(layers, Unavailable)
    assert [layer.op for layer in layers] == [
        "QUANTIZE",
        "Convolution (NHWC, QC8) IGEMM",
        "Convolution (NHWC, QC8) DWConv",
        "Static Reshape (NC)",
    ]
    assert [layer.name for layer in layers] == ["Builtin:0", "Delegate:0", "Delegate:1", "Delegate:3"]
    conv = layers[1].time
    assert isinstance(conv, Measurement)
    assert conv.value == pytest.approx(0.79605 * 152e-6 / 20)
    assert conv.n == 20
    assert isinstance(layers[3].time, Unavailable)


def test_without_a_total_the_average_is_taken() -> None:
    layers = parse_summary(SUMMARY.replace("Timings", "Times"))
    assert not isinstance(layers, Unavailable)
    conv = layers[1].time
    assert isinstance(conv, Measurement)
    assert conv.value == pytest.approx(6e-6)


def test_a_total_of_another_meaning_is_not_believed() -> None:
    layers = parse_summary(SUMMARY.replace("curr=152", "curr=99152"))
    assert not isinstance(layers, Unavailable)
    conv = layers[1].time
    assert isinstance(conv, Measurement)
    assert conv.value == pytest.approx(6e-6)


@pytest.mark.parametrize("text", ["", "Run Order\nTop by Computation Time", "something else"])
def test_an_empty_table_is_unavailable(text: str) -> None:
    assert isinstance(parse_summary(text), Unavailable)


def test_an_unknown_version_is_not_called(float_tflite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("the library of an unknown version was called")

    monkeypatch.setattr(litert_profile, "version", lambda _: "9.9.9")
    monkeypatch.setattr(subprocess, "run", never)
    found = profile(float_tflite, 1, SPECS, samples())
    assert isinstance(found, Unavailable)
    assert "9.9.9" in found.reason


def test_a_child_that_takes_too_long_is_given_up(float_tflite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litert_profile, "TIMEOUT", 0.01)
    found = profile(float_tflite, 1, SPECS, samples())
    assert isinstance(found, Unavailable)
    assert "longer than" in found.reason


def test_a_child_that_dies_is_a_reason_not_a_crash(float_tflite: Path, tmp_path: Path) -> None:
    path = tmp_path / "broken.tflite"
    path.write_bytes(float_tflite.read_bytes()[:64])
    found = profile(path, 1, SPECS, samples())
    assert isinstance(found, Unavailable)
    assert "failed" in found.reason


def test_a_child_killed_by_a_signal_is_a_reason(float_tflite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = subprocess.run

    def die(_: Any, **options: Any) -> Any:
        return run([sys.executable, "-c", "import os; os.kill(os.getpid(), 11)"], **options)

    monkeypatch.setattr(subprocess, "run", die)
    found = profile(float_tflite, 1, SPECS, samples())
    assert isinstance(found, Unavailable)
    assert "-11" in found.reason


def test_inputs_of_a_signature_are_matched_by_name(two_input_tflite: Path) -> None:
    specs = [TensorSpec("a", (1, 8), "float32"), TensorSpec("b", (1, 8), "float32")]
    found = profile(two_input_tflite, 1, specs, samples() * 2)
    assert not isinstance(found, Unavailable), found
    assert found[0].op == "Add (ND)"
