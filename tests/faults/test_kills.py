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
    """An agent that a keeper starts again whenever it is gone, and a tormentor that strikes.

    Args:
        progress: The run's bundle.
        kills: How often to strike.
        anywhere: At any time, whatever the run does; else after fresh progress in the samples.
    """

    def __init__(self, progress: Path, seed: int, kills: int = KILLS, anywhere: bool = False) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.progress, self.random, self.kills, self.anywhere = progress, random.Random(seed), kills, anywhere
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
                [*command, "--runtime", FAULTY],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            )
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
        while not self.over.is_set() and self.strikes < self.kills:
            now = len(list(self.progress.rglob("cells" if self.anywhere else "partial/*.npz")))
            if now <= seen:
                time.sleep(0.02)
                continue
            seen = 0 if self.anywhere else now
            time.sleep(self.random.uniform(0, 2.0 if self.anywhere else 0.3))
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
        "measure": {
            "samples": samples,
            "rounds": 1,
            "seconds": 0,
            "warmup": 1,
            "profile": False,
            "transport_samples": 0,
        },
    }


def doubled(samples: int) -> np.ndarray:
    """What the faulty runtime makes of the data set."""
    dataset = make("dataset", "random", Dataset, {"shape": [4], "samples": samples})
    return dataset.split("test").inputs(slice(None), dataset.preprocessing) * 2


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
    assert np.array_equal(arrays["scores"], doubled(samples))
    print(f"{tormented.strikes} strikes: {tormented.struck}; {len(cell.interruptions)} interruptions")
    assert tormented.strikes == KILLS
    assert cell.interruptions


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_no_moment_of_a_cell_is_a_bad_one_to_be_killed_at(tmp_path: Path) -> None:
    """Short cells, which spend most of their time in deploying, warm-up, memory, profile and transport."""
    kills, samples = KILLS // 2, 60
    net = dense_tflite(tmp_path / "net.tflite", 4, 4)
    tormented = Tormented(tmp_path / "out", 2, kills, anywhere=True)
    data = rig(net, {"use": f"tcp://127.0.0.1:{tormented.port}", "timeout": 0.8}, samples)
    # Enough cells that the run outlasts the torment.
    runtimes = [{"use": FAULTY, "name": f"slow {i}", "seconds": SAMPLE_SECONDS} for i in range(2 * kills)]
    data["matrix"][0]["runtimes"] = runtimes
    data["measure"].update(warmup=20, profile=True, transport_samples=20)
    try:
        result = edgerig.run(data, out=tmp_path / "out")
    finally:
        tormented.stop()
    for cell in result.cells:
        arrays = Bundle(tmp_path / "out").samples(cell.id)
        assert len(arrays["times_ns"]) == samples
        assert np.array_equal(arrays["scores"], doubled(samples))
    interruptions = [text for cell in result.cells for text in cell.interruptions]
    print(f"{tormented.strikes} strikes: {tormented.struck}; {len(interruptions)} interruptions")
    assert tormented.strikes == kills
    assert interruptions
