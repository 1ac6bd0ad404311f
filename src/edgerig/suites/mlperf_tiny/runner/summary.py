"""What a session comes to: its figures, each with its kind and clock, and what speaks against them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import msgspec

from edgerig import __version__
from edgerig.datasets.mlperf_tiny.benchmarks import PERFORMANCE_FILES, WINDOW_SECONDS, Benchmark
from edgerig.datasets.mlperf_tiny.seeded import is_seeded
from edgerig.measure.kinds import Measurement, Quantity, Unavailable
from edgerig.suites.mlperf_tiny.input_mistakes import InputDiagnosis
from edgerig.suites.mlperf_tiny.runner.address import Mode, OpenedDevice
from edgerig.suites.mlperf_tiny.runner.clock import ClockCheck, check_clock
from edgerig.suites.mlperf_tiny.runner.device import Identity
from edgerig.suites.mlperf_tiny.runner.records import ColdRecord, FileRecord, WindowRecord
from edgerig.suites.mlperf_tiny.runner.samples import Sample
from edgerig.suites.mlperf_tiny.runner.scoring import quality_of, target_met
from edgerig.suites.mlperf_tiny.runner.stream import OFFICIAL_SECONDS, is_whole
from edgerig.tasks.judgement import Quality

_NO_TIMES = Unavailable("an accuracy run measures no times")
_NO_QUALITY = "a run of {mode} measures no quality: --mode accuracy does"


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The results of a session.

    Attributes:
        benchmark, mode, address: As on the command line.
        device: What the device says of itself.
        files: How many were run.
        quality: Of an accuracy run; None of others.
        target: The quality that the benchmark asks for, in words.
        passed: Whether it is reached; None where no quality was measured.
        throughput: Median over the windows, in 1/s. latency: its inverse, in s. cold_start: the first inference, in s.
        energy: Median over the windows, in J an inference, with the bounds that the sample rate leaves it.
        power: The power monitor, and in brackets its settings; empty but in energy mode.
        instructions: Of an inference, on an emulated board; None elsewhere.
        windows: All windows.
        clock: The device's clock against the host's.
        by_the_rules: Whether the result is one by the benchmark's rules: nothing is ``invalid``.
        invalid: Why it is none; empty where it is one.
        problems: What makes its figures untrustworthy; a strict run fails by them.
        warnings: What else is to be known.
        finished: Date and time of the host when the session ended, with its time zone, as ISO 8601 has it.
        edgerig: The version that ran it.
    """

    benchmark: str
    mode: Mode
    address: str
    device: Identity
    files: int
    quality: Quality | None
    target: str
    passed: bool | None
    throughput: Quantity
    latency: Quantity
    cold_start: Quantity
    energy: Quantity
    power: str = ""
    instructions: Quantity | None = None
    by_the_rules: bool
    windows: tuple[WindowRecord, ...] = ()
    clock: ClockCheck | None = None
    invalid: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    finished: str = ""
    edgerig: str = __version__


def summarize_accuracy(
    benchmark: Benchmark,
    address: str,
    opened: OpenedDevice,
    device: Identity,
    samples: Sequence[Sample],
    records: Sequence[FileRecord],
    diagnosis: InputDiagnosis | None = None,
) -> Summary:
    """The results of an accuracy run; ``records`` in the order of the samples, at least one. ``diagnosis`` is what its
    network's answers on this machine say of the device's inputs."""
    quality = quality_of(benchmark, samples, records)
    invalid = []
    if all(is_seeded(sample.name) for sample in samples):
        invalid.append("The samples were made from a seed: the quality says nothing of the network.")
    if benchmark.samples and len(records) != benchmark.samples:
        invalid.append(f"The official set has {benchmark.samples:,} files, and {len(records):,} were run.")
    if benchmark.quality.metric == "events" and not is_whole(quality.samples):
        invalid.append(f"The official recording lasts {OFFICIAL_SECONDS:g} s, and what was run is shorter.")
    invalid += _emulated(opened)
    return Summary(
        benchmark=benchmark.name,
        mode="accuracy",
        address=address,
        device=device,
        files=len(records),
        quality=quality,
        target=benchmark.quality.text,
        passed=target_met(benchmark, quality),
        throughput=_NO_TIMES,
        latency=_NO_TIMES,
        cold_start=_NO_TIMES,
        energy=_NO_TIMES,
        by_the_rules=not invalid,
        invalid=tuple(invalid),
        problems=(diagnosis.mistake,) if diagnosis is not None and diagnosis.mistake else (),
        warnings=(*quality.warnings, *_about_inputs(benchmark, samples, quality, diagnosis)),
    )


