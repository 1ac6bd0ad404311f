"""A session over the wire, whatever the link."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Artifact, TensorSpec
from edgerig.errors import InferenceError, TargetError
from edgerig.measure.kinds import Measurement, Quantity, Unavailable
from edgerig.measure.machine import MachineState
from edgerig.measure.stats import summarize
from edgerig.runtimes.base import LayerTime
from edgerig.targets.base import Array, DeviceRun, LoadReport, Session
from edgerig.wire.client import WireClient
from edgerig.wire.messages import ModelHeader

Protocol = Literal["run", "stepwise"]

#: A request should take about this long: progress is told after each.
CHUNK_SECONDS = 0.3
#: Bytes of inputs, and of outputs, in one request at most.
CHUNK_BYTES = 8 * 1024 * 1024
#: Round trips before those that count, when the transport is measured.
TRANSPORT_WARMUP = 3


class WireSession(Session):
    """One network on a device that speaks the wire.

    Args:
        client: Connected, and greeted by ``hello``.
        artifact: What to deploy.
        runtime: The engine's name on the device; ``options`` are its settings.
        protocol: ``run`` for one round trip a request, ``stepwise`` for DATA, PROCESS, OUTPUT, STATS for each sample.
        on_close: Called once, after the link was closed.

    Raises:
        TargetError: The device went away. InferenceError: its engine refuses the network.
    """

    def __init__(
        self,
        client: WireClient,
        artifact: Artifact,
        runtime: str,
        options: dict[str, Any],
        *,
        protocol: Protocol = "run",
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        self.client, self.protocol, self._on_close = client, protocol, on_close
        self._closed = False
        self._sample_ns: float | None = None
        header = ModelHeader(runtime, options, artifact.format, artifact.sha256, Path(artifact.path).name)
        loaded = client.upload_model(header, memoryview(artifact.read()))
        self.load_report = LoadReport(**msgspec.structs.asdict(loaded))

    def run(self, inputs: Sequence[Array], on_done: Callable[[int], None] | None = None) -> DeviceRun:
        batches = self._check(inputs)
        return self._stepwise(batches, on_done) if self.protocol == "stepwise" else self._chunked(batches, on_done)

    def transport(self, inputs: Sequence[Array], count: int) -> Quantity:
        if count < 1:
            return Unavailable("no samples were asked for")
        batches = self._check(inputs)
        places = [i % len(batches[0]) for i in range(count + TRANSPORT_WARMUP)]
        runs = [self._one([batch[i : i + 1] for batch in batches]) for i in places][TRANSPORT_WARMUP:]
        extra = [max(0, trip - inside) * 1e-9 for trip, inside in runs]
        found = summarize(extra)
        what = "one RUN" if self.protocol == "run" else "DATA, PROCESS, OUTPUT and STATS"
        return Measurement(
            value=found.median, unit="s", kind="measured", clock="host perf_counter_ns", n=count, low=found.low,
            high=found.high, method=f"median of host time of {what} with one sample, less its on-device time",
        )  # fmt: skip

    def profile(self, inputs: Sequence[Array]) -> list[LayerTime] | Unavailable:
        batches = self._check(inputs)
        views = [_bytes(batch) for batch in batches]
        found: list[LayerTime] | Unavailable = self.client.profile(
            views, len(batches[0]), list[LayerTime] | Unavailable
        )
        return found

    def memory(self) -> dict[str, Quantity]:
        found: dict[str, Quantity] = self.client.memory(dict[str, Quantity])
        return found

    def machine(self) -> MachineState:
        state = self.client.download_statistics(machine=True).machine
        if state is None:
            raise TargetError(f"{self.client.who} does not tell the state of its machine.")
        return state

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self.client.close()
            self._on_close()

    # ---- running

    def _chunked(self, batches: list[Array], on_done: Callable[[int], None] | None) -> DeviceRun:
        total, place = len(batches[0]), 0
        largest = max(1, CHUNK_BYTES // max(self._bytes_in(), self._bytes_out(), 1))
        outputs: list[list[Array]] = [[] for _ in self.load_report.outputs]
        times, trips, sizes = [], [], []
        while place < total:
            count = min(total - place, largest, self._chunk())
            part = [_bytes(batch[place : place + count]) for batch in batches]
            answer = self.client.run(part, count)
            self._sample_ns = answer.round_trip_ns / count
            # The views end with the next request.
            times.append(np.frombuffer(bytes(answer.times), np.int64))
            for kept, array in zip(outputs, self._arrays(answer.outputs, count), strict=True):
                kept.append(array)
            trips.append(answer.round_trip_ns)
            sizes.append(count)
            place += count
            if on_done is not None:
                on_done(count)
        return DeviceRun(
            outputs=tuple(np.concatenate(kept) for kept in outputs), times_ns=np.concatenate(times),
            round_trips_ns=np.array(trips, np.int64), samples_per_request=np.array(sizes, np.int64),
        )  # fmt: skip

    def _chunk(self) -> int:
        """Samples for the next request, by how long the last one took; the first of all is a single sample."""
        if self._sample_ns is None:
            return 1
        return max(1, int(CHUNK_SECONDS * 1e9 / max(self._sample_ns, 1)))

    def _stepwise(self, batches: list[Array], on_done: Callable[[int], None] | None) -> DeviceRun:
        total, told = len(batches[0]), time.perf_counter()
        outputs: list[list[Array]] = [[] for _ in self.load_report.outputs]
        times, trips = np.empty(total, np.int64), np.empty(total, np.int64)
        waiting = 0
        for place in range(total):
            views = [_bytes(batch[place : place + 1]) for batch in batches]
            start = time.perf_counter_ns()
            self.client.upload_input(views)
            self.client.request_processing()
            answered = self._arrays(self.client.download_output(), 1)
            times[place] = self.client.download_statistics().last_inference_ns
            trips[place] = time.perf_counter_ns() - start
            for kept, array in zip(outputs, answered, strict=True):
                kept.append(array)
            waiting += 1
            if on_done is not None and (time.perf_counter() - told > CHUNK_SECONDS or place == total - 1):
                on_done(waiting)
                waiting, told = 0, time.perf_counter()
        return DeviceRun(
            outputs=tuple(np.concatenate(kept) for kept in outputs), times_ns=times, round_trips_ns=trips,
            samples_per_request=np.ones(total, np.int64),
        )  # fmt: skip

    def _one(self, sample: list[Array]) -> tuple[int, int]:
        """Host time and on-device time in ns of one sample by the session's own protocol."""
        run = self._stepwise(sample, None) if self.protocol == "stepwise" else self._run_once(sample)
        return int(run.round_trips_ns[0]), int(run.times_ns[0])

    def _run_once(self, sample: list[Array]) -> DeviceRun:
        answer = self.client.run([_bytes(array) for array in sample], 1)
        times: NDArray[np.int64] = np.frombuffer(bytes(answer.times), np.int64)
        return DeviceRun(
            outputs=(), times_ns=times, round_trips_ns=np.array([answer.round_trip_ns], np.int64),
            samples_per_request=np.ones(1, np.int64),
        )  # fmt: skip

    def _arrays(self, views: list[memoryview], count: int) -> list[Array]:
        """Copies of the outputs in an answer, shape (n, ...)."""
        specs = self.load_report.outputs
        if len(views) != len(specs):
            raise TargetError(f"{self.client.who} announced {len(specs)} outputs and sent {len(views)}.")
        return [_output(view, spec, count) for view, spec in zip(views, specs, strict=True)]

    def _check(self, inputs: Sequence[Array]) -> list[Array]:
        """The inputs, contiguous. Shapes and dtypes are the device's to check, but bytes alone would not tell it."""
        specs = self.load_report.inputs
        if len(inputs) != len(specs):
            raise InferenceError(f"The network has {len(specs)} inputs, {len(inputs)} were given.")
        for spec, array in zip(specs, inputs, strict=True):
            if array.ndim == 0 or array.dtype.name != spec.dtype or array.shape[1:] != spec.shape[1:]:
                raise InferenceError(
                    f"Input {spec.name!r} takes {spec.dtype} {list(spec.shape[1:])} a sample, "
                    f"not {array.dtype.name} {list(array.shape[1:])}.",
                    "Choose a dataset of that shape, or a preprocessing that resizes to it.",
                )
            if len(array) == 0 or len(array) != len(inputs[0]):
                raise InferenceError("All inputs must have the same number of samples, at least one.")
        return [np.ascontiguousarray(array) for array in inputs]

    def _bytes_in(self) -> int:
        return sum(spec.nbytes for spec in self.load_report.inputs)

    def _bytes_out(self) -> int:
        return sum(spec.nbytes for spec in self.load_report.outputs)


def _bytes(array: Array) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _output(view: memoryview, spec: TensorSpec, count: int) -> Array:
    flat = np.frombuffer(bytes(view), spec.dtype)
    shape = spec.shape[1:] if spec.shape[:1] == (1,) else spec.shape
    expected = count * int(np.prod(shape, dtype=np.int64))
    # An engine that does not know its output's shape in advance says so by a size of -1 or 0.
    return flat.reshape(count, *shape) if flat.size == expected and expected > 0 else flat.reshape(count, -1)
