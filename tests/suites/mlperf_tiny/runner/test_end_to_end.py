"""The runner as a process of its own: against edgerig's own device, and stopped by Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tests.suites.mlperf_tiny.device.host import PATIENCE, device
from tests.suites.mlperf_tiny.runner.scripted import ScriptedDevice
from tests.suites.mlperf_tiny.runner.sessions import by_first_byte, unofficial, write_keywords

from edgerig.datasets.mlperf_tiny.benchmarks import BENCHMARKS
from edgerig.datasets.mlperf_tiny.seeded import write_seeded
from edgerig.testing import networks

KWS = BENCHMARKS["kws01"]


def command(address: str, data: Path, out: Path, *more: str) -> list[str]:
    words = ["run", "--benchmark", "kws01", "--device", address, "--data", str(data), "--out", str(out)]
    return [sys.executable, "-m", "edgerig", "mlperf-tiny", *words, *more]


@pytest.mark.slow
@pytest.mark.parametrize("line", ["pty", "tcp:127.0.0.1:0"])
def test_the_linux_device_gives_the_runner_what_its_network_computes(tmp_path: Path, line: str) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    write_seeded(data, "kws01", 3)
    model = networks.dense_tflite(tmp_path / "kws.tflite", (49, 10, 1), 12, gain=0.01)
    with device("--benchmark", "kws01", "--model", model, "--runtime", "litert", line=line) as process:
        address = process.line if process.line.startswith("tcp:") else f"serial://{process.line}"
        words = command(address, data, out, "--json")
        done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    rows = json.loads((out / "results.json").read_text())
    assert len(rows) == 36
    weights, bias = networks.dense_weights(490, 12)
    right = 0
    for row in rows:
        sample = np.fromfile(data / "kws01" / row["file"], np.int8).astype(float)
        logits = 0.01 * weights @ (KWS.scale * (sample - KWS.zero_point)) + bias
        shares = np.exp(logits - logits.max())
        np.testing.assert_allclose(row["infer"]["results"], shares / shares.sum(), atol=2e-3)
        right += int(np.argmax(row["infer"]["results"])) == int(row["class"])
    assert unofficial(out, "top1") == pytest.approx(100 * right / 36, abs=1e-3)
    assert json.loads(done.stdout)["files"] == 36


@pytest.mark.fresh_processes("Ctrl-C stops it")
@pytest.mark.slow
def test_ctrl_c_ends_a_session_at_once_and_the_same_command_goes_on(tmp_path: Path) -> None:
    data, out = write_keywords(tmp_path / "data", 48), tmp_path / "out"
    journal = out / "edgerig" / "journal.jsonl"
    with ScriptedDevice(results=by_first_byte, us_per_inference=100_000, real=True) as scripted:
        words = command(scripted.address, data, out)
        running = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        until = time.monotonic() + PATIENCE
        while not journal.exists() or journal.read_bytes().count(b"\n") < 4:
            assert time.monotonic() < until
            time.sleep(0.02)
        os.kill(running.pid, signal.SIGINT)
        _, errors = running.communicate(timeout=PATIENCE)
        assert running.returncode == 130
        assert "what was measured is kept" in errors
        assert "Traceback" not in errors
        finished = journal.read_bytes().count(b"\n") - 1
        assert 3 <= finished < 48
        assert "stopped by the user" in (out / "log.txt").read_text()
        before = scripted.commands.count("infer 1 0")
        done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    assert scripted.commands.count("infer 1 0") - before == 48 - finished
    assert unofficial(out, "top1") == pytest.approx(100 * 40 / 48, abs=1e-3)
