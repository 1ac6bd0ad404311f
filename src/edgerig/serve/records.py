"""What a server has answered: counts and times, told to Prometheus, and a line of JSON for each request."""

from __future__ import annotations

import bisect
import io
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from edgerig.serve.requests import Request
from edgerig.serve.statistics import RequestStatistics
from edgerig.text import cause_of

_logger = logging.getLogger(__name__)

#: Upper bounds of the histograms' buckets, in seconds.
BUCKETS = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip


class Histogram:
    """Counts of times in buckets; ten times as quick as the client library's, which is asked only when it is read."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts, self.total = [0] * (len(BUCKETS) + 1), 0.0

    def add(self, seconds: float, count: int = 1) -> None:
        """Count a time, of so many requests."""
        self.counts[bisect.bisect_left(BUCKETS, seconds)] += count
        self.total += seconds * count

    def add_counts(self, counts: Sequence[int], seconds: float) -> None:
        """Count so many times in each bucket, ``seconds`` together."""
        self.counts = [here + more for here, more in zip(self.counts, counts, strict=True)]
        self.total += seconds

    def cumulative(self) -> list[tuple[str, float]]:
        """For each bucket its bound and how many times are not above it."""
        bounds, result, count = [*map(str, BUCKETS), "+Inf"], list[tuple[str, float]](), 0
        for bound, here in zip(bounds, self.counts, strict=True):
            count += here
            result.append((bound, count))
        return result


class Times(msgspec.Struct, frozen=True):
    """Of a request, in ns: all that the server did with it, the wait for a session, the inferences on the device."""

    handler_ns: int
    queue_ns: int
    network_ns: int


class Records:
    """Counts requests.

    Args:
        log: Where a line of JSON is written for each request; None for no lines.
    """

    def __init__(self, log: io.TextIOBase | None = None) -> None:
        self.log, self._log_fails = log, False
        #: Number of requests and of samples by way and result (``ok`` or the error's type).
        self.requests: dict[tuple[str, str], list[int]] = {}
        self.histograms = {name: Histogram() for name in ("handler", "queue", "network")}
        self._histograms = self.histograms["handler"], self.histograms["queue"], self.histograms["network"]
        self.statistics = RequestStatistics()
        #: Open connections by way.
        self.connections: dict[str, int] = {}
        #: Called before anything is read: whoever counts by itself adds it.
        self.sources: list[Callable[[], None]] = []

    def refresh(self) -> None:
        """Have everything added that is counted elsewhere."""
        for source in self.sources:
            source()

    def note(
        self,
        way: str,
        result: str,
        times: Times,
        samples: int = 1,
        requests: int = 1,
        conversion_ns: tuple[int, int] = (0, 0),
    ) -> None:
        """Count requests that were answered, or refused, together.

        Args:
            way: Where they came in. result: ``ok``, or the type of the error. times: of each of them; 0 where a
                refused one did not get so far. samples: How many they had in all.
            conversion_ns: What making the network's inputs for each of them, and answers of its outputs, took.
        """
        self._count(way, result, requests, samples)
        handler, queue, network = self._histograms
        handler.add(times.handler_ns * 1e-9, requests)
        if result == "ok":
            queue.add(times.queue_ns * 1e-9, requests)
            network.add(times.network_ns * 1e-9, requests)
            self.statistics.answered(
                requests, samples, times.handler_ns, times.queue_ns, times.network_ns, *conversion_ns
            )
        else:
            self.statistics.fail.add(requests, times.handler_ns * requests)
        if self.log is not None:
            self._write(_line(way, result, times, samples // requests) * requests)

    def answered(self, way: str, count: int, times_ns: tuple[int, int, int, int, int], last: float) -> None:
        """Count requests of a sample each that were answered, whose times are in the histograms.

        Args:
            times_ns: Sums over all of them: handler, queue, network, making inputs, making answers.
            last: When the last one was answered, in seconds since 1970.
        """
        self._count(way, "ok", count, count)
        self.statistics.answered_all(count, *times_ns, int(last * 1000))

    def write_lines(self, way: str, result: str, times: Sequence[Times]) -> None:
        """Write lines of requests of a sample each, which are counted elsewhere."""
        if self.log is not None and times:
            self._write("".join([_line(way, result, each, 1) for each in times]))

    def _count(self, way: str, result: str, requests: int, samples: int) -> None:
        counts = self.requests.get((way, result))
        if counts is None:
            counts = self.requests[way, result] = [0, 0]
        counts[0] += requests
        counts[1] += samples

    def _write(self, lines: str) -> None:
        assert self.log is not None
        try:
            self.log.write(lines)
            self.log.flush()
            self._log_fails = False
        except (OSError, ValueError) as error:  # the disk is full, or the reader has gone: answers go on
            if not self._log_fails:
                _logger.warning("lines of the request log are lost: %s", cause_of(error))
            self._log_fails = True

    def watch(self, way: str) -> Watched:
        """Count the request that is handled within a ``with`` block; an error within is its result."""
        return Watched(self, way)

    def connected(self, way: str, change: int) -> None:
        """Count a connection that was opened (1) or closed (-1)."""
        self.connections[way] = self.connections.get(way, 0) + change


def _line(way: str, result: str, times: Times, samples: int) -> str:
    line = {"time": time.time(), "way": way, "result": result, "samples": samples}
    line |= {name.replace("_ns", "_ms"): value / 1e6 for name, value in msgspec.structs.asdict(times).items()}
    return msgspec.json.encode(line).decode() + "\n"


class Watched:
    """A request that is being handled; whoever runs it sets ``request``."""

    __slots__ = ("_records", "_start", "_way", "request")

    def __init__(self, records: Records, way: str) -> None:
        self._records, self._way = records, way
        self._start = time.perf_counter_ns()
        self.request: Request | None = None

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.note("ok" if kind is None else kind.__name__, self.took_ns)

    @property
    def took_ns(self) -> int:
        """How long it has been handled by now."""
        return time.perf_counter_ns() - self._start

    def note(self, result: str, took_ns: int) -> None:
        """Count it with its result, ``ok`` or the type of the error, and how long it was handled."""
        request = self.request
        if request is None:
            self._records.note(self._way, result, Times(took_ns, 0, 0))
        else:
            times = Times(took_ns, request.queue_ns, request.network_ns)
            conversion_ns = request.input_ns, request.output_ns
            self._records.note(self._way, result, times, request.count, conversion_ns=conversion_ns)


class Collector:
    """Tells a server's counts to Prometheus' client, whenever they are read.

    Args:
        waiting: Gives the samples that wait now. live: Gives the sessions that are there.
    """

    def __init__(self, records: Records, waiting: Callable[[], int], live: Callable[[], int]) -> None:
        self.records, self.waiting, self.live = records, waiting, live

    def collect(self) -> Iterator[Any]:
        """The metrics."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        self.records.refresh()
        requests = CounterMetricFamily("edgerig_requests", "Requests by way in and result.", labels=["way", "result"])
        samples = CounterMetricFamily("edgerig_samples", "Samples in those requests.", labels=["way", "result"])
        for (way, result), (count, rows) in list(self.records.requests.items()):
            requests.add_metric([way, result], count)
            samples.add_metric([way, result], rows)
        yield requests
        yield samples
        texts = {
            "handler": "Time from a whole request to its answer.",
            "queue": "Time that a request waited for a session.",
            "network": "Time of a request's inferences on the device.",
        }
        for name, text in texts.items():
            histogram = self.records.histograms[name]
            family = HistogramMetricFamily(f"edgerig_{name}_seconds", text)
            family.add_metric([], histogram.cumulative(), histogram.total)
            yield family
        yield GaugeMetricFamily("edgerig_queue_samples", "Samples that wait for a session.", self.waiting())
        yield GaugeMetricFamily("edgerig_sessions", "Sessions that are there.", self.live())
        connections = GaugeMetricFamily("edgerig_connections", "Open connections by way in.", labels=["way"])
        for way, count in list(self.records.connections.items()):
            connections.add_metric([way], count)
        yield connections


def exposition(collector: Collector) -> bytes:
    """The metrics as Prometheus reads them."""
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    text: bytes = generate_latest(registry)
    return text
