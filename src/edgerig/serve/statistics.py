"""Sums of what a served network has done, as Triton's extension for statistics tells them."""

from __future__ import annotations

import time


class Durations:
    """How often something happened, and how long it took together, in ns."""

    __slots__ = ("count", "ns")

    def __init__(self) -> None:
        self.count = self.ns = 0

    def add(self, count: int, ns: int) -> None:
        """Count it ``count`` times, which took ``ns`` together."""
        self.count += count
        self.ns += ns

    def as_dict(self) -> dict[str, int]:
        """As the extension has it."""
        return {"count": self.count, "ns": self.ns}


class Executions:
    """What the network's inferences took: making inputs, running, making answers of outputs."""

    def __init__(self) -> None:
        self.input, self.infer, self.output = Durations(), Durations(), Durations()

    def add(self, count: int, infer_ns: int, input_ns: int, output_ns: int) -> None:
        """Add ``count`` inferences, all together."""
        # Not by `Durations.add`: calls are most of what this takes, and it is part of each request.
        input, infer, output = self.input, self.infer, self.output
        input.count += count
        input.ns += input_ns
        infer.count += count
        infer.ns += infer_ns
        output.count += count
        output.ns += output_ns

    def as_dict(self) -> dict[str, dict[str, int]]:
        """As the extension has it."""
        return {
            "compute_input": self.input.as_dict(),
            "compute_infer": self.infer.as_dict(),
            "compute_output": self.output.as_dict(),
        }


class RequestStatistics:
    """What requests took: all of them, of whichever way.

    Attributes:
        success, fail: From a whole request to its answer. queue: Until a session took those that were answered.
        executions: What their inferences took; those that share a batch wait for all that is done for it.
        samples: In those that were answered. last_ms: When the last one was, in ms since 1970; 0 before the first.
    """

    def __init__(self) -> None:
        self.success, self.fail, self.queue = Durations(), Durations(), Durations()
        self.executions = Executions()
        self.samples = self.last_ms = 0

    def answered(
        self,
        requests: int,
        samples: int,
        handler_ns: int,
        queue_ns: int,
        network_ns: int,
        input_ns: int,
        output_ns: int,
    ) -> None:
        """Add requests that were answered, with the times of each of them."""
        success, queue = self.success, self.queue
        success.count += requests
        success.ns += handler_ns * requests
        queue.count += requests
        queue.ns += queue_ns * requests
        self.executions.add(requests, network_ns * requests, input_ns * requests, output_ns * requests)
        self.samples += samples
        self.last_ms = int(time.time() * 1000)

    def answered_all(
        self,
        requests: int,
        handler_ns: int,
        queue_ns: int,
        network_ns: int,
        input_ns: int,
        output_ns: int,
        last_ms: int,
    ) -> None:
        """Add requests of a sample each that were answered, with the times of all of them together."""
        self.success.add(requests, handler_ns)
        self.queue.add(requests, queue_ns)
        self.executions.add(requests, network_ns, input_ns, output_ns)
        self.samples += requests
        self.last_ms = max(self.last_ms, last_ms)
