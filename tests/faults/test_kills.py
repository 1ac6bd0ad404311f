"""An agent and its workers are killed and stopped at random moments while a run goes on; the results must not change.

``EDGERIG_KILLS`` says how often (`make faults` tries 200); a few in the ordinary tests.
"""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgerig
from edgerig.datasets.base import Dataset
from edgerig.plugins import make
from edgerig.results.bundle import Bundle
from edgerig.testing.faults import NAME as FAULTY
from edgerig.testing.networks import dense_tflite

KILLS = int(os.environ.get("EDGERIG_KILLS", "6"))
SAMPLE_SECONDS = 0.004


class Tormented:
    """An agent that a keeper starts again whenever it is gone, and a tormentor that strikes after fresh progress."""

    def __init__(self, progress: Path, seed: int) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.progress, self.random = progress, random.Random(seed)
        self.struck: dict[str, int] = {}
        self.over = threading.Event()
        self.agent = self._start()
        self.thread = threading.Thread(target=self._torment)
        self.thread.start()

    @property
    def strikes(self) -> int:
        return sum(self.struck.values())

    def stop(self) -> None:
        self.over.set()
        self.thread.join(60)
        self._kill_all()

    def _start(self) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "edgerig", "agent", "--listen", f"127.0.0.1:{self.port}", "--quiet"]
        deadline = time.monotonic() + 30
        while True:
            agent = subprocess.Popen(
                [*command, "--runtime", FAULTY], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                start_new_session=True,
            )  # fmt: skip
            assert agent.stdout is not None
            if "listening" in agent.stdout.readline():
                return agent
            agent.communicate()
            # The port of the one before may not be free yet.
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def _workers(self) -> list[int]:
        found = subprocess.run(["pgrep", "-P", str(self.agent.pid)], capture_output=True, text=True, check=False)
        return [int(text) for text in found.stdout.split()]

    def _kill_all(self) -> None:
        for pid in [*self._workers(), self.agent.pid]:
            _signal(pid, signal.SIGKILL)
        self.agent.communicate()

    def _torment(self) -> None:
        seen = 0
        while not self.over.is_set() and self.strikes < KILLS:
            now = len(list(self.progress.rglob("partial/*.npz")))
            if now <= seen:
                time.sleep(0.02)
                continue
            seen = now
            time.sleep(self.random.uniform(0, 0.3))
            what = self.random.choice(["kill the agent", "kill the worker", "stop the agent", "stop the worker"])
            self.struck[what] = self.struck.get(what, 0) + 1
            self._strike(what)

    def _strike(self, what: str) -> None:
        if what == "kill the agent":
            self._kill_all()
            self.agent = self._start()
            return
        victims = self._workers() if "worker" in what else [self.agent.pid]
        for pid in victims:
            _signal(pid, signal.SIGKILL if "kill" in what else signal.SIGSTOP)
        if "stop" in what:
            time.sleep(self.random.uniform(0.1, 1.5))
            for pid in victims:
                _signal(pid, signal.SIGCONT)


def _signal(pid: int, number: int) -> None:
    # It may have ended by itself since it was listed.
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def rig(net: Path, target: dict[str, Any] | str, samples: int) -> dict[str, Any]:
    runtime = {"use": FAULTY, "name": "slow", "seconds": SAMPLE_SECONDS}
    return {
        "name": "t",
        "model": {"file": str(net)},
        "dataset": {"use": "random", "shape": [4], "samples": samples},
        "matrix": [{"runtimes": [runtime], "targets": [target]}],
        "measure": {"samples": samples, "seconds": 0, "warmup": 1, "profile": False, "transport_samples": 0},
    }


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_no_kill_and_no_stop_changes_a_result(tmp_path: Path) -> None:
    net = dense_tflite(tmp_path / "net.tflite", 4, 4)
    # Enough samples that the run outlasts the torment: each strike costs some of the samples under way.
    samples = 600 * KILLS
    tormented = Tormented(tmp_path / "out", seed=1)
    target = {"use": f"tcp://127.0.0.1:{tormented.port}", "timeout": 0.8}
    try:
        result = edgerig.run(rig(net, target, samples), out=tmp_path / "out")
    finally:
        tormented.stop()
    (cell,) = result.cells
    arrays = Bundle(tmp_path / "out").samples(cell.id)
    assert len(arrays["times_ns"]) == samples
    dataset = make("dataset", "random", Dataset, {"shape": [4], "samples": samples})
    inputs = dataset.split("test").inputs(slice(None), dataset.preprocessing)
    assert np.array_equal(arrays["scores"], inputs * 2)
    print(f"{tormented.strikes} strikes: {tormented.struck}; {len(cell.interruptions)} interruptions")
    assert tormented.strikes == KILLS
    assert cell.interruptions
