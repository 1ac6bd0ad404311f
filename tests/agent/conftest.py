import hashlib
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from tests.agents import serving

from edgerig.agent.server import Address, Agent
from edgerig.agent.worker import Worker
from edgerig.testing import faults
from edgerig.wire.client import WireClient
from edgerig.wire.link import PairLink
from edgerig.wire.messages import ModelHeader

CONTENT = b"a network, more or less"


@pytest.fixture
def content() -> memoryview:
    """The file that `header` announces."""
    return memoryview(CONTENT)


@pytest.fixture
def header():
    """Makes the header of a MODEL that fits `content`."""
    return model_header


def model_header(**changes) -> ModelHeader:
    known = {
        "runtime": faults.NAME,
        "options": {},
        "format": "tflite",
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "name": "net.tflite",
    }
    return ModelHeader(**(known | changes))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "worker"
    made.mkdir()
    return made


@pytest.fixture
def pair(folder) -> Iterator[socket.socket]:
    """The host's end of a link to a worker that runs in a thread of this process."""
    ours, theirs = socket.socketpair()
    ours.settimeout(10)
    thread = Thread(target=Worker(PairLink(theirs), folder).serve)
    thread.start()
    yield ours
    ours.close()
    thread.join(10)
    theirs.close()
    assert not thread.is_alive()


@pytest.fixture
def client(pair) -> WireClient:
    """A client of a worker that runs in a thread of this process."""
    return WireClient(PairLink(pair), who="the worker", timeout=10)


@pytest.fixture
def agent() -> Iterator[Agent]:
    """An agent that listens on a free port, and stops after the test."""
    with serving(Agent(Address("127.0.0.1", 0), runtimes=(faults.NAME,), idle=30)) as agent:
        yield agent
