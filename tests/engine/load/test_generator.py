"""Requests are due when the schedule says so, are taken in order, and their times add up."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from edgerig.engine.load.generator import Answers, Send, closed_loop, open_loop
from edgerig.errors import TargetError


class Server:
    """A session that really takes its time, and notes what it was sent; ``most`` counts requests under way at once."""

    lock = threading.Lock()

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.numbers: list[int] = []

    def __call__(self, number: int) -> int:
        start = time.perf_counter_ns()
        self.numbers.append(number)
        time.sleep(self.seconds)
        return time.perf_counter_ns() - start


def check_sums(answers: Answers) -> None:
    """Latency is what it consists of, and nothing is negative."""
    parts = answers.queueing + answers.late + answers.transport + answers.inference
    np.testing.assert_array_equal(answers.latency, parts)
    assert min(x.min() for x in (answers.queueing, answers.late, answers.transport, answers.inference)) >= 0


def test_streams_run_at_once_and_share_the_requests() -> None:
    servers = [Server(0.01) for _ in range(3)]
    answers = closed_loop(servers, 0.0, 30)
    assert sorted(number for server in servers for number in server.numbers) == list(range(len(answers.done)))
    assert len(answers.done) >= 30
    assert set(answers.session.tolist()) == {0, 1, 2}
    assert (answers.queueing == 0).all()
    check_sums(answers)
    # At some moment requests of all three were under way.
    moments = answers.sent
    assert max(((answers.sent <= t) & (answers.done > t)).sum() for t in moments) == 3


def test_requests_are_due_as_scheduled_and_served_in_order() -> None:
    arrivals = np.array([0, 1, 2, 3, 60_000_000, 60_000_001], np.int64)
    server = Server(0.005)
    answers = open_loop([server], arrivals, 10.0)
    np.testing.assert_array_equal(answers.due, arrivals)
    assert server.numbers == [0, 1, 2, 3, 4, 5]
    assert (answers.sent >= answers.due).all()
    assert (np.diff(answers.done) > 0).all()
    # The fourth waits for three before it, by the very times of those.
    assert answers.queueing[3] >= answers.inference[:3].sum() - 3
    check_sums(answers)


def test_two_sessions_serve_one_queue_first_come_first_served() -> None:
    arrivals = np.zeros(20, np.int64)
    servers = [Server(0.002), Server(0.004)]
    answers = open_loop(servers, arrivals, 10.0)
    assert sorted(servers[0].numbers + servers[1].numbers) == list(range(20))
    for server in servers:
        assert server.numbers == sorted(server.numbers)
    assert answers.unanswered == 0


def test_what_cannot_be_answered_in_time_is_counted_and_not_waited_for() -> None:
    answers = open_loop([Server(0.02)], np.zeros(10_000, np.int64), 0.1)
    assert len(answers.done) + answers.unanswered == 10_000
    assert answers.unanswered > 0


def test_a_hopeless_trial_ends_early() -> None:
    late: list[int] = []

    def hopeless(latency: int) -> bool:
        late.append(latency)
        return len(late) == 5

    answers = open_loop([Server(0.001)], np.zeros(1000, np.int64), 60.0, hopeless)
    assert (len(answers.done), answers.unanswered) == (5, 995)


def breaking(after: int) -> Send:
    def send(number: int) -> int:
        if number >= after:
            raise TargetError("The device went away.")
        return 1

    return send


def test_the_error_of_a_session_ends_all() -> None:
    with pytest.raises(TargetError, match="went away"):
        closed_loop([breaking(3), Server(0.001)], 60.0, 10**9)
    with pytest.raises(TargetError, match="went away"):
        open_loop([breaking(3), Server(0.001)], np.zeros(100, np.int64), 60.0)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("edgerig stream")]


def test_an_interruption_ends_the_threads() -> None:
    def interrupt(count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        closed_loop([Server(0.001), Server(0.001)], 600.0, 0, interrupt)
    with pytest.raises(KeyboardInterrupt):
        open_loop([Server(0.001)], np.array([600 * 10**9], np.int64), 0.0, advance=interrupt)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("edgerig stream")]


def test_progress_counts_every_answer() -> None:
    counts: list[int] = []
    answers = open_loop([Server(0.001)], np.zeros(50, np.int64), 60.0, advance=counts.append)
    assert sum(counts) == len(answers.done) == 50
