"""A host that vanishes in mid-session, with no word: the device notices in the time that the manual says."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.faults import bad_network

from edgerig.agent.keys import make_keys
from edgerig.testing import faults

#: docs/agent.md: 20 s until TCP knows, 2 s more until the worker has ended; and a little for a busy machine.
BOUND = 20 + 2 + 8

HOST = """
import sys, time
from pathlib import Path
import numpy as np
from edgerig.targets.resolve import target_for
from edgerig.testing import faults
from tests.faults import bad_network

address, folder, tls, seconds = sys.argv[1:]
target = target_for(address, {"tls": tls} if tls else {})
session = target.open(faults.any_artifact(Path(folder)), faults.NAME, {"seconds": float(seconds)})
print("open", flush=True)
while True:
    session.run([np.zeros((50, 4), np.float32)])
"""


def workers(agent: subprocess.Popen) -> list[str]:
    return [pid for path in Path(f"/proc/{agent.pid}/task").glob("*/children") for pid in path.read_text().split()]


@pytest.mark.slow
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("seconds", ["0.02", "1"], ids=["while-it-is-answered", "in-a-long-silence"])
def test_host_that_vanishes_frees_the_device_in_bounded_time(tmp_path, secure, seconds):
    bad_network.need_hosts()
    network = bad_network.BadNetwork()
    make_keys(tmp_path / "lab", [network.far], ["host"])
    guard = ["--tls", str(tmp_path / "lab" / f"agent-{network.far}")] if secure else ["--insecure"]
    tls = str(tmp_path / "lab" / "client-host") if secure else ""
    words = [sys.executable, "-m", "edgerig", "agent", "--listen", f"{network.far}:7433", "--runtime", faults.NAME]
    agent = subprocess.Popen(
        network.on("far", [*words, *guard, "--lease", "5"]), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    host = other = None
    try:
        assert "listening" in agent.stdout.readline()
        command = [sys.executable, "-c", HOST, f"tcp://{network.far}:7433", str(tmp_path), tls]
        host = subprocess.Popen(network.on("near", [*command, seconds]), stdout=subprocess.PIPE, text=True)
        assert host.stdout.readline() == "open\n"
        time.sleep(0.5)
        assert len(workers(agent)) == 1
        network.loss = 1.0
        start = time.monotonic()
        while workers(agent) and time.monotonic() - start < BOUND:
            time.sleep(0.1)
        assert not workers(agent), f"the worker is still there after {BOUND} s"
        # The host is not there to give the device back: its lease runs out, and the next one gets it.
        host.kill()
        network.loss = 0.0
        other = subprocess.Popen(network.on("near", [*command, "0"]), stdout=subprocess.PIPE, text=True)
        assert other.stdout.readline() == "open\n"
    finally:
        for process in (host, other, agent):
            if process is not None:
                process.kill()
                process.communicate()
        network.close()
