"""``edgerig mlperf-tiny run`` as a user calls it."""

import json
from pathlib import Path

import pytest
from tests.suites.mlperf_tiny.runner.scripted import ScriptedDevice
from tests.suites.mlperf_tiny.runner.sessions import by_first_byte, unofficial, write_keywords

from edgerig.cli import main


def code_of(words: list[str]) -> int:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert isinstance(ended.value.code, int)
    return ended.value.code


def call(scripted: ScriptedDevice, data: Path, out: Path, *more: str) -> int:
    words = ["mlperf-tiny", "run", "--benchmark", "kws01", "--device", scripted.address, "--data", str(data)]
    return code_of([*words, "--out", str(out), *more])


def test_a_session_ends_in_its_results_as_json_and_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = write_keywords(tmp_path / "data"), tmp_path / "out"
    with ScriptedDevice(results=by_first_byte) as scripted:
        assert call(scripted, data, out, "--mode", "accuracy", "--json") == 0
    printed = capsys.readouterr()
    summary = json.loads(printed.out)
    assert summary["benchmark"] == "kws01"
    assert summary["passed"] is False
    assert summary == json.loads((out / "edgerig" / "summary.json").read_text())
    assert "top-1 83.33%" in printed.err
    assert "is missed" in printed.err
    assert unofficial(out, "top1") == pytest.approx(100 * 20 / 24, abs=1e-3)


def test_a_strict_run_fails_by_a_clock_that_drifts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_keywords(tmp_path / "data")
    # Its clock goes on by 10 ms an inference, and no time passes.
    with ScriptedDevice(results=by_first_byte, us_per_inference=10_000) as scripted:
        words = ("--mode", "performance", "--window", "1", "--warm-up", "3")
        assert call(scripted, data, tmp_path / "lax", *words) == 0
        told = capsys.readouterr().err
        assert "too fast" in told
        assert "--warm-up is deprecated" in told
        assert json.loads((tmp_path / "lax" / "edgerig" / "summary.json").read_text())["windows"][0]["warm_up"] == 3
        assert call(scripted, data, tmp_path / "strict", *words, "--strict") == 1
        assert "A strict run fails: The device's clock" in capsys.readouterr().err
    assert (tmp_path / "strict" / "results.txt").exists()


def test_mistakes_of_the_call_are_errors_with_a_hint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_keywords(tmp_path / "data", 12)
    words = ["mlperf-tiny", "run", "--data", str(data), "--out", str(tmp_path / "out"), "--device"]
    assert code_of([*words, "/dev/ttyACM0", "--benchmark", "kws01"]) == 2
    assert "Did you mean serial:///dev/ttyACM0?" in capsys.readouterr().err
    assert code_of([*words, "tcp:127.0.0.1:9", "--benchmark", "kws1"]) == 2
    assert "kws01" in capsys.readouterr().err
    assert code_of([*words, "serial:///dev/ttyNone", "--benchmark", "kws01"]) == 1
    assert "There is no serial port /dev/ttyNone" in capsys.readouterr().err
