"""Performance and energy mode: five samples, each run so often that its window lasts long enough."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from edgerig.datasets.mlperf_tiny.benchmarks import PERFORMANCE_FILES, Benchmark
from edgerig.errors import AnswerError
from edgerig.power.base import PowerMonitor
from edgerig.power.recording import Energy, Recording
from edgerig.progress import Progress
from edgerig.suites.mlperf_tiny.runner.accuracy import INFERENCE_SECONDS, result_counts
from edgerig.suites.mlperf_tiny.runner.answers import Inference
from edgerig.suites.mlperf_tiny.runner.clock import JITTER_SECONDS
from edgerig.suites.mlperf_tiny.runner.device import Device
from edgerig.suites.mlperf_tiny.runner.records import MOST_ITERATIONS, ColdRecord, ProbeRecord, WindowRecord
from edgerig.suites.mlperf_tiny.runner.samples import Sample
from edgerig.suites.mlperf_tiny.runner.session import Session
from edgerig.suites.mlperf_tiny.runner.window_mistakes import PROBES, looks_mistaken, probe_iterations

#: Share of a window that a trial must last to tell how many inferences a window has.
TRIAL_SHARE = 0.05
#: By how much more than a window is aimed at: two windows differ, and each must be long enough.
MARGIN = 1.02
#: How often a window that was too short is measured again, with more inferences.
ATTEMPTS = 5
#: Share by which a recorded window may be longer or shorter than the host saw it.
LARGEST_DIFFERENCE = 0.05
#: How many times as long as expected a window may take, and the seconds that are added, until the device is given up.
PATIENCE, PATIENCE_SECONDS = 5.0, 30.0


class Measured(NamedTuple):
    """One run of a sample, and its length on the clock that counts."""

    inference: Inference
    seconds: float
    energy: Energy | None


class Measurements(NamedTuple):
    """What a run of windows gives."""

    cold: ColdRecord
    probe: ProbeRecord
    windows: list[WindowRecord]


class Plan(NamedTuple):
    """How a window is measured: its least length, the inferences before it, and about how long the host waits for each
    inference, in seconds."""

    window_seconds: float
    warm_up: int
    trip_seconds: float


class Bench(ABC):
    """Runs what is in the device's buffer, and tells how long it took.

    Args:
        inference_seconds: That the first inference may take.
    """

    def __init__(self, device: Device, benchmark: Benchmark, inference_seconds: float = INFERENCE_SECONDS) -> None:
        self.device, self.counts = device, result_counts(benchmark)
        self.inference_seconds = inference_seconds

    @abstractmethod
    def run(self, iterations: int, warm_up: int, seconds: float) -> Measured:
        """Run ``iterations`` inferences after ``warm_up`` others, in ``seconds`` at most.

        Raises:
            AnswerError: It cannot be said how long they took. TargetError: there is no answer in time.
        """


class TimedBench(Bench):
    """Performance: the device's own timestamps."""

    def run(self, iterations: int, warm_up: int, seconds: float) -> Measured:
        inference = self.device.infer(iterations, warm_up, self.counts, seconds)
        if inference.device_seconds is None:
            raise AnswerError(
                f"The answer to 'infer {iterations} {warm_up}' has no line m-lap-us.",
                "The device is in energy mode: it must start as m-timestamp-mode-performance.",
            )
        return Measured(inference, inference.device_seconds, None)


class EnergyBench(Bench):
    """Energy: the monitor's recording between the device's timestamps."""

    def __init__(
        self,
        device: Device,
        benchmark: Benchmark,
        monitor: PowerMonitor,
        inference_seconds: float = INFERENCE_SECONDS,
    ) -> None:
        super().__init__(device, benchmark, inference_seconds)
        self._monitor = monitor

    def run(self, iterations: int, warm_up: int, seconds: float) -> Measured:
        self._monitor.start()
        inference = self.device.infer(iterations, warm_up, self.counts, seconds)
        recording = self._monitor.stop()
        ((start, end),) = recording.windows(1)
        # Of few inferences both marks may fall between the same two samples: too short to have an energy.
        return Measured(inference, end - start, recording.energy(start, end) if end > start else None)


class FileBench(Bench):
    """Energy that another program records over the whole session, into a file that is read at its end.

    Until then the host's clock tells how long a window is.

    Raises:
        AnswerError: By `run`, also where the device sends its time: then it is not in energy mode.
    """

    def run(self, iterations: int, warm_up: int, seconds: float) -> Measured:
        inference = self.device.infer(iterations, warm_up, self.counts, seconds)
        if inference.device_seconds is not None:
            raise AnswerError(
                f"The device answers 'infer {iterations} {warm_up}' with m-lap-us: it pulls no pin, and the file would "
                "have no marks.",
                "The device is in performance mode: it must start as m-timestamp-mode-energy.",
            )
        return Measured(inference, inference.host_end - inference.host_begin, None)


def with_energy(windows: Sequence[WindowRecord], recording: Recording) -> list[WindowRecord]:
    """Windows with their energies and lengths from a recording of the whole session, whose last marks are theirs.

    Raises:
        AnswerError: The recording has too few marks, or windows of other lengths than the host saw.
    """
    result = []
    for window, (start, end) in zip(windows, recording.windows(len(windows)), strict=True):
        energy = recording.energy(start, end)
        if abs(energy.seconds - window.seconds) > LARGEST_DIFFERENCE * window.seconds + JITTER_SECONDS:
            raise AnswerError(
                f"The recording has a window of {energy.seconds:.3f} s where the host saw {window.seconds:.3f} s, for "
                f"{window.file}.",
                "Is it the recording of this session, and was every window measured once?",
            )
        result.append(msgspec.structs.replace(window, energy=energy, seconds=energy.seconds))
    return result


