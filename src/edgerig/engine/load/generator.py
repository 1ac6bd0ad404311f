"""Sends requests to sessions from a thread each; notes on the host's clock when each was due, sent and answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

#: Runs the inference of that number on a session; its time in ns on the device's clock.
Send = Callable[[int], int]
#: Called with the number of answers since the last call.
Advance = Callable[[int], None]
#: Seconds between two looks of the waiting thread.
LOOK_EVERY = 0.1
#: Seconds that threads get to end after an interruption, each after its inference.
STOP_SECONDS = 5.0
#: Largest number of requests of one measurement.
MOST_REQUESTS = 100_000


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """The answered requests, in the order in which they were taken up. All times in ns from a common origin, int64.

    Attributes:
        due: When a request arrived. sent: When it went to a session. done: When its answer was there. Host's clock.
        late: How much later than due it was sent although a session waited for it: the host's own lateness.
        inference: Its time on the device.
        session: The session that took it.
        unanswered: Requests that had arrived, or were to arrive, and were not answered.
    """

    due: NDArray[np.int64]
    sent: NDArray[np.int64]
    done: NDArray[np.int64]
    late: NDArray[np.int64]
    inference: NDArray[np.int64]
    session: NDArray[np.int64]
    unanswered: int = 0

    @property
    def latency(self) -> NDArray[np.int64]:
        """From arrival to answer."""
        return self.done - self.due

    @property
    def queueing(self) -> NDArray[np.int64]:
        """Waiting for a free session."""
        return self.sent - self.due - self.late

    @property
    def transport(self) -> NDArray[np.int64]:
        """From sending to answer, without the inference."""
        return self.done - self.sent - self.inference


class _Threads:
    """One thread a session, and what they share."""

    def __init__(self, sends: Sequence[Send], advance: Advance) -> None:
        self.sends, self.advance = sends, advance
        self.stop, self.lock = threading.Event(), threading.Lock()
        self.ready = threading.Barrier(len(sends) + 1)
        self.rows: list[tuple[int, int, int, int, int, int, int]] = []
        self.errors: list[BaseException] = []
        self.taken = 0
        self.origin = 0

    def now(self) -> int:
        """Nanoseconds from the origin."""
        return time.perf_counter_ns() - self.origin

    def request(self, number: int, session: int, due: int, late: int) -> int:
        """Send a request and keep its row; the time of its answer."""
        sent = self.now()
        inference = self.sends[session](number)
        done = self.now()
        # Appending to a list is atomic.
        self.rows.append((number, due, sent, done, late, inference, session))
        return done

    def run(self, work: Callable[[int], None]) -> Answers:
        """Run ``work`` with the number of each session, in a thread each, until all have ended.

        Raises:
            BaseException: The first error of a thread, or the interruption of this one.
        """

        def guarded(session: int) -> None:
            try:
                self.ready.wait()
                work(session)
            except threading.BrokenBarrierError:
                return
            except BaseException as error:
                self.errors.append(error)
                self.stop.set()

        threads = [
            threading.Thread(target=guarded, args=(number,), name=f"edgerig stream {number}", daemon=True)
            for number in range(len(self.sends))
        ]
        try:
            for thread in threads:
                thread.start()
            self.origin = time.perf_counter_ns()
            self.ready.wait()
            self._wait(threads)
        except BaseException:
            self.stop.set()
            self.ready.abort()
            deadline = time.monotonic() + STOP_SECONDS
            for thread in threads:
                if thread.ident is not None:
                    thread.join(max(0.0, deadline - time.monotonic()))
            raise
        if self.errors:
            raise self.errors[0]
        columns = np.array(sorted(self.rows), np.int64).reshape(-1, 7)
        _, due, sent, done, late, inference, session = columns.T
        return Answers(due=due, sent=sent, done=done, late=late, inference=inference, session=session)

    def _wait(self, threads: Sequence[threading.Thread]) -> None:
        seen = 0
        for thread in threads:
            while thread.is_alive():
                thread.join(LOOK_EVERY)
                count = len(self.rows)
                self.advance(count - seen)
                seen = count


def closed_loop(sends: Sequence[Send], seconds: float, fewest: int, advance: Advance = lambda _: None) -> Answers:
    """Each session takes its next request as soon as the last is answered, until ``seconds`` have passed and ``fewest``
    requests were answered in all.

    Raises:
        TargetError: The device went away. InferenceError: Its engine failed.
    """
    threads = _Threads(sends, advance)

    def work(session: int) -> None:
        due = threads.now()
        while not threads.stop.is_set():
            count = len(threads.rows)
            if count >= MOST_REQUESTS or (count >= fewest and due >= seconds * 1e9):
                return
            with threads.lock:
                number, threads.taken = threads.taken, threads.taken + 1
            due = threads.request(number, session, threads.now(), 0)

    answers = threads.run(work)
    # In a closed loop a request is due when it is sent.
    return msgspec.structs.replace(answers, due=answers.sent)


def open_loop(
    sends: Sequence[Send],
    arrivals: NDArray[np.int64],
    patience: float,
    hopeless: Callable[[int], bool] = lambda _: False,
    advance: Advance = lambda _: None,
) -> Answers:
    """Requests arrive at set times, whatever the sessions do, and wait in one queue, first come first served.

    A session that is free takes the next request of the schedule and sleeps until it is due. A request's latency counts
    from when it was due, so that a slow answer delays none of the measured arrivals (the error that is called
    coordinated omission).

    Args:
        sends: The sessions. arrivals: When requests are due, in ns from the start, ascending.
        patience: Seconds after the last arrival at which requests still waiting are given up.
        hopeless: Called with each latency in ns; the measurement ends early where it returns True.

    Raises:
        TargetError: The device went away. InferenceError: Its engine failed.
    """
    threads = _Threads(sends, advance)
    end = int(arrivals[-1]) + round(patience * 1e9)

    def work(session: int) -> None:
        while not threads.stop.is_set():
            with threads.lock:
                number, threads.taken = threads.taken, threads.taken + 1
            if number >= len(arrivals) or threads.now() > end:
                return
            due, late = int(arrivals[number]), 0
            if (ahead := due - threads.now()) > 0:
                if threads.stop.wait(ahead / 1e9):
                    return
                late = max(0, threads.now() - due)
            done = threads.request(number, session, due, late)
            if hopeless(done - due):
                threads.stop.set()

    answers = threads.run(work)
    return msgspec.structs.replace(answers, unanswered=len(arrivals) - len(answers.due))
