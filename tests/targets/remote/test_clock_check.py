"""A device's clock against the host's: agents and C devices whose clock is wrong, and some whose clock is right."""

from types import SimpleNamespace

import numpy as np
import pytest

from edgerig.errors import AnswerError
from edgerig.targets.remote import clock_check as clockcheck
from edgerig.targets.resolve import target_for
from edgerig.testing import faults

X = [np.ones((5, 4), np.float32)]


@pytest.fixture
def device(start_agent):
    """Opens sessions on an agent that runs `faults.Misclocked`."""
    agent = start_agent(runtimes=(faults.NAME, faults.MISCLOCKED))
    targets = []

    def open_session(artifact, **options):
        protocol = options.pop("protocol", "run")
        targets.append(target_for(str(agent.address), {"timeout": 20, "protocol": protocol}))
        return targets[-1].open(artifact, faults.MISCLOCKED, options)

    yield open_session
    for target in targets:
        target.close()


#: How often a clock is checked: other work on this machine may hide what is wrong, or make it look worse.
CHECKS = 5


def complaint(session, inputs):
    """What is said of a clock by the first check that says anything."""
    return next((said for _ in range(CHECKS) if (said := session.check_clock(inputs)) is not None), "")


def multiple(sentence):
    """How many times too slow a clock is said to be."""
    assert "too slow" in sentence
    return float(sentence.partition(" runs ")[2].partition(" times")[0])


@pytest.mark.parametrize("protocol", ["run", "stepwise"])
@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.004])
def test_nothing_is_said_of_a_clock_that_is_right(device, faulty, protocol, seconds):
    with device(faulty, seconds=seconds, protocol=protocol) as session:
        session.run(X)
        assert any(session.check_clock(X) is None for _ in range(CHECKS))


@pytest.mark.parametrize("protocol", ["run", "stepwise"])
@pytest.mark.parametrize(("factor", "said"), [(0.25, 4.0), (0.5, 2.0)])
def test_a_clock_that_is_too_slow_is_told_with_how_much(device, faulty, protocol, factor, said):
    with device(faulty, seconds=0.004, factor=factor, protocol=protocol) as session:
        session.run(X)
        sentences = (session.check_clock(X) for _ in range(CHECKS))
        assert any(multiple(sentence) == pytest.approx(said, rel=0.25) for sentence in sentences if sentence)


@pytest.mark.parametrize("protocol", ["run", "stepwise"])
def test_a_clock_of_the_processor_is_told_where_the_device_waits(device, faulty, protocol):
    with device(faulty, seconds=0.004, processor=True, protocol=protocol) as session:
        session.run(X)
        sentence = complaint(session, X)
    assert "counts the processor's time only" in sentence


@pytest.mark.parametrize("protocol", ["run", "stepwise"])
def test_a_clock_that_is_too_fast_is_refused(device, faulty, protocol):
    with (
        device(faulty, seconds=0.01, factor=4.0, protocol=protocol) as session,
        pytest.raises(AnswerError, match="times too fast"),
    ):
        session.run([np.ones((40, 4), np.float32)])


def test_a_clock_that_a_slow_line_hides_is_refused_all_the_same(device, faulty, monkeypatch):
    """A request of one short inference takes longer than four times it; many in one do not."""
    with device(faulty, seconds=0.00005, factor=4.0) as session, pytest.raises(AnswerError, match="times too fast"):
        complaint(session, X)


def test_a_device_that_takes_one_sample_a_time_is_checked_by_processing(device, faulty, monkeypatch):
    with device(faulty, seconds=0.004, factor=0.25) as session:
        session.largest = 1
        session.run(X)
        assert "too slow" in complaint(session, X)


def test_a_long_inference_is_run_a_few_times_only(device, faulty):
    with device(faulty, seconds=0.3, factor=0.25) as session:
        before = session.client.download_statistics().inferences
        assert "too slow" in (session.check_clock(X) or "")
        assert session.client.download_statistics().inferences - before <= 1 + clockcheck.PROCESSINGS


@pytest.mark.slow
def test_the_firmware_in_c_is_found_right(start_device, built_in):
    with start_device() as (_, path):
        target = target_for(f"serial://{path}?baud=921600")
        with target.open(built_in.artifact, built_in.runtime, {}) as session:
            x = [np.zeros((4, 64), np.int8)]
            session.run(x)
            assert any(session.check_clock(x) is None for _ in range(CHECKS))
        target.close()


@pytest.mark.parametrize("factor", ["0.25", "0.01"])
def test_the_firmware_in_c_with_a_slow_clock_is_told_on_a_serial_line(start_device, built_in, factor):
    with start_device("--slow", "20", "--clock", factor) as (_, path):
        target = target_for(f"serial://{path}?baud=921600")
        with target.open(built_in.artifact, built_in.runtime, {}) as session:
            x = [np.zeros((4, 64), np.int8)]
            session.run(x)
            assert "too slow" in complaint(session, x)
        target.close()


def test_the_firmware_in_c_with_a_fast_clock_is_refused_on_a_serial_line(start_device, built_in):
    with start_device("--slow", "20", "--clock", "4") as (_, path):
        target = target_for(f"serial://{path}?baud=921600")
        with (
            target.open(built_in.artifact, built_in.runtime, {}) as session,
            pytest.raises(AnswerError, match="times too fast"),
        ):
            session.run([np.zeros((4, 64), np.int8)])
        target.close()


def test_a_board_that_is_not_there_is_not_asked(monkeypatch):
    from edgerig.targets.emulated.session import BoardSession

    assert not BoardSession.same_time


class Crowded(clockcheck.TimedRequests):
    """Times of a right clock on a host where something else works during the first ``disturbed`` large requests."""

    ratio, largest, by_run = 0.0, 2000, True
    own, fixed, stretch = 14_500, 60_000, 25_000

    def __init__(self, disturbed):
        self.left = disturbed
        self.client = SimpleNamespace(supports=lambda kind: True, upload_input=lambda *rest: None)

    def views(self, count):
        return []

    def run(self, count):
        told = count * self.own
        if count <= 2 * clockcheck.LEAST_SAMPLES or self.left == 0:
            return told + self.fixed, told
        self.left -= 1
        return told + self.fixed + count * self.stretch, told


@pytest.mark.parametrize(("rounds", "told"), [(0, False), (2, False), (clockcheck.RETRIES, False), (99, True)])
def test_other_work_on_the_host_is_no_fault_of_a_clock_unless_it_never_ends(rounds, told):
    said = clockcheck.check_clock(Crowded(rounds * clockcheck.REPEATS))
    assert (said is not None) == told