def _about_inputs(
    benchmark: Benchmark, samples: Sequence[Sample], quality: Quality, diagnosis: InputDiagnosis | None
) -> list[str]:
    """What the answers say of the device's inputs; those to samples from a seed say nothing by themselves."""
    if diagnosis is not None:
        return [diagnosis.note] if diagnosis.note else []
    seeded = all(is_seeded(sample.name) for sample in samples)
    if seeded or target_met(benchmark, quality) is not False or not quality.confusion:
        return []
    answers = [sum(column) for column in zip(*quality.confusion, strict=True)]
    labels = [sum(row) for row in quality.confusion]
    most = max(range(len(answers)), key=answers.__getitem__)
    if answers[most] < 2 * max(labels) or answers[most] < quality.samples / 2:
        return []
    kind = "int8 already" if benchmark.input_type == "int8" else "bytes from 0 to 255"
    return [
        f"{answers[most]:,} of {quality.samples:,} files are answered with {benchmark.classes[most]!r}: so it is where "
        f"inputs are wrong. The samples are {kind}; a network takes them as {benchmark.scale:.5g} * (q - "
        f"{benchmark.zero_point}), not cast as unsigned, nor as plain numbers. With --reference NETWORK the mistake is "
        "named."
    ]


def summarize_windows(
    benchmark: Benchmark,
    mode: Mode,
    address: str,
    opened: OpenedDevice,
    device: Identity,
    cold: ColdRecord,
    windows: Sequence[WindowRecord],
    window_seconds: float,
    mistakes: Sequence[str] = (),
    notes: Sequence[str] = (),
    cold_clock: str | None = None,
) -> Summary:
    """The results of a performance or an energy run; at least one window. ``mistakes`` are the device's, ``notes`` what
    else is to be known, ``cold_clock`` times the first inference where the windows' clock does not."""
    clock = check_clock(windows, real_time=opened.real_time) if mode == "performance" else None
    invalid = [*_about_windows(windows, window_seconds), *_emulated(opened)]
    problems = (*([clock.problem] if clock is not None and clock.problem else []), *mistakes)
    timed = mode == "performance"
    latency = statistics.median(1 / window.throughput for window in windows)
    name = opened.clock if timed else "power monitor"
    number = {"kind": opened.kind, "clock": name, "n": len(windows), "warnings": problems}
    steady = f"inferences of a window / its length, median of {len(windows)} windows"
    cold_method = "first inference of the session; cold only where the device had just started"
    return Summary(
        benchmark=benchmark.name,
        mode=mode,
        address=address,
        device=device,
        files=len(windows),
        quality=None,
        target=benchmark.quality.text,
        passed=None,
        throughput=_time(opened, _number(statistics.median(w.throughput for w in windows), "1/s", steady, number)),
        latency=_time(opened, _number(latency, "s", "1 / throughput, median", number)),
        cold_start=_time(
            opened, _number(cold.seconds, "s", cold_method, {**number, "clock": cold_clock or name, "n": 1})
        )
        if cold.seconds
        else Unavailable("the first inference was shorter than the clock can tell"),
        instructions=opened.board.counts().instructions if opened.board else None,
        energy=_energy(windows, number) if not timed else Unavailable("a performance run measures no energy"),
        windows=tuple(windows),
        clock=clock,
        by_the_rules=not invalid,
        invalid=tuple(invalid),
        problems=problems,
        warnings=(*([clock.note] if clock is not None and clock.note and opened.real_time else []), *notes),
    )


def _about_windows(windows: Sequence[WindowRecord], asked_seconds: float) -> list[str]:
    """Why windows are not as the rules have them; they were to last ``asked_seconds`` at least."""
    reasons = []
    shortest = min(window.seconds for window in windows)
    if asked_seconds < WINDOW_SECONDS:
        reasons.append(f"Windows last {asked_seconds:g} s at least, and {WINDOW_SECONDS:g} s are asked for.")
    elif shortest < WINDOW_SECONDS:
        # A recording that is read at the end may tell other lengths than the host saw.
        reasons.append(f"The shortest window lasts {shortest:.6g} s, and {WINDOW_SECONDS:g} s are asked for.")
    if len(windows) != PERFORMANCE_FILES:
        reasons.append(f"{len(windows)} files were run, and {PERFORMANCE_FILES} are asked for.")
    return reasons


def _number(value: float, unit: str, method: str, rest: dict[str, object]) -> Measurement:
    return msgspec.convert({"is": "number", "value": value, "unit": unit, "method": method, **rest}, Measurement)


def _time(opened: OpenedDevice, number: Measurement) -> Quantity:
    """A time, or a rate, with the error of the model that made it; none where an emulated clock tells no time."""
    if opened.board is None:
        return number
    times = opened.board.times
    return times if isinstance(times, Unavailable) else times.of(number)


def _energy(windows: Sequence[WindowRecord], rest: dict[str, object]) -> Quantity:
    measured = [(window.energy, window.iterations) for window in windows if window.energy is not None]
    if not measured:
        return Unavailable("no window has its energy")
    each = [energy.joules / count for energy, count in measured]
    samples = sum(energy.samples for energy, _ in measured)
    method = (
        f"energy between the last two timestamps / inferences, median of {len(each)} windows, {samples:,} samples of "
        "power; bounds: largest error, from the sample rate, the instrument's calibration not included"
    )
    low = statistics.median((energy.joules - energy.uncertainty) / count for energy, count in measured)
    high = statistics.median((energy.joules + energy.uncertainty) / count for energy, count in measured)
    return _number(statistics.median(each), "J", method, {**rest, "clock": None, "low": low, "high": high})


def _emulated(opened: OpenedDevice) -> list[str]:
    return [] if opened.kind == "measured" else [f"The device is emulated: its times are {opened.kind}, not measured."]