def run_windows(
    bench: Bench,
    benchmark: Benchmark,
    samples: Sequence[Sample],
    session: Session,
    progress: Progress,
    *,
    window_seconds: float,
    warm_up: int,
) -> Measurements:
    """The cold start, a probe for mistakes, and a window for each of the first five samples; what the session has is
    not run again.

    Raises:
        TargetError, AnswerError: The device goes wrong; the session keeps what came before.
        DatasetError: A file cannot be read.
    """
    chosen = samples[:PERFORMANCE_FILES]
    cold = next((record for record in session.records if isinstance(record, ColdRecord)), None)
    probe = next((record for record in session.records if isinstance(record, ProbeRecord)), None)
    windows = {record.index: record for record in session.records if isinstance(record, WindowRecord)}
    with progress.task(f"{benchmark.name} windows of {window_seconds:g} s", len(chosen)) as task:
        task.advance(len(windows), "")
        if cold is None:
            task.advance(0, "finds the number of inferences")
            bench.device.load(chosen[0].windows()[0])
            cold = _calibrate(bench, window_seconds)
            session.append(cold)
        if probe is None:
            bench.device.load(chosen[0].windows()[0])
            probe = _probe(bench, cold, window_seconds)
            session.append(probe)
        iterations = max([cold.iterations, *(window.iterations for window in windows.values())])
        for index, sample in enumerate(chosen):
            if index in windows:
                continue
            task.advance(0, f"{sample.name}: {iterations:,} inferences")
            plan = Plan(window_seconds, warm_up, cold.trip_seconds)
            windows[index] = _measure(bench, sample, index, iterations, plan)
            session.append(windows[index])
            iterations = windows[index].iterations
            task.advance(1, f"{windows[index].throughput:.4g} inferences/s")
    return Measurements(cold, probe, [windows[index] for index in range(len(chosen))])


def _calibrate(bench: Bench, window_seconds: float) -> ColdRecord:
    """The first inference, and how many fill a window."""
    bench.device.line.transcript.note("the first inference, then the number of inferences of a window")
    cold = bench.run(1, 0, bench.inference_seconds).seconds
    iterations, trial = 1, bench.run(1, 0, bench.inference_seconds)
    while trial.seconds < TRIAL_SHARE * window_seconds:
        # A clock with a coarse tick tells 0 for few inferences; then there is nothing to reckon with but growth.
        wanted = iterations * TRIAL_SHARE * window_seconds / trial.seconds * 1.5 if trial.seconds else math.inf
        grown = min(int(min(wanted, 10.0 * iterations)) + 1, MOST_ITERATIONS)
        if grown <= iterations:
            raise AnswerError(
                f"{iterations:,} inferences take no time by the device's clock.", "Does its timestamp move at all?"
            )
        trip = trial.inference.trip_seconds
        iterations, trial = grown, bench.run(grown, 0, _patience(trip, grown / iterations))
    return ColdRecord(
        seconds=cold,
        iterations=_enough(iterations, trial.seconds, window_seconds),
        trip_seconds=trial.inference.trip_seconds / iterations,
    )


def _probe(bench: Bench, cold: ColdRecord, window_seconds: float) -> ProbeRecord:
    """Runs that show whether the windows hold their inferences and nothing else."""
    bench.device.line.transcript.note("is the warm-up outside of the window?")
    n = probe_iterations(cold.iterations, window_seconds)
    patience = _patience(cold.trip_seconds, 2 * n) + cold.seconds
    shortest = [math.inf] * 3
    for _ in range(PROBES):
        seconds = [bench.run(*run, patience).seconds for run in ((n, 0), (n, n), (2 * n, 0))]
        shortest = list(map(min, shortest, seconds))
        plain, warmed, doubled = shortest
        probe = ProbeRecord(iterations=n, plain=plain, warmed=warmed, doubled=doubled)
        if not looks_mistaken(probe, window_seconds):
            break
    return probe


def _enough(iterations: int, seconds: float, window_seconds: float) -> int:
    """Inferences that fill a window if ``iterations`` took ``seconds``."""
    return min(max(math.ceil(iterations * MARGIN * window_seconds / seconds), 1), MOST_ITERATIONS)


def _patience(trip: float, times: float) -> float:
    """Seconds until a command is given up that does ``times`` as much as one that took ``trip`` seconds."""
    return PATIENCE * trip * times + PATIENCE_SECONDS


def _measure(bench: Bench, sample: Sample, index: int, iterations: int, plan: Plan) -> WindowRecord:
    window_seconds, warm_up = plan.window_seconds, plan.warm_up
    transcript = bench.device.line.transcript
    bench.device.load(sample.windows()[0])
    for _ in range(ATTEMPTS):
        transcript.note(f"window {index + 1}: {sample.name}, {iterations} inferences after {warm_up}")
        trial = bench.run(iterations, warm_up, _patience(plan.trip_seconds, iterations + warm_up))
        if trial.seconds >= window_seconds:
            inference = trial.inference
            return WindowRecord(
                index=index,
                file=sample.name,
                label=sample.label,
                iterations=iterations,
                warm_up=warm_up,
                seconds=trial.seconds,
                host_seconds=inference.host_seconds,
                trip_seconds=inference.trip_seconds,
                outputs=inference.outputs,
                energy=trial.energy,
            )
        transcript.note(f"{trial.seconds:.6g} s are less than {window_seconds:g} s: once more, with more inferences")
        iterations = max(_enough(iterations, max(trial.seconds, 1e-6), window_seconds), iterations + 1)
    raise AnswerError(
        f"{ATTEMPTS} windows of {sample.name} were all shorter than {window_seconds:g} s, the last with {iterations:,} "
        "inferences.",
        "Its clock, or its speed, changes from window to window: look for frequency scaling.",
    )
