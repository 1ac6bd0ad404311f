"""An agent from before devices sampled their utilisation: a run goes on, and says what it does not have."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import edgerig
from edgerig.agent.server import Agent
from edgerig.agent.worker_process import WorkerProcess
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.report import build_report, render
from edgerig.report.load import load_bundle
from edgerig.results.energy import energy_of
from edgerig.testing.faults import NAME as FAULTY
from edgerig.testing.networks import dense_tflite

#: The worker with STATS as version 0.1 had it: two fields in the question, six in the answer, no sampling; and without
#: CENSUS.
OLDER = """
import time

import msgspec

from edgerig.agent import greeting, worker
from edgerig.measure.machine import MachineState, observe
from edgerig.measure.kinds import Quantity
from edgerig.measure.memory import current_rss
from edgerig.measure.power import sensors
from edgerig.wire.messages import pack, unpack


class StatsHeader(msgspec.Struct, frozen=True, array_like=True):
    machine: bool = False
    sensors: bool = False


class Statistics(msgspec.Struct, frozen=True, array_like=True):
    last_inference_ns: int
    inferences: int
    cpu_ns: int
    machine: MachineState | None = None
    memory: Quantity | None = None
    sensors: dict[str, Quantity] | None = None


def answer(self, frame):
    header = unpack(frame.header, StatsHeader) if frame.header else StatsHeader()
    statistics = Statistics(
        self._network.last_ns if self._network else 0,
        self._inferences,
        time.process_time_ns(),
        observe() if header.machine else None,
        current_rss() if header.machine or header.sensors else None,
        sensors() if header.sensors else None,
    )
    return b"", [memoryview(pack(statistics))]


start = worker.Worker.__init__


def older(self, *words, **options):
    start(self, *words, **options)
    del self._answers[worker.Kind.CENSUS]


worker.Worker.__init__ = older
worker.Worker._stats = answer
greeting.KINDS = tuple(kind for kind in greeting.KINDS if kind != worker.Kind.CENSUS)
worker.main()
"""


@pytest.fixture
def older_agent(start_agent: Callable[..., Agent], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Agent:
    """An agent on a TCP port whose processes are of the older version."""
    program = tmp_path / "older_worker.py"
    program.write_text(OLDER)
    start = WorkerProcess._start

    def start_older(self: WorkerProcess, words: list[str], connected: int) -> Any:
        at = words.index("edgerig.agent.worker")
        return start(self, [*words[: at - 1], str(program), *words[at + 1 :]], connected)

    monkeypatch.setattr(WorkerProcess, "_start", start_older)
    return start_agent(runtimes=(FAULTY,))


def test_a_run_on_an_older_agent_goes_on_and_says_that_nothing_was_sampled(older_agent: Agent, tmp_path: Path) -> None:
    address = str(older_agent.address)
    rig = {
        "name": "t",
        "model": {"file": str(dense_tflite(tmp_path / "net.tflite", 4, 4))},
        "dataset": {"use": "random", "shape": [4], "samples": 40},
        "matrix": [{"runtimes": [FAULTY], "targets": [address]}],
        "measure": {"rounds": 2, "warmup": 1, "seconds": 0, "profile": False, "transport_samples": 0},
    }
    (cell,) = edgerig.run(rig, out=tmp_path / "out").cells
    assert isinstance(cell.latency.steady, Measurement)
    assert len(cell.rounds) == 2
    for entry in cell.rounds:
        assert isinstance(entry.utilisation, Unavailable)
        assert "does not sample its utilisation" in entry.utilisation.reason
    assert isinstance(cell.census, Unavailable)
    assert cell.census.reason.endswith("is of a version that does not tell what runs where")
    energy = energy_of(cell)
    assert isinstance(energy, Unavailable)
    assert "does not sample its utilisation" in energy.reason
    (variant,) = build_report([tmp_path / "out"]).variants
    assert variant.utilisation == ()
    assert any("does not sample its utilisation" in note for note in variant.utilisation_notes)
    assert "does not sample its utilisation" in render([load_bundle(tmp_path / "out")], "html")
