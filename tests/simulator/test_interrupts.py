"""Signals that come while C runs wait until it has ended, and none is lost."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from edgerig.simulator.interrupts import held_signals


@pytest.fixture
def handler() -> Iterator[Callable[[int, Any], None]]:
    """Sets a handler of SIGTERM and SIGINT for the test."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def set_both(call: Any) -> None:
        for number in before:
            signal.signal(number, call)

    yield set_both  # type: ignore[misc]
    for number, call in before.items():
        signal.signal(number, call)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_handler_is_called_at_the_end_and_what_it_raises_is_raised_there(number: int, handler: Any) -> None:
    def end(*_: object) -> None:
        raise SystemExit(7)

    handler(end)
    steps: list[str] = []

    def run() -> None:
        with held_signals(lambda: steps.append("stop")) as came:
            os.kill(os.getpid(), number)
            steps.append("still here")
            assert came == [number]

    with pytest.raises(SystemExit, match="7"):
        run()
    assert steps == ["stop", "still here"]
    assert signal.getsignal(number) is end


def test_each_signal_is_heard(handler: Any) -> None:
    heard: list[int] = []
    handler(lambda number, _: heard.append(number))
    with held_signals(lambda: None):
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        assert heard == []
    assert sorted(heard) == [signal.SIGINT, signal.SIGTERM]


def test_handlers_come_back_after_an_error_and_are_still_called(handler: Any) -> None:
    heard: list[int] = []
    call = lambda number, _: heard.append(number)  # noqa: E731
    handler(call)

    def fail() -> None:
        with held_signals(lambda: None):
            os.kill(os.getpid(), signal.SIGINT)
            raise ValueError("C failed")

    with pytest.raises(ValueError, match="C failed"):
        fail()
    assert heard == [signal.SIGINT]
    assert signal.getsignal(signal.SIGINT) is call


def test_what_is_ignored_stays_so(handler: Any) -> None:
    handler(signal.SIG_IGN)
    with held_signals(lambda: None) as came:
        os.kill(os.getpid(), signal.SIGINT)
    assert came == []


def test_other_threads_leave_the_handlers_alone() -> None:
    seen: list[object] = []

    def run() -> None:
        with held_signals(lambda: None):
            seen.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [before]
