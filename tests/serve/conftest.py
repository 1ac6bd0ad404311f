from collections.abc import Iterator
from pathlib import Path

import pytest

from edgerig.serve import Server
from edgerig.testing import networks


@pytest.fixture(scope="session")
def float_net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``softmax(W x + b)`` of 8 values, 4 classes."""
    return networks.dense_tflite(tmp_path_factory.mktemp("served") / "float_net.tflite")


@pytest.fixture(scope="session")
def fragile(float_net: Path) -> Iterator[Server]:
    """A server of two sessions whose engine dies of some samples, see `tests.serve.fragile`."""
    with Server(float_net, listen="127.0.0.1:0", sessions=2, runtime="tests.serve.fragile:Fragile") as server:
        yield server


@pytest.fixture(scope="session")
def integers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of an int8 network of 8 values, 4 classes."""
    net = networks.dense_tflite_int8(tmp_path_factory.mktemp("served") / "integers.tflite")
    with Server(net, listen="127.0.0.1:0", sessions=1) as server:
        yield server
