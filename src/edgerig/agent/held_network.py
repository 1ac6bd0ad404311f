"""The network that a worker holds, and what is counted and measured of it from loading on."""

from __future__ import annotations

import logging
from pathlib import Path

from edgerig.agent.loading import import_engine, network_memory, specification_of
from edgerig.agent.single_sample import SingleSampleRunner, samples_in
from edgerig.errors import InferenceError
from edgerig.measure.clocks import inference_clock
from edgerig.measure.kinds import Quantity
from edgerig.measure.memory import current_rss, peak_rss, reset_peak
from edgerig.runtimes.base import Array, RunResult, Runtime
from edgerig.wire.frame import Frame
from edgerig.wire.messages import ModelHeader, unpack_tensors

# Of the worker's process, whose log it is.
_logger = logging.getLogger("edgerig.agent.worker")

#: Requests that a host may pipeline: they wait in the socket's buffer.
WINDOW = 32


class HeldNetwork:
    """A loaded network.

    Args:
        runtime: What loads it; nothing is loaded there yet. path: The network. header: The host's words about it.

    Attributes:
        specification: What the host is told of it.
        inferences: How many there were. last_ns: The time of the last one.
        single: Runs messages of one sample; None before the first inference, which also measures memory.
        inputs, result: Those of the exchange in steps, DATA, PROCESS, OUTPUT.

    Raises:
        InferenceError: The engine refuses the file.
    """

    def __init__(self, runtime: Runtime, path: Path, header: ModelHeader) -> None:
        import_engine(runtime, path)
        clock = str(inference_clock())
        self._since = "just before loading" if reset_peak() else "the start of the process"
        self._memory: dict[str, Quantity] = {"rss_before_load": current_rss()}
        runtime.load(path)
        self.runtime = runtime
        _logger.info("%s %s has loaded %s", header.runtime, runtime.version(), header.name or header.sha256[:12])
        self.specification = specification_of(runtime, header, clock, WINDOW)
        self.inferences = self.last_ns = 0
        self.single: SingleSampleRunner | None = None
        self.inputs: list[Array] | None = None
        self.result: RunResult | None = None

    def run(self, inputs: list[Array]) -> RunResult:
        """Run samples, arrays (n, *call_shape) for each input.

        Raises:
            InferenceError: They do not fit, or the engine failed.
        """
        result = self.runtime.run(inputs)
        if not self.inferences:
            self._memory |= network_memory(self._memory["rss_before_load"], self._since)
            self.single = SingleSampleRunner(self.runtime)
        self.count(len(result.times_ns), int(result.times_ns[-1]))
        return result

    def count(self, inferences: int, last_ns: int) -> None:
        """Count inferences, with the time of the last one."""
        self.inferences += inferences
        self.last_ns = last_ns

    def memory(self) -> dict[str, Quantity]:
        """Bytes by name: of the process, and as the engine tells them."""
        peak = peak_rss(since=f"{self._since}, messages included")
        return {**self._memory, "peak_rss": peak, **self.runtime.memory()}

    def tensors(self, frame: Frame, most: int) -> list[Array]:
        """The inputs in a message, as views of it: arrays (n, *call_shape).

        Args:
            most: Bytes of an answer.

        Raises:
            InferenceError: They are not the network's, or would be answered by more than that.
        """
        specs = self.runtime.inputs
        count, views = unpack_tensors(frame.header, frame.payload)
        if len(views) != len(specs):
            raise InferenceError(f"The network has {len(specs)} inputs, {len(views)} came.")
        self._check_answer(count, most)
        return [samples_in(view, spec, count) for view, spec in zip(views, specs, strict=True)]

    def _check_answer(self, count: int, most: int) -> None:
        """Refuse a request whose answer would exceed the message limit, before it is computed.

        The answer for a single sample is always allowed, up to what a message can hold.
        """
        size = 8 + sum(max(spec.nbytes, 0) for spec in self.runtime.outputs)
        limit = min(max(most, size), 0xFFFFFFFF)
        if count * size > limit:
            raise InferenceError(
                f"{count} samples would be answered by {count * size} B; the limit is {limit} B.",
                "Send fewer at once, or raise --max-message of the agent.",
            )

    def close(self) -> None:
        """Unload it."""
        self.runtime.close()
