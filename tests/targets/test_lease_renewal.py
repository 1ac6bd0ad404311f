"""The thread that renews a run's lease: whatever goes wrong in it is said, and the lease is renewed all the same."""

import threading
import time

import pytest

from edgerig.errors import LeaseError
from edgerig.targets.remote.tcp import Tcp
from edgerig.targets.resolve import target_for
from edgerig.testing import faults
from edgerig.wire.client import WireClient


def eventually(condition, seconds=15.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


#: Threads of targets that other tests have not closed yet.
OTHERS: set[threading.Thread] = set()


@pytest.fixture(autouse=True)
def others() -> None:
    OTHERS.clear()
    OTHERS.update(keepers())


def keepers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "edgerig lease" and thread not in OTHERS]


@pytest.fixture
def target(start_agent):
    agent = start_agent(runtimes=(faults.NAME,), lease=1.0)
    made = target_for(str(agent.address))
    assert isinstance(made, Tcp)
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.parametrize("error", [ValueError("nonsense"), ZeroDivisionError(), MemoryError(), KeyError("x")])
def test_failure_is_said_and_the_lease_goes_on(target, monkeypatch, caplog, error):
    renewed, real = [], WireClient.renew_lease

    def fails_once(self, release=False):
        renewed.append(error)
        if len(renewed) == 1:
            raise error
        real(self, release)

    monkeypatch.setattr(WireClient, "renew_lease", fails_once)
    target.check()
    assert eventually(lambda: len(renewed) > 4)
    told = caplog.text
    assert told.count("renewing the lease of tcp://") == 1
    assert type(error).__name__ in told
    other = target_for(target.address)
    with pytest.raises(LeaseError, match="has it"):
        other.check()


def test_failure_that_comes_again_is_said_once(target, monkeypatch, caplog):
    renewed = []

    def fails(self, release=False):
        renewed.append(release)
        raise ValueError("nonsense")

    monkeypatch.setattr(WireClient, "renew_lease", fails)
    target.check()
    assert eventually(lambda: len(renewed) > 3)
    assert caplog.text.count("nonsense") == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_thread_that_died_is_replaced_with_the_next_session(target, monkeypatch, caplog, faulty, x):
    def dies(self):
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr("edgerig.targets.remote.lease_holder.LeaseRenewer._run", dies)
        target.check()
        assert eventually(lambda: not keepers())
    with target.open(faulty, faults.NAME, {}) as session:
        assert len(keepers()) == 1
        assert "its thread has died" in caplog.text
        assert len(session.run(x).times_ns) == 5


def test_closing_ends_the_thread_without_a_word(target, caplog):
    target.check()
    target.close()
    assert eventually(lambda: not keepers())
    assert caplog.text == ""
