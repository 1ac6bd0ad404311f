"""A session over the wire, whatever the link."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Artifact
from edgerig.errors import AnswerError, IncompatibleError, InferenceError, TargetError
from edgerig.measure.census import Census
from edgerig.measure.kinds import Measurement, Quantity, Unavailable
from edgerig.measure.machine import MachineState, unknown_machine
from edgerig.measure.profile import LayerTime
from edgerig.measure.stats import summarize
from edgerig.measure.utilisation import Utilisation
from edgerig.runtimes.carried import CarriedState
from edgerig.targets.base import Array, DeviceRun, LoadReport, Session
from edgerig.targets.remote.arrivals import ArrivedResults, Output, as_bytes
from edgerig.targets.remote.clock_check import check_clock
from edgerig.targets.remote.session_requests import SessionRequests
from edgerig.targets.remote.side_questions import census_of, memory_of, most_in_time, profile_of
from edgerig.targets.settings import Protocol
from edgerig.wire import answers
from edgerig.wire.client import Answer, WireClient
from edgerig.wire.frame import Kind
from edgerig.wire.messages import Loaded, ModelHeader, Unsupported
from edgerig.wire.stream import Request

#: Target duration of a request, in seconds: progress is reported after each.
CHUNK_SECONDS = 0.3
#: Target duration of pipelined requests, which have no gaps between them.
STREAM_SECONDS = 0.05
#: Most pipelined requests: one being processed, one waiting, and two in transit.
WINDOW = 4
#: Most bytes of inputs, and of outputs, in the pipelined requests together.
CHUNK_BYTES = 8 * 1024 * 1024
#: Answers whose waiting is kept, and times their median that is more than usual: slow lines are slow always.
WAITS, UNUSUAL = 4096, 5.0
#: Warm-up round trips before the transport is measured.
TRANSPORT_WARMUP = 3


class WireSession(Session):
    """One network on a device that speaks the wire.

    Args:
        client: Connected, and greeted by ``hello``.
        artifact: What to deploy.
        runtime: The engine's name on the device; ``options`` are its settings.
        protocol: ``run`` for one round trip a request, ``stepwise`` for DATA, PROCESS, OUTPUT, STATS for each sample.
        on_close: Called once, after the link was closed.

    Attributes:
        largest: Samples that one request can hold.
        bytes_in, bytes_out: Bytes of one sample's inputs, at least 1, and outputs, as far as they are known.

    Raises:
        TargetError: The device went away. InferenceError: its engine refuses the network.
    """

    #: Whether the device's clock and the host's measure the same time; on a simulated board they do not.
    same_time: ClassVar[bool] = True

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
        self.client, self._on_close = client, on_close
        self.protocol: Protocol = protocol if client.supports(Kind.RUN) else "stepwise"
        self._closed = False
        self._sample_ns: float | None = None
        self._answered = 0
        self._longest_wait, self._waits = 0.0, list[float]()
        #: On-device times of all calls of `run`, their number, and when the first call began by the host's clock.
        self._total_ns, self._inferences, self._first_run_ns = 0.0, 0, 0
        name = artifact.name + Path(artifact.path).suffix
        # An agent's engine feeds outputs back itself; a board runs what it is sent, and the host does it.
        if artifact.state and not client.device.network:
            options = {**options, "state": artifact.state}
        header = ModelHeader(runtime, options, artifact.format, artifact.sha256, name)
        sent_ns = time.perf_counter_ns()
        loaded = client.upload_model(header, memoryview(artifact.read()))
        loaded, self._carried = _with_carried(loaded, artifact) if client.device.network else (loaded, None)
        answers.check_against_file(loaded, artifact.inputs, artifact.outputs, client.who)
        loaded = answers.completed(loaded, artifact.inputs, artifact.outputs)
        if self.same_time and not client.device.network:
            answers.check_load(loaded.load_seconds, time.perf_counter_ns() - sent_ns, client.who)
        fields = msgspec.structs.asdict(loaded)
        del fields["window"]
        self.load_report = LoadReport(**fields)
        self._inputs = [(np.dtype(spec.dtype), spec.call_shape, spec) for spec in loaded.inputs]
        self._outputs = [Output(spec) for spec in loaded.outputs]
        bytes_in, bytes_out = (sum(spec.nbytes for spec in specs) for specs in (loaded.inputs, loaded.outputs))
        self.bytes_in, self.bytes_out = max(bytes_in, 1), bytes_out
        self._window = min(WINDOW, client.window)
        most = CHUNK_BYTES // self._window
        self.largest = max(1, min(min(most, client.device.max_payload) // self.bytes_in, most // max(bytes_out, 1)))

    def run(self, inputs: Sequence[Array], on_done: Callable[[int], None] | None = None) -> DeviceRun:
        self.arrived = None
        batches = self._check(inputs)
        results = ArrivedResults(len(batches[0]), self.client.who)
        try:
            if self.protocol == "run":
                self._run(batches, results, on_done)
            else:
                self._one_by_one(batches, results, on_done)
        except TargetError:
            self.arrived = self._as_reported(results.run()) if results.count else None
            raise
        return self._as_reported(results.run())

    def begin_sequence(self) -> None:
        if self._carried is not None:
            self._carried.begin()
        if not self.client.supports(Kind.BEGIN):
            raise self._no_state()
        try:
            self.client.begin_sequence()
        except Unsupported as error:
            raise self._no_state() from error

    def _no_state(self) -> IncompatibleError:
        return IncompatibleError(
            f"{self.client.who} cannot reset the state of a network: it does not know the request BEGIN.",
            "Install this edgerig on the device, or build its firmware again.",
        )

    def transport(self, inputs: Sequence[Array], count: int) -> Quantity:
        if count < 1:
            return Unavailable("no samples were asked for")
        batches = self._check(inputs)
        places = [i % len(batches[0]) for i in range(count + TRANSPORT_WARMUP)]
        runs = [self._one([batch[i : i + 1] for batch in batches]) for i in places][TRANSPORT_WARMUP:]
        extra = [max(0, trip - inside) * 1e-9 for trip, inside in runs]
        summary = summarize(extra)
        what = "one RUN" if self.protocol == "run" else "DATA, PROCESS, OUTPUT and STATS"
        return Measurement(
            value=summary.median,
            unit="s",
            kind="measured",
            clock="host perf_counter_ns",
            n=count,
            low=summary.low,
            high=summary.high,
            method=f"median of host time of {what} with one sample, less its on-device time",
        )

    def longest_wait(self) -> float:
        usual = statistics.median(self._waits) if self._waits else 0.0
        return self._longest_wait if self._longest_wait > UNUSUAL * usual else 0.0

    def check_clock(self, inputs: Sequence[Array]) -> str | None:
        return check_clock(SessionRequests(self, self._check(inputs))) if self.same_time else None

    def profile(self, inputs: Sequence[Array]) -> list[LayerTime] | Unavailable:
        if not self.client.supports(Kind.PROFILE):
            return Unavailable(f"{self.client.who} has no per-operator profile")
        batches = self._check(inputs)
        most = min(max(1, self.client.advised // self.bytes_in), most_in_time(self.client, self._sample_ns))
        if self.client.device.network:
            # A microcontroller has room for a few samples only.
            most = min(most, self.largest)
        batches = self.as_at_the_beginning([batch[:most] for batch in batches])
        return profile_of(self.client, [as_bytes(batch) for batch in batches], len(batches[0]))

    def census(self, inputs: Sequence[Array]) -> Census | Unavailable:
        few = self.as_at_the_beginning([batch[:1] for batch in self._check(inputs)])
        return census_of(self.client, [as_bytes(batch) for batch in few])

    def memory(self) -> dict[str, Quantity]:
        return memory_of(self.client)

    def machine(self) -> MachineState:
        state = self.client.download_statistics(machine=True).machine
        return state if state is not None else unknown_machine(self.client.who)

    @property
    def alive(self) -> bool:
        """Whether the device can be asked for more."""
        return not (self._closed or self.client.broken)

    def sensors(self) -> dict[str, Quantity]:
        """What the device's sensors tell now: power in W, energy in J, temperature in °C; by name."""
        sensors = self.client.download_statistics(sensors=True).sensors
        if sensors is None:
            return {"power": Unavailable(f"{self.client.who} tells of no sensors")}
        return sensors

    def begin_utilisation(self) -> bool:
        if self.client.device.network:
            return False
        self.client.utilisation("begin")
        return True

    def end_utilisation(self) -> Utilisation | Unavailable:
        if self.client.device.network:
            return Unavailable("a board runs nothing beside the network that could be sampled")
        return self.client.utilisation("end")

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self.client.close()
            # It may hold the target, which holds us.
            on_close, self._on_close = self._on_close, _nothing
            on_close()

    # ---- running

    def _as_reported(self, run: DeviceRun) -> DeviceRun:
        """What `run` gives of what the device answered; a board that is not there has other times."""
        return run

    def _run(self, batches: list[Array], results: ArrivedResults, on_done: Callable[[int], None] | None) -> None:
        """Run by RUN requests, or by the stepwise exchange if the device does not support them."""
        try:
            if self._carried is None:
                self._chunked(batches, results, on_done)
            else:
                self._one_by_one(batches, results, on_done)
        except Unsupported:
            if results.count:
                raise
            self.protocol = "stepwise"
            self._one_by_one(batches, results, on_done)

    def _times(self, answer: Answer) -> NDArray[np.int64]:
        """The on-device times in an answer, checked against the time that its request was under way."""
        times = np.frombuffer(answer.times, "<i8").astype(np.int64, copy=False)
        self._check_times(times, answer.round_trip_ns)
        return times

    def _check_times(self, times: NDArray[np.int64], span_ns: int) -> None:
        answers.check_times(times, self.load_report.clock, span_ns if self.same_time else None, self.client.who)

    def _check_sum(self, results: ArrivedResults, times: NDArray[np.int64], start_ns: int) -> None:
        """Hold all on-device times of a call so far against the host's time since it began, and of the session."""
        if not self.same_time:
            return
        now, clock, own = time.perf_counter_ns(), self.load_report.clock, float(times.sum(dtype=np.float64))
        self._first_run_ns = self._first_run_ns or start_ns
        self._total_ns += own
        self._inferences += len(times)
        answers.check_total(self._total_ns, self._inferences, clock, now - self._first_run_ns, self.client.who)
        answers.check_total(results.total_ns + own, results.count + len(times), clock, now - start_ns, self.client.who)

    def _chunked(self, batches: list[Array], results: ArrivedResults, on_done: Callable[[int], None] | None) -> None:
        start = time.perf_counter_ns()
        for answer in self.client.stream(self._requests(batches), self._window):
            self._keep_pace(answer)
            times = self._times(answer)
            # A pipelined request waits for those before it; the sum over all does not.
            self._check_sum(results, times, start)
            results.add(self._arrays(answer.outputs, answer.count), times, answer.round_trip_ns)
            if on_done is not None:
                on_done(answer.count)

    def _requests(self, batches: list[Array]) -> Iterator[Request]:
        """The samples, split into requests that the device accepts."""
        total, start = len(batches[0]), 0
        while start < total:
            advised = max(1, self.client.advised // self.bytes_in)
            count = min(total - start, self.largest, self._chunk(), advised)
            yield [as_bytes(batch[start : start + count]) for batch in batches], count
            start += count

    def _chunk(self) -> int:
        """Number of samples for the next request, from the duration of the last; the very first has one sample."""
        if self._sample_ns is None:
            return 1
        seconds = CHUNK_SECONDS if self._window == 1 else STREAM_SECONDS
        return max(1, int(seconds * 1e9 / max(self._sample_ns, 1)))

    def _keep_pace(self, answer: Answer) -> None:
        """Note how long the device took, from when it had the request and had answered the one before."""
        now = time.perf_counter_ns()
        took = now - max(now - answer.round_trip_ns, self._answered)
        self._sample_ns = took / answer.count
        self._answered = now
        self._note_wait(took, np.frombuffer(answer.times, "<i8"))

    def _note_wait(self, took_ns: int, times: NDArray[np.int64]) -> None:
        """Note how long an answer took beside its inferences."""
        if self.same_time:
            wait = (took_ns - float(times.sum(dtype=np.float64))) * 1e-9
            self._longest_wait = max(self._longest_wait, wait)
            if len(self._waits) < WAITS:
                self._waits.append(wait)

    def _one_by_one(self, batches: list[Array], results: ArrivedResults, on_done: Callable[[int], None] | None) -> None:
        """Run each sample by an exchange of its own: the next one's state may be what this one puts out."""
        total, reported = len(batches[0]), time.perf_counter()
        waiting, begin = 0, time.perf_counter_ns()
        for index in range(total):
            sample = [batch[index : index + 1] for batch in batches]
            if self._carried is not None:
                sample = self._carried.with_state(sample)
            start = time.perf_counter_ns()
            answered, times = self._exchanged([as_bytes(array) for array in sample])
            if self._carried is not None:
                self._carried.carry(answered)
            self._check_sum(results, times, begin)
            self._note_wait(time.perf_counter_ns() - start, times)
            results.add(answered, times, time.perf_counter_ns() - start)
            waiting += 1
            if on_done is not None and (time.perf_counter() - reported > CHUNK_SECONDS or index == total - 1):
                on_done(waiting)
                waiting, reported = 0, time.perf_counter()

    def _exchanged(self, views: list[memoryview]) -> tuple[list[Array], NDArray[np.int64]]:
        """Outputs, which are copies, and checked on-device time of one sample by the session's protocol."""
        if self.protocol == "run":
            answer = self.client.run(views, 1)
            return [array.copy() for array in self._arrays(answer.outputs, 1)], self._times(answer)
        start = time.perf_counter_ns()
        self.client.upload_input(views)
        self.client.request_processing()
        processed = time.perf_counter_ns()
        answered = [array.copy() for array in self._arrays(self.client.download_output(), 1)]
        times = np.array([self.client.download_statistics().last_inference_ns], np.int64)
        self._check_times(times, processed - start)
        return answered, times

    def as_at_the_beginning(self, batches: list[Array]) -> list[Array]:
        """Samples with the state of the beginning for each, where the host carries one."""
        return batches if self._carried is None else self._carried.with_beginning(batches)

    def _one(self, sample: list[Array]) -> tuple[int, int]:
        """Host time and on-device time in ns of one sample by the session's own protocol."""
        if self.protocol == "stepwise":
            results = ArrivedResults(1, self.client.who)
            self._one_by_one(sample, results, None)
            run = results.run()
            return int(run.round_trips_ns[0]), int(run.times_ns[0])
        return self.timed_request([as_bytes(array) for array in self.as_at_the_beginning(sample)], 1)

    def checked(self, answer: Answer) -> tuple[tuple[Array, ...], NDArray[np.int64]]:
        """Copies of the outputs in an answer, each (n, ...), and its on-device times, shape (n,)."""
        times = self._times(answer).copy()
        return tuple(array.copy() for array in self._arrays(answer.outputs, answer.count)), times

    def timed_request(self, views: Sequence[memoryview], count: int) -> tuple[int, int]:
        """Host time of one RUN with ``count`` samples, and the sum of its on-device times, in ns; both were checked."""
        answer = self.client.run(list(views), count)
        return answer.round_trip_ns, int(self._times(answer).sum())

    def _arrays(self, views: list[memoryview], count: int) -> list[Array]:
        """The outputs in an answer, shape (n, ...), as views that end with the next request."""
        if len(views) != len(self._outputs):
            raise AnswerError(f"{self.client.who} announced {len(self._outputs)} outputs and sent {len(views)}.")
        return [output.array(view, count, self.client.who) for output, view in zip(self._outputs, views, strict=True)]

    def _check(self, inputs: Sequence[Array]) -> list[Array]:
        """The inputs, contiguous, with shapes and dtypes checked: the device sees bytes only."""
        if len(inputs) != len(self._inputs):
            raise InferenceError(f"The network has {len(self._inputs)} inputs, {len(inputs)} were given.")
        for (dtype, shape, spec), array in zip(self._inputs, inputs, strict=True):
            if array.ndim == 0 or array.dtype != dtype or array.shape[1:] != shape:
                raise InferenceError(
                    f"Input {spec.name!r} takes {spec.dtype} {list(spec.call_shape)} an inference, "
                    f"not {array.dtype.name} {list(array.shape[1:])}.",
                    "Choose a dataset of that shape, or a preprocessing that resizes to it.",
                )
            if len(array) == 0 or len(array) != len(inputs[0]):
                raise InferenceError("All inputs must have the same number of samples, at least one.")
        return [np.ascontiguousarray(array) for array in inputs]


def _with_carried(loaded: Loaded, artifact: Artifact) -> tuple[Loaded, CarriedState | None]:
    """What a board has loaded, with the inputs that samples are given to alone, and the state that the host carries."""
    if not artifact.state:
        return loaded, None
    carried = CarriedState(artifact.state, loaded.inputs, loaded.outputs)
    return msgspec.structs.replace(loaded, inputs=carried.given(loaded.inputs)), carried


def _nothing() -> None:
    pass
