"""Whatever a pool opened is closed, where it does not come to start, or stops in the middle of opening a session."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from edgerig.errors import TargetError
from edgerig.serve import Server
from edgerig.serve.lane import Opened
from edgerig.serve.ring_lane import RingLane
from edgerig.targets.remote import ring_runs
from edgerig.wire.ring import available

pytestmark = pytest.mark.skipif(not available(), reason="no sealed memory or eventfd on this system")


def eventfds() -> int:
    count = 0
    for link in Path("/proc/self/fd").iterdir():
        try:
            count += "eventfd" in str(link.readlink())
        except FileNotFoundError:
            continue
    return count


def test_rings_are_closed_where_one_of_them_cannot_be_had(float_net: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new_memory, sizes = ring_runs.new_memory, list[int]()

    def no_second(size: int) -> int:
        sizes.append(size)
        if len(sizes) == 2:
            raise OSError(12, "Cannot allocate memory")
        return new_memory(size)

    monkeypatch.setattr(ring_runs, "new_memory", no_second)
    before = eventfds()
    with pytest.raises(TargetError, match="Cannot allocate memory"):
        Server(float_net, listen="127.0.0.1:0", sessions=2)
    assert eventfds() == before


def test_a_session_that_is_being_opened_as_the_server_stops_is_closed(float_net: Path) -> None:
    server = Server(float_net, listen="127.0.0.1:0", sessions=1)
    (lane,) = server.pool._lanes
    assert isinstance(lane, RingLane)
    reopen, opening, pids = lane._reopen, threading.Event(), list[int]()

    def slow() -> Opened:
        opening.set()
        time.sleep(0.3)
        opened = reopen()
        assert opened[0].pid is not None
        pids.append(opened[0].pid)
        return opened

    lane._reopen = slow
    os.kill(server.pool.pids[0], signal.SIGKILL)
    assert opening.wait(60)
    server.stop()
    (pid,) = pids
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
