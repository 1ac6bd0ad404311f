"""Devices that die in mid-run and come back, and runs that die in mid-cell: the results equal an undisturbed run's."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgerig
import edgerig.errors
from edgerig.datasets.base import Dataset
from edgerig.engine.rounds import repeatability
from edgerig.engine.rounds.journal import Journal
from edgerig.errors import TargetError
from edgerig.measure.kinds import Measurement
from edgerig.plugins import make
from edgerig.results.bundle import Bundle
from edgerig.results.types import RunResult
from edgerig.targets.remote import session as wired
from edgerig.targets.remote.session import WireSession
from edgerig.testing.faults import NAME as FAULTY

pytestmark = pytest.mark.fresh_processes("devices and runs are killed")

SAMPLES = 300


class KilledAgent:
    """An agent in a process of its own, on a port that stays the same when it is killed and started again."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "edgerig", "agent", "--listen", f"127.0.0.1:{self.port}", "--quiet"]
        self.process = subprocess.Popen(
            [*command, "--runtime", FAULTY], stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self.process.stdout is not None
        assert "listening" in self.process.stdout.readline()

    def kill(self) -> None:
        """SIGKILL to the agent and to the workers that it had."""
        workers = subprocess.run(
            ["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False
        ).stdout.split()
        self.process.kill()
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(worker), signal.SIGKILL)
        self.process.communicate()


@pytest.fixture
def agent() -> Iterator[KilledAgent]:
    killed = KilledAgent()
    yield killed
    killed.kill()


@pytest.fixture
def net(tmp_path: Path) -> Path:
    from edgerig.testing.networks import dense_tflite

    return dense_tflite(tmp_path / "net.tflite", 4, 4)


def rig(net: Path, target: str | dict[str, Any], **measure: Any) -> dict[str, Any]:
    return {
        "name": "t",
        "model": {"file": str(net)},
        "dataset": {"use": "random", "shape": [4], "samples": SAMPLES},
        "matrix": [{"runtimes": [{"use": FAULTY, "name": "slow", "seconds": 0.01}], "targets": [target]}],
        "measure": {"samples": SAMPLES, "rounds": 1, "seconds": 0, "profile": False, "transport_samples": 0, **measure},
    }


def predictions(out: Path, result: RunResult) -> np.ndarray:
    return Bundle(out).samples(result.cells[0].id)["scores"]


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """The predictions by an agent that nobody kills."""
    from edgerig.testing.networks import dense_tflite

    folder, agent = tmp_path_factory.mktemp("calm"), KilledAgent()
    try:
        net = dense_tflite(folder / "net.tflite", 4, 4)
        result = edgerig.run(rig(net, f"tcp://127.0.0.1:{agent.port}"), out=folder / "out")
    finally:
        agent.kill()
    assert not result.cells[0].interruptions
    return predictions(folder / "out", result)


@pytest.mark.slow
@pytest.mark.parametrize("after", [0.3, 1.0, 2.0])
def test_a_device_that_is_killed_and_comes_back_loses_no_sample(
    net: Path, tmp_path: Path, agent: KilledAgent, calm: np.ndarray, after: float
) -> None:
    target = f"tcp://127.0.0.1:{agent.port}"

    def disturb() -> None:
        while not (tmp_path / "out" / "cells").exists():
            time.sleep(0.02)
        time.sleep(after)
        agent.kill()
        time.sleep(0.7)
        agent.start()

    thread = threading.Thread(target=disturb)
    thread.start()
    disturbed = edgerig.run(rig(net, target), out=tmp_path / "out")
    thread.join()
    assert np.array_equal(predictions(tmp_path / "out", disturbed), calm)
    assert len(Bundle(tmp_path / "out").samples(disturbed.cells[0].id)["times_ns"]) == SAMPLES
    (interruption,) = disturbed.cells[0].interruptions
    assert "The device was away for" in interruption
    assert interruption in disturbed.cells[0].warnings


def undisturbed() -> np.ndarray:
    """What the faulty runtime makes of all samples: their doubles."""
    dataset = make("dataset", "random", Dataset, {"shape": [4], "samples": SAMPLES})
    return dataset.split("test").inputs(slice(None), dataset.preprocessing) * 2


def struck(agent: KilledAgent, number: int, method: Callable[..., Any]) -> Callable[..., Any]:
    """``method`` of a session, before whose call ``number`` the agent is killed and started again."""
    calls = 0

    def call(session: WireSession, *given: Any) -> Any:
        nonlocal calls
        # The reference predictions are made by another session, on this machine.
        calls += session.client.who.startswith("tcp")
        if calls == number:
            calls += 1
            agent.kill()
            agent.start()
        return method(session, *given)

    return call


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "call", "where"),
    [
        ("machine", 1, "before the first inference"),
        ("run", 1, "in the first inference"),
        ("run", 2, "in the warm-up"),
        ("memory", 1, "while its memory was read"),
        ("profile", 1, "in the profile"),
        ("memory", 2, "in the profile"),
        ("transport", 1, "while the transport was measured"),
        ("machine", 2, "at the end"),
    ],
)
def test_an_agent_that_is_killed_outside_the_samples_is_deployed_again(
    net: Path, tmp_path: Path, agent: KilledAgent, monkeypatch: pytest.MonkeyPatch, method: str, call: int, where: str
) -> None:
    monkeypatch.setattr(WireSession, method, struck(agent, call, getattr(WireSession, method)))
    data = rig(net, f"tcp://127.0.0.1:{agent.port}", profile=True, transport_samples=3, samples=20)
    data["matrix"][0]["runtimes"][0]["seconds"] = 0.001
    result = edgerig.run(data, out=tmp_path / "out")
    (cell,) = result.cells
    (interruption,) = cell.interruptions
    assert where in interruption
    assert interruption in cell.warnings
    arrays = Bundle(tmp_path / "out").samples(cell.id)
    assert np.array_equal(arrays["scores"], undisturbed()[arrays["indices"]])
    assert len(arrays["times_ns"]) == 20
    assert isinstance(cell.memory["peak_rss"], Measurement)
    assert isinstance(cell.latency.transport, Measurement)


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["run", "stepwise"])
def test_an_agent_that_is_killed_twice_within_a_piece_goes_on_with_the_sample_where_it_stopped(
    net: Path, tmp_path: Path, agent: KilledAgent, monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    arrived: list[int] = []

    def add(kept: Any, outputs: Any, times: Any, trip: int) -> None:
        """Killed as the answers with the 30th and with the 50th measured sample are here; 21 and 20 warm up."""
        original(kept, outputs, times, trip)
        if not kept._who.startswith("tcp"):
            return
        before, now = sum(arrived), sum(arrived) + len(times)
        arrived.append(len(times))
        for place in (21 + 30, 21 + 20 + 50):
            if before < place <= now:
                agent.kill()
                agent.start()

    original = wired.ArrivedResults.add
    monkeypatch.setattr(wired.ArrivedResults, "add", add)
    target = {"use": f"tcp://127.0.0.1:{agent.port}", "protocol": protocol}
    disturbed = edgerig.run(rig(net, target), out=tmp_path / "out")
    one, two = disturbed.cells[0].interruptions
    places = [int(text.split("after sample ")[1].split()[0]) for text in (one, two)]
    assert 30 <= places[0] < places[1] < 64, "both in the first piece"
    # Not one sample ran again whose result was here.
    assert sum(arrived) == 1 + 3 * 20 + SAMPLES + repeatability.SAMPLES * repeatability.TIMES
    assert np.array_equal(predictions(tmp_path / "out", disturbed), undisturbed())
    assert len(Bundle(tmp_path / "out").samples(disturbed.cells[0].id)["times_ns"]) == SAMPLES


@pytest.mark.slow
def test_a_device_that_stays_away_fails_the_cell_and_resuming_goes_on_with_its_samples(
    net: Path, tmp_path: Path, agent: KilledAgent
) -> None:
    data = rig(net, f"tcp://127.0.0.1:{agent.port}", patience=0.5)

    def disturb() -> None:
        while not (tmp_path / "out" / "cells").exists():
            time.sleep(0.02)
        time.sleep(0.5)
        agent.kill()

    thread = threading.Thread(target=disturb)
    thread.start()
    with pytest.raises(TargetError, match="could not be measured"):
        edgerig.run(data, out=tmp_path / "out")
    thread.join()
    agent.start()
    result = edgerig.run(data, out=tmp_path / "out", resume=True)
    assert any("The run went on at sample" in text for text in result.cells[0].interruptions)
    calm = edgerig.run(data, out=tmp_path / "calm")
    assert np.array_equal(predictions(tmp_path / "out", result), predictions(tmp_path / "calm", calm))
    assert not Bundle(tmp_path / "out").scratch(result.cells[0].id).exists()


@pytest.mark.slow
def test_a_run_killed_within_a_cell_goes_on_with_what_it_had_kept(net: Path, tmp_path: Path) -> None:
    data = rig(net, "local")
    (tmp_path / "rig.yaml").write_text(json.dumps(data))
    command = [sys.executable, "-m", "edgerig", "run", str(tmp_path / "rig.yaml"), "--out", str(tmp_path / "out")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list((tmp_path / "out").glob("cells/*/partial/*.npz")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    result = edgerig.run(tmp_path / "rig.yaml", out=tmp_path / "out", resume=True)
    (interruption,) = result.cells[0].interruptions
    assert "The run went on at sample" in interruption
    calm = edgerig.run(data, out=tmp_path / "calm")
    assert np.array_equal(predictions(tmp_path / "out", result), predictions(tmp_path / "calm", calm))


@pytest.mark.slow
def test_a_network_that_crashes_its_engine_is_not_tried_for_ever(net: Path, tmp_path: Path) -> None:
    data = rig(net, "local", warmup=0)
    data["matrix"][0]["runtimes"][0].update({"fault": "abort", "after": 1, "seconds": 0})
    with pytest.raises(edgerig.errors.EdgerigError, match="SIGABRT"):
        edgerig.run(data, out=tmp_path / "out")


def test_a_journal_is_read_up_to_its_first_damaged_piece(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", "key")
    for number in range(3):
        scores = np.full((2, 4), number, np.float32)
        journal.append(scores=scores, times_ns=np.array([1, 2]), fit=np.zeros((2, 1)), finite=np.ones(2, np.uint8))
    (tmp_path / "j" / "000001.npz").write_bytes(b"PK half a file")
    again = Journal(tmp_path / "j", "key")
    again.load()
    assert again.samples == 2
    assert again.joined("scores").max() == 0


def test_a_journal_of_something_else_is_not_used(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", "key")
    journal.append(scores=np.zeros((2, 4), np.float32), times_ns=np.array([1, 2]))
    other = Journal(tmp_path / "j", "another key")
    other.load()
    assert other.samples == 0
    assert not (tmp_path / "j").exists()
