"""A run against an agent on another host, over a network that delays and loses packets."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.faults import bad_network

from edgerig.results.bundle import Bundle
from edgerig.testing.networks import dense_tflite


@pytest.fixture
def network() -> Iterator[bad_network.BadNetwork]:
    bad_network.need_hosts()
    made = bad_network.BadNetwork()
    yield made
    made.close()


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dense_tflite(tmp_path_factory.mktemp("net") / "net.tflite", 784, 10)


def rig(net: Path, targets: str) -> dict[str, object]:
    return {
        "name": "t",
        "model": {"file": str(net)},
        "dataset": "mnist",
        "matrix": [{"runtimes": ["litert"], "targets": [targets]}],
        "measure": {"samples": 300, "rounds": 1, "seconds": 0, "transport_samples": 5, "profile_samples": 3},
    }


@pytest.fixture(scope="module")
def here(net: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """The same network and samples on this host."""
    return run(tmp_path_factory.mktemp("here"), rig(net, "local"), "here", [])


@pytest.mark.slow
@pytest.mark.parametrize(("delay", "jitter", "loss"), [(0.02, 0.0, 0.0), (0.01, 0.008, 0.0), (0.005, 0.002, 0.05)])
def test_delay_and_loss_cost_time_and_change_no_result(
    tmp_path: Path,
    network: bad_network.BadNetwork,
    net: Path,
    here: dict[str, np.ndarray],
    delay: float,
    jitter: float,
    loss: float,
) -> None:
    agent = subprocess.Popen(
        network.on("far", [sys.executable, "-m", "edgerig", "agent", "--listen", f"{network.far}:7433", "--insecure"]),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert agent.stdout is not None
        assert "listening" in agent.stdout.readline()
        network.delay, network.jitter, network.loss = delay, jitter, loss
        far = run(tmp_path, rig(net, f"tcp://{network.far}:7433"), "far", network.on("near", []))
    finally:
        agent.terminate()
        agent.communicate()
    print(f"{network.packets} packets, {network.lost} lost")
    assert network.packets > 100
    assert bool(network.lost) == bool(loss)
    assert np.array_equal(far["scores"], here["scores"])
    assert np.array_equal(far["indices"], here["indices"])
    transport = json.loads((tmp_path / "far" / "results.json").read_text())["cells"][0]["latency"]["transport"]
    # There and back through the delay at the least; the inference itself is timed on the far host.
    assert transport["value"] >= 2 * (delay - jitter)
    assert np.median(far["times_ns"]) < 2 * delay * 1e9


def run(tmp_path: Path, rig: dict[str, object], out: str, before: list[str]) -> dict[str, np.ndarray]:
    (tmp_path / f"{out}.yaml").write_text(json.dumps(rig))
    command = [sys.executable, "-m", "edgerig", "run", str(tmp_path / f"{out}.yaml"), "--out", str(tmp_path / out)]
    done = subprocess.run(
        [*before, *command], capture_output=True, text=True, timeout=200, check=False, env={**os.environ}
    )
    assert done.returncode == 0, done.stderr
    bundle = Bundle(tmp_path / out)
    return bundle.samples(bundle.result().cells[0].id)
