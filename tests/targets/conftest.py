from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from edgerig.agent.server import Address, Agent
from edgerig.models.files import open_artifact
from edgerig.targets.base import Target
from edgerig.targets.resolve import target_for
from edgerig.testing import faults
from edgerig.testing.networks import dense_tflite, dense_weights, two_input_tflite
from edgerig.testing.target import Deployment


def dense(inputs):
    weights, bias = dense_weights(8, 4)
    logits = inputs[0] @ weights.T + bias
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return [exponents / exponents.sum(axis=1, keepdims=True)]


def two(inputs):
    weights, bias = dense_weights(8, 4)
    total = inputs[0] + inputs[1]
    return [total, total @ weights.T + bias]


@pytest.fixture(scope="session")
def one_input(tmp_path_factory) -> Deployment:
    path = dense_tflite(tmp_path_factory.mktemp("one") / "dense.tflite")
    return Deployment(open_artifact(path), "litert", {}, dense)


@pytest.fixture(scope="session")
def two_inputs(tmp_path_factory) -> Deployment:
    path = two_input_tflite(tmp_path_factory.mktemp("two") / "two.tflite")
    return Deployment(open_artifact(path), "litert", {}, two)


@pytest.fixture
def faulty(tmp_path: Path):
    """An artifact for `faults.Faulty`."""
    return faults.any_artifact(tmp_path)


@pytest.fixture
def x() -> list[np.ndarray]:
    """Five samples for `faults.Faulty`."""
    return [np.arange(20, dtype=np.float32).reshape(5, 4)]


class Running:
    """Agents in this process, stopped at the end of the test."""

    def __init__(self) -> None:
        self.started: list[tuple[Agent, Thread]] = []

    def __call__(self, **options) -> Agent:
        agent = Agent(Address("127.0.0.1", 0), **options)
        thread = Thread(target=agent.serve)
        thread.start()
        self.started.append((agent, thread))
        return agent

    def close(self) -> None:
        for agent, thread in self.started:
            agent.stop()
            thread.join(20)
            assert not thread.is_alive()


@pytest.fixture(scope="class")
def class_agent() -> Iterator[Agent]:
    running = Running()
    yield running(runtimes=("litert", faults.NAME))
    running.close()


@pytest.fixture
def start_agent() -> Iterator[Callable[..., Agent]]:
    running = Running()
    yield running
    running.close()


@pytest.fixture(params=["local", "tcp"])
def target(request, start_agent) -> Iterator[Target]:
    """A target that runs `faults.Faulty`, whichever its link."""
    if request.param == "local":
        made = target_for("local", {"timeout": 20})
    else:
        made = target_for(str(start_agent(runtimes=("litert", faults.NAME)).address), {"timeout": 20})
    yield made
    made.close()
