"""A device's clock held against the host's: what one more inference takes by either.

Requests with k samples are timed on the host. What a request costs beside its inferences is the same for one sample as
for many, so that the growth over k is what an inference takes, and what moving and setting its samples takes; the
latter is timed apart, by DATA, which runs nothing. Where a request cannot hold several samples, PROCESS is timed, which
moves none. A difference below the host's own noise is not reported.
"""

from __future__ import annotations

import statistics
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence

from edgerig.errors import AnswerError, InferenceError
from edgerig.wire.client import WireClient
from edgerig.wire.frame import Kind

#: Inferences one by one, requests of many, and inferences by PROCESS, that are timed.
SINGLES, REPEATS, PROCESSINGS = 5, 3, 5
#: Host seconds that a request of many samples should take: far above the jitter of a network and a scheduler.
REQUEST_SECONDS = 0.06
#: Samples of a request at most, and those that it takes to tell a slope.
MOST_SAMPLES, LEAST_SAMPLES = 2000, 4
#: How often a disagreement is checked again, and how much shorter the requests are then.
RETRIES, SHORTER = 8, 15
#: Host seconds of a single inference above which one is timed at a time.
LONG_SECONDS = 0.25
#: Share of the device's own time that the host's may differ by: copies, calls and an oscillator's tolerance.
SHARE = 0.25
#: Nanoseconds an inference that no difference is told of, and part of a request's own cost that is not told either:
#: a device that takes long over a request takes long over each sample in it.
LEAST_NS, PART_OF_REQUEST = 10_000.0, 0.25
#: The same by PROCESS, whose one inference has all of a request's cost on the device.
LEAST_PROCESS_NS, EXCHANGES = 200_000.0, 2.0


class TimedRequests(ABC):
    """What a clock check asks of a session: samples, and times that were checked."""

    client: WireClient
    #: Bytes of the outputs for each byte of the inputs.
    ratio: float
    #: Samples that one request can hold.
    largest: int
    #: Whether RUN may be used.
    by_run: bool

    @abstractmethod
    def views(self, count: int) -> Sequence[memoryview]:
        """The inputs of ``count`` samples, as bytes."""

    @abstractmethod
    def run(self, count: int) -> tuple[int, int]:
        """Host time of a RUN with so many samples, and the sum of its on-device times, in ns."""


def check_clock(requests: TimedRequests) -> str | None:
    """What the device's clock and the host's disagree about, in a sentence; None where they agree, or none can tell.

    Raises:
        AnswerError: The device tells more time than the host waited.
        TargetError: It went away.
    """
    if not requests.by_run:
        return _by_processing(requests)
    trip, device_time = requests.run(1)
    if trip * 1e-9 > LONG_SECONDS or min(requests.largest, MOST_SAMPLES) < LEAST_SAMPLES:
        return _by_processing(requests)
    singles = [(trip, device_time), *(requests.run(1) for _ in range(SINGLES - 1))]
    fixed = statistics.median(trip - device_time for trip, device_time in singles)
    count = _samples(requests, statistics.median(trip for trip, _ in singles))
    excess, own = _slope(requests, count, fixed)
    margin = max(LEAST_NS, PART_OF_REQUEST * fixed)
    if abs(excess) <= SHARE * own + margin:
        return None
    # Once more, in requests so short that some of them nobody interrupts: other work on this machine is no fault of a
    # clock, and a clock that is wrong is so in every request.
    for _ in range(RETRIES):
        again, own_again = _slope(requests, max(LEAST_SAMPLES, count // SHORTER), fixed)
        excess, own = min((excess, own), (again, own_again), key=lambda pair: abs(pair[0]))
        if abs(excess) <= SHARE * own + margin:
            return None
    if excess > 0:
        moving = _moving(requests, count)
        if moving is None:
            return _by_processing(requests)
        excess -= moving
    return _verdict(excess, own, margin)


def _samples(requests: TimedRequests, single_ns: float) -> int:
    """How many samples take about `REQUEST_SECONDS`, by two requests."""
    few = min(requests.largest, LEAST_SAMPLES * 2)
    trip, _ = requests.run(few)
    each = max((trip - single_ns) / (few - 1), 1.0)
    return max(LEAST_SAMPLES, min(requests.largest, MOST_SAMPLES, int(REQUEST_SECONDS * 1e9 / each)))


def _slope(requests: TimedRequests, count: int, fixed: float) -> tuple[float, float]:
    """What the host saw beyond the device's time of an inference, and that time, in ns; of the quietest request."""
    slopes = []
    for _ in range(REPEATS):
        trip, device_time = requests.run(count)
        slopes.append(((trip - device_time - fixed) / count, device_time / count))
    return min(slopes, key=lambda pair: abs(pair[0]))


def _moving(requests: TimedRequests, count: int) -> float | None:
    """Nanoseconds that one sample's inputs and outputs take on their way; None where DATA does not tell."""
    if not requests.client.supports(Kind.DATA):
        return None
    try:
        single, many = (min(_upload(requests, number) for _ in range(REPEATS)) for number in (1, count))
    except (AnswerError, InferenceError):
        return None  # it takes one sample at a time, or none
    return max(0.0, (many - single) / (count - 1)) * (1 + requests.ratio)


def _upload(requests: TimedRequests, count: int) -> int:
    start = time.perf_counter_ns()
    requests.client.upload_input(requests.views(count), count)
    return time.perf_counter_ns() - start


def _by_processing(requests: TimedRequests) -> str | None:
    """By PROCESS: the host's time from the device's word that it begins to its word that it is done."""
    client = requests.client
    if not all(client.supports(kind) for kind in (Kind.DATA, Kind.PROCESS, Kind.STATS)):
        return None
    try:
        # What an exchange takes that runs nothing: no difference is told of less than that.
        exchange = statistics.median(_exchange(client) for _ in range(PROCESSINGS))
        seen: list[tuple[int, int]] = []
        while len(seen) < PROCESSINGS and sum(host for host, _ in seen) < 2 * LONG_SECONDS * 1e9:
            client.upload_input(requests.views(1))
            host = client.request_processing()
            seen.append((host, client.download_statistics().last_inference_ns))
    except (AnswerError, InferenceError):
        return None
    # The one that agrees best: a moment's other work on this machine is no fault of a clock.
    host, own = min(seen, key=lambda pair: abs(pair[0] - pair[1]))
    margin = max(LEAST_PROCESS_NS, EXCHANGES * exchange)
    if _verdict(host - own, own, margin) is None:
        return None
    # What is wrong with it is told by the middle of them: of a wrong clock, what agrees best may be a chance, such as
    # the device's word that it begins being heard late.
    return _verdict(
        statistics.median(host - own for host, own in seen), statistics.median(own for _, own in seen), margin
    )


def _exchange(client: WireClient) -> int:
    start = time.perf_counter_ns()
    client.download_statistics()
    return time.perf_counter_ns() - start


def _verdict(excess: float, own: float, margin: float) -> str | None:
    if abs(excess) <= SHARE * own + margin:
        return None
    seen = max(own + excess, 1.0)
    sentence = (
        f"The device's clock says {_time(own)} an inference, and each takes the host {_time(seen)} in all: its clock"
    )
    if excess < 0:
        return f"{sentence} runs {own / seen:.1f} times too fast."
    times = f"runs {seen / own:.1f} times too slow" if own else "stands still"
    return (
        f"{sentence} {times}, or counts the processor's time only, or not all of the inference lies between its "
        "readings."
    )


def _time(ns: float) -> str:
    for factor, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "us")):
        if ns >= factor:
            return f"{ns / factor:.3g} {unit}"
    return f"{ns:.0f} ns"
