"""A session from its first question to the device to its report."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from edgerig.datasets.mlperf_tiny.benchmarks import WINDOW_SECONDS, Benchmark
from edgerig.errors import EdgerigError, Interrupted, MissingExtraError, SpecError, StorageError
from edgerig.files import canonical_json, sha256_file, write_json, write_text
from edgerig.models.files import open_artifact
from edgerig.plugins import make
from edgerig.power.base import PowerMonitor
from edgerig.progress import Progress
from edgerig.suites.mlperf_tiny.device.network import DeployedNetwork
from edgerig.suites.mlperf_tiny.grammar import DEFAULT_WARM_UP
from edgerig.suites.mlperf_tiny.input_mistakes import diagnose_inputs, open_reference
from edgerig.suites.mlperf_tiny.reference_size import differs_from_reference
from edgerig.suites.mlperf_tiny.runner.accuracy import INFERENCE_SECONDS, run_accuracy
from edgerig.suites.mlperf_tiny.runner.address import Mode, OpenedDevice, open_device
from edgerig.suites.mlperf_tiny.runner.device import Device, Identity
from edgerig.suites.mlperf_tiny.runner.line import DeviceLine
from edgerig.suites.mlperf_tiny.runner.records import SessionKey
from edgerig.suites.mlperf_tiny.runner.report import render_report
from edgerig.suites.mlperf_tiny.runner.results import accuracy_json, results_text, windows_json
from edgerig.suites.mlperf_tiny.runner.samples import Sample, samples_in
from edgerig.suites.mlperf_tiny.runner.session import (
    LOG,
    REPORT,
    RESULTS_JSON,
    RESULTS_TEXT,
    SUMMARY,
    Session,
    check_free,
)
from edgerig.suites.mlperf_tiny.runner.summary import Summary, summarize_accuracy, summarize_windows
from edgerig.suites.mlperf_tiny.runner.transcript import Transcript
from edgerig.suites.mlperf_tiny.runner.window_mistakes import window_mistakes
from edgerig.suites.mlperf_tiny.runner.windows import (
    Bench,
    EnergyBench,
    FileBench,
    TimedBench,
    run_windows,
    with_energy,
)

#: Settings of power monitors that say where one is, and nothing of what it measures.
_WHERE = ("port", "file")


class RunSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a session is to do.

    Attributes:
        benchmark, mode: Of MLPerf Tiny.
        address: The device's; see `edgerig.suites.mlperf_tiny.runner.address.open_device`.
        data: Folder with the samples.
        out: The session's folder. An unfinished session in it is gone on with.
        model: The network of an emulated board.
        window_seconds: Least length of a measured window; below 10 the result does not count.
        warm_up: Inferences before a measured window.
        inference_seconds: That one inference may take.
        power: The name of the power monitor, in energy mode. power_options: Its settings.
        reference: The device's network, or the float one it came from, whose answers on this machine tell what is
            wrong with the device's inputs; by default that of an emulated board.
        behind_board: Whether the device is behind an interface board, which takes ``dut ..`` for it.
    """

    benchmark: Benchmark
    mode: Mode
    address: str
    data: Path
    out: Path
    model: Path | None = None
    window_seconds: float = WINDOW_SECONDS
    warm_up: int = DEFAULT_WARM_UP
    inference_seconds: float = INFERENCE_SECONDS
    power: str | None = None
    power_options: dict[str, Any] = {}
    behind_board: bool = False
    reference: Path | None = None


def run_session(settings: RunSettings, progress: Progress) -> Summary:
    """Run a session, or the rest of one, and write its folder.

    Args:
        settings: What to do.
        progress: Is told of the work.

    Raises:
        DatasetError: Samples are missing or wrong. StorageError: the folder is not free.
        TargetError, AnswerError: The device is not there, or goes wrong; its lines are in the log.
        Interrupted: Stopped by the user; what came before is kept.
    """
    monitor = _monitor(settings)
    samples = samples_in(settings.data, settings.benchmark)
    check_free(settings.out)
    with _reference(settings) as network, Transcript(settings.out / LOG) as transcript:
        transcript.note(f"edgerig mlperf-tiny run: {settings.benchmark.name}, {settings.mode}, {settings.address}")
        try:
            with monitor or contextlib.nullcontext():
                return _with_device(settings, samples, transcript, progress, monitor, network)
        except KeyboardInterrupt:
            transcript.note("stopped by the user")
            raise Interrupted(
                "Stopped; what was measured is kept.", f"The same command line goes on in {settings.out}."
            ) from None
        except EdgerigError as error:
            with contextlib.suppress(StorageError):
                transcript.note(f"failed: {error.message}")
            raise


def _monitor(settings: RunSettings) -> PowerMonitor | None:
    """The power monitor of energy mode, not yet opened."""
    if settings.mode != "energy":
        if settings.power is not None:
            raise SpecError(f"A power monitor is of no use in {settings.mode} mode.", "Choose --mode energy.")
        return None
    if settings.power is None:
        raise SpecError(
            "Energy mode needs a power monitor.",
            "Name one: --power lpm01a --power-option port=/dev/ttyACM1; `edgerig list power-monitors` shows all.",
        )
    return make("power-monitor", settings.power, PowerMonitor, settings.power_options)


