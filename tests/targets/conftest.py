import contextlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.agents import serving
from tests.needs import need

from edgerig.agent.serial import SerialAgent
from edgerig.agent.server import Address, Agent
from edgerig.models.files import open_artifact
from edgerig.targets.base import Target
from edgerig.targets.resolve import target_for
from edgerig.testing import faults
from edgerig.testing.contracts.target import Deployment
from edgerig.testing.line import Line
from edgerig.testing.networks import dense_tflite, dense_tflite_int8, dense_weights, two_input_tflite
from edgerig.wire.serial import open_serial, parse_serial


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
        self._stack = contextlib.ExitStack()

    def __call__(self, **options) -> Agent:
        return self._stack.enter_context(serving(Agent(Address("127.0.0.1", 0), **options)))

    def close(self) -> None:
        self._stack.close()


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


@pytest.fixture(scope="session")
def er_device(tmp_path_factory) -> Path:
    """The firmware as a program of this machine."""
    need("make", "cc")
    build = tmp_path_factory.mktemp("firmware")
    source = Path(__file__).parents[2] / "firmware"
    subprocess.run(["make", "-s", "-C", source, f"BUILD={build}", f"{build}/er_device"], check=True)
    return build / "er_device"


@contextlib.contextmanager
def running_device(program: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The firmware on a pseudo-terminal: its process, and the terminal's path."""
    words = [str(program), "--pty", *options]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, process.stdout.readline().split()[-1]
        finally:
            process.kill()


@pytest.fixture(scope="session")
def start_device(er_device):
    """Runs the firmware on a pseudo-terminal: a context manager that gives its process and the terminal's path."""
    return lambda *options: running_device(er_device, *options)


@contextlib.contextmanager
def running_serial_agent(path: str, **options) -> Iterator[SerialAgent]:
    """The agent in a thread, at one end of a line."""
    place = parse_serial(f"serial://{path}?baud=115200")
    with serving(SerialAgent(open_serial(place, place.line()), runtimes=("litert", faults.NAME), **options)) as agent:
        yield agent


@pytest.fixture(scope="session")
def serial_agent():
    """Runs the agent at one end of a line: a context manager."""
    return running_serial_agent


@pytest.fixture
def line() -> Iterator[Line]:
    """A line that does no harm."""
    with Line() as made:
        yield made


def dense_int8(inputs):
    """`dense_tflite_int8(features=64, classes=10)`; the file's scales are float32, which decides ties."""
    scale = float(np.float32(0.02)) * float(np.float32(0.01)) / float(np.float32(0.05))
    weights, bias = dense_weights(64, 10)
    quantized = np.clip(np.round(weights / 0.01), -127, 127).astype(np.int64)
    sums = (inputs[0].astype(np.int64) + 3) @ quantized.T + np.round(bias / (0.02 * 0.01)).astype(np.int64)
    return [np.clip(np.floor(sums * scale + 0.5) + 4, -128, 127).astype(np.int8)]


@pytest.fixture(scope="session")
def built_in(tmp_path_factory) -> Deployment:
    """The network that is built into `er_device`."""
    path = dense_tflite_int8(tmp_path_factory.mktemp("int8") / "dense.tflite", 64, 10)
    return Deployment(open_artifact(path), "micro", {}, dense_int8, tolerance=0)
