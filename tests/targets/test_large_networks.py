"""A network larger than any other message may be goes to every kind of target, and is never whole in memory."""

import contextlib
import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
from tests.agents import serving

from edgerig.agent.keys import make_keys
from edgerig.agent.server import Agent
from edgerig.agent.worker_process import WorkerLimits
from edgerig.artifact import Artifact
from edgerig.errors import AnswerError, ModelError
from edgerig.targets.resolve import target_for
from edgerig.testing import faults
from edgerig.testing.line import Line
from edgerig.wire.tls import device_context
from edgerig.wire.unix import UnixAddress
from edgerig.wire.upload import PART_BYTES

LARGE = 300 * 1024**2


def network(folder: Path, size: int) -> Artifact:
    """A file that takes no place on disk, with a mark at its end; as its network `faults.Faulty` takes anything."""
    path = folder / "large.tflite"
    with path.open("wb") as file:
        file.truncate(size - 4)
        file.seek(size - 4)
        file.write(b"end!")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    small = faults.any_artifact(folder)
    return Artifact("large", "tflite", digest, size, small.inputs, small.outputs, str(path))


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> Artifact:
    return network(tmp_path_factory.mktemp("large"), LARGE)


def peak_of(pid: int) -> int:
    """The most memory that a process has had, in bytes."""
    return int(re.search(r"VmHWM:\s*(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) * 1024


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["tcp", "unix", "tls", "token"])
def test_agent_takes_a_network_above_the_limit_of_messages(start_agent, tmp_path, large, x, kind):
    limits, options, settings = WorkerLimits(), {}, {}
    if kind == "tls":
        make_keys(tmp_path, ["localhost", "127.0.0.1"], ["desk"])
        options, settings = (
            {"tls": device_context(tmp_path / "agent-localhost")},
            {"tls": str(tmp_path / "client-desk")},
        )
    elif kind == "token":
        (tmp_path / "token").write_text("correct horse battery staple")
        options, settings = {"token": b"correct horse battery staple"}, {"token_file": str(tmp_path / "token")}
    assert limits.message < LARGE
    with contextlib.ExitStack() as stack:
        if kind == "unix":
            made = Agent(UnixAddress(str(tmp_path / "a.sock")), runtimes=(faults.NAME,), limits=limits)
            agent = stack.enter_context(serving(made))
        else:
            agent = start_agent(runtimes=(faults.NAME,), limits=limits, **options)
        target = target_for(str(agent.address), settings)
        stack.callback(target.close)
        with target.open(large, faults.NAME, {}) as session:
            (worker,) = agent._host.workers
            assert session.load_report.sha256 == large.sha256
            np.testing.assert_array_equal(session.run(x).outputs[0], x[0] * 2)
            # The process without a network takes some 100 MB.
            assert peak_of(worker.pid) < 100 * 1024**2 + 6 * PART_BYTES
            (stored,) = worker.folder.glob("*.tflite")
            assert stored.stat().st_size == LARGE


@pytest.mark.slow
def test_local_process_takes_it_too(large, x):
    target = target_for("local")
    with target.open(large, faults.NAME, {}) as session:
        assert session.load_report.sha256 == large.sha256
        np.testing.assert_array_equal(session.run(x).outputs[0], x[0] * 2)
    target.close()


@pytest.mark.slow
def test_serial_line_takes_in_parts_what_no_message_may_hold(serial_agent, tmp_path, x):
    limits = WorkerLimits(model=8 * 1024**2, message=100_000)
    artifact = network(tmp_path, 2 * 1024**2)
    with Line() as line, serial_agent(line.device, limits=limits):
        target = target_for(f"serial://{line.host}?baud=4000000")
        with target.open(artifact, faults.NAME, {}) as session:
            assert session.load_report.sha256 == artifact.sha256
            np.testing.assert_array_equal(session.run(x).outputs[0], x[0] * 2)


@pytest.mark.parametrize("link", ["tcp", "serial"])
def test_network_above_max_model_is_refused_before_it_is_sent(start_agent, serial_agent, tmp_path, link, monkeypatch):
    from edgerig.wire.client import WireClient

    sent = []
    real = WireClient.request
    monkeypatch.setattr(
        WireClient, "request", lambda self, kind, *rest: (sent.append(kind), real(self, kind, *rest))[1]
    )
    artifact = network(tmp_path, 3 * 1024**2)
    limits = WorkerLimits(model=2 * 1024**2, message=1024**2)
    with contextlib.ExitStack() as stack:
        if link == "tcp":
            address = str(start_agent(runtimes=(faults.NAME,), limits=limits).address)
        else:
            line = stack.enter_context(Line())
            stack.enter_context(serial_agent(line.device, limits=limits))
            address = f"serial://{line.host}"
        target = target_for(address)
        stack.callback(target.close)
        with pytest.raises(AnswerError, match=f"at most {2 * 1024**2} B; large.tflite has {3 * 1024**2} B") as caught:
            target.open(artifact, faults.NAME, {})
        assert "--max-model" in caught.value.hint
    assert "MODEL" not in {kind.name for kind in sent}


def test_serial_agent_with_larger_messages_refuses_with_the_first_part(serial_agent, tmp_path):
    artifact = network(tmp_path, 3 * 1024**2)
    with Line() as line, serial_agent(line.device, limits=WorkerLimits(model=1024**2)):
        target = target_for(f"serial://{line.host}")
        with pytest.raises(ModelError, match=r"3145728 B was announced; the limit is 1048576 B") as caught:
            target.open(artifact, faults.NAME, {})
        assert "--max-model" in caught.value.hint
        target.close()