def _with_device(
    settings: RunSettings,
    samples: Sequence[Sample],
    transcript: Transcript,
    progress: Progress,
    monitor: PowerMonitor | None,
    network: DeployedNetwork | None,
) -> Summary:
    benchmark = settings.benchmark
    opened = open_device(settings.address, benchmark, settings.mode, settings.model)
    line = DeviceLine(opened.link, transcript, behind_board=settings.behind_board)
    device = Device(line, real_time=opened.real_time)
    try:
        identity = device.identify()
        device.check(identity, benchmark)
        key = SessionKey(
            benchmark=benchmark.name,
            mode=settings.mode,
            device=identity,
            samples=_digest(samples),
            window_seconds=settings.window_seconds,
            warm_up=settings.warm_up,
            board=_board(settings),
            power=_power(settings),
        )
        with Session(settings.out, key) as session:
            if session.records:
                transcript.note(f"goes on after {len(session.records)} records")
                progress.log(f"Goes on with the session in {settings.out}.")
            if settings.mode == "accuracy":
                return _accuracy(settings, opened, device, identity, samples, session, progress, network)
            return _windows(settings, opened, device, identity, samples, session, progress, monitor)
    finally:
        device.close()


def _accuracy(
    settings: RunSettings,
    opened: OpenedDevice,
    device: Device,
    identity: Identity,
    samples: Sequence[Sample],
    session: Session,
    progress: Progress,
    network: DeployedNetwork | None,
) -> Summary:
    benchmark = settings.benchmark
    records = run_accuracy(device, benchmark, samples, session, progress, settings.inference_seconds)
    diagnosis = diagnose_inputs(benchmark, samples, records, network) if network is not None else None
    summary = summarize_accuracy(benchmark, settings.address, opened, identity, samples, records, diagnosis)
    return _write(settings.out, summary, accuracy_json(benchmark, samples, records))


@contextlib.contextmanager
def _reference(settings: RunSettings) -> Iterator[DeployedNetwork | None]:
    """The network whose answers here are held against the device's; None where none was named.

    It is opened before the device is bothered: a run of an hour must not end at a file that is missing.
    """
    path = settings.reference or settings.model
    network = None
    if path is not None and settings.mode != "accuracy":
        open_artifact(path)
    elif path is not None:
        try:
            network = open_reference(settings.benchmark, path)
        except MissingExtraError:
            # Nobody asked for the comparison; the board's firmware needs no engine on this machine.
            if settings.reference is not None:
                raise
    try:
        yield network
    finally:
        if network is not None:
            network.close()


def _size_notes(settings: RunSettings) -> list[str]:
    """How the device's network differs from the benchmark's, where there is a file of it."""
    path = settings.reference or settings.model
    note = differs_from_reference(settings.benchmark, path) if path is not None else None
    return [note] if note else []


def _windows(
    settings: RunSettings,
    opened: OpenedDevice,
    device: Device,
    identity: Identity,
    samples: Sequence[Sample],
    session: Session,
    progress: Progress,
    monitor: PowerMonitor | None,
) -> Summary:
    benchmark, mode = settings.benchmark, settings.mode
    recorded = monitor is not None and not monitor.live
    if monitor is None:
        bench: Bench = TimedBench(device, benchmark, settings.inference_seconds)
    elif recorded:
        bench = FileBench(device, benchmark, settings.inference_seconds)
    else:
        bench = EnergyBench(device, benchmark, monitor, settings.inference_seconds)
    cold, probe, windows = run_windows(
        bench,
        benchmark,
        samples,
        session,
        progress,
        window_seconds=settings.window_seconds,
        warm_up=settings.warm_up,
    )
    if monitor is not None and recorded:
        monitor.start()
        windows = with_energy(windows, monitor.stop())
    summary = summarize_windows(
        benchmark,
        mode,
        settings.address,
        opened,
        identity,
        cold,
        windows,
        settings.window_seconds,
        window_mistakes(probe, windows),
        _size_notes(settings),
        "the host's clock" if recorded else None,
    )
    return _write(settings.out, summary, windows_json(benchmark, mode, windows))


def _write(out: Path, summary: Summary, rows: list[dict[str, Any]]) -> Summary:
    """The results, dated; the summary comes last, because a session that has one is finished."""
    now = datetime.now().astimezone()
    summary = msgspec.structs.replace(summary, finished=now.isoformat(timespec="seconds"))
    write_text(out / RESULTS_TEXT, results_text(summary, now))
    write_json(out / RESULTS_JSON, rows)
    write_text(out / REPORT, render_report(summary))
    write_json(out / SUMMARY, summary)
    return summary


def _board(settings: RunSettings) -> str:
    """The emulated board and its network: all of them have the same name, whatever runs on them."""
    return f"{settings.address} {sha256_file(settings.model)}" if settings.model is not None else ""


def _power(settings: RunSettings) -> str:
    """The power monitor and its settings, on which the energy depends; not its port, nor the file that it reads."""
    if settings.power is None:
        return ""
    options = {name: value for name, value in settings.power_options.items() if name not in _WHERE}
    return f"{settings.power} {canonical_json(options).decode()}"


def _digest(samples: Sequence[Sample]) -> str:
    """One hash over names, labels, windows and bytes of all samples, in their order."""
    total = hashlib.sha256()
    for sample in samples:
        head = f"{sample.name}\0{sample.label}\0{sample.window_bytes}\0{sample.stride_bytes}\0"
        total.update(head.encode() + hashlib.sha256(sample.read()).digest())
    return total.hexdigest()
