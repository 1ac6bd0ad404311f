"""A run whose device another run has taken over ends at once, and says who has it."""

import time
from pathlib import Path
from threading import Thread

import pytest

import edgerig
from edgerig.agent.server import Address, Agent
from edgerig.errors import EdgerigError
from edgerig.targets.remote import lease_holder
from edgerig.targets.resolve import target_for
from edgerig.testing.faults import NAME as FAULTY
from edgerig.testing.networks import dense_tflite


@pytest.mark.slow
def test_stale_run_is_told_who_has_the_device_and_does_not_wait_for_it(tmp_path: Path, monkeypatch) -> None:
    agent = Agent(Address("127.0.0.1", 0), runtimes=(FAULTY,), lease=1.0)
    serving = Thread(target=agent.serve)
    serving.start()
    thief = target_for(str(agent.address), {"wait": 30})
    # A host that sleeps: its lease is not renewed, and somebody else takes the device.
    monkeypatch.setattr(lease_holder.LeaseRenewer, "_run", lambda self: None)

    def steal() -> None:
        while not agent._host.workers:
            time.sleep(0.01)
        thief.check()

    stealing = Thread(target=steal)
    stealing.start()
    net = dense_tflite(tmp_path / "net.tflite", 4, 4)
    rig = {
        "name": "t",
        "model": {"file": str(net)},
        "dataset": {"use": "random", "shape": [4], "samples": 2000},
        "matrix": [{"runtimes": [{"use": FAULTY, "seconds": 0.01}], "targets": [str(agent.address)]}],
        "measure": {"samples": 2000, "rounds": 1, "profile": False, "transport_samples": 0, "patience": 600},
    }
    try:
        with pytest.raises(EdgerigError, match="The device has passed to"):
            edgerig.run(rig, out=tmp_path / "out")
    finally:
        stealing.join(30)
        thief.close()
        agent.stop()
        serving.join(20)
