"""A session from its first question to the device to its report."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from edgerig.errors import EdgerigError, Interrupted, MissingExtraError, SpecError, StorageError
from edgerig.files import write_json, write_text
from edgerig.models.files import open_artifact
from edgerig.plugins import make
from edgerig.power.base import PowerMonitor
from edgerig.progress import Progress
from edgerig.suites.mlperf_tiny.device.network import DeployedNetwork
from edgerig.suites.mlperf_tiny.input_mistakes import diagnose_inputs, open_reference
from edgerig.suites.mlperf_tiny.reference_size import differs_from_reference
from edgerig.suites.mlperf_tiny.runner.accuracy import run_accuracy
from edgerig.suites.mlperf_tiny.runner.address import EMULATED, OpenedDevice, open_device
from edgerig.suites.mlperf_tiny.runner.device import Device, Identity
from edgerig.suites.mlperf_tiny.runner.line import DeviceLine
from edgerig.suites.mlperf_tiny.runner.record_checks import record_check
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
from edgerig.suites.mlperf_tiny.runner.settings import RunSettings, power_words, session_key
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


class _Run(NamedTuple):
    """A device that has told who it is, and the session that it is measured in."""

    settings: RunSettings
    opened: OpenedDevice
    device: Device
    identity: Identity
    samples: Sequence[Sample]
    session: Session
    progress: Progress


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
    if settings.address.startswith(EMULATED):
        raise SpecError(
            f"{settings.address} draws no current, and nothing models what its chip would draw: it has no energy.",
            "Choose --mode performance. Firmware for energy mode, `edgerig firmware build --console mlperf-tiny --mode "
            "energy`, is for a real board; `edgerig firmware console` runs it on emulated ones, too.",
        )
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
        key = session_key(settings, identity, samples)
        check = record_check(key, benchmark, samples, with_energy=monitor is not None and monitor.live)
        with Session(settings.out, key, check) as session:
            for sentence in session.dropped:
                transcript.note(sentence)
                progress.log(sentence)
            if session.records:
                transcript.note(f"goes on after {len(session.records)} records")
                progress.log(f"Goes on with the session in {settings.out}.")
            run = _Run(settings, opened, device, identity, samples, session, progress)
            return _accuracy(run, network) if settings.mode == "accuracy" else _windows(run, monitor)
    finally:
        device.close()


def _accuracy(run: _Run, network: DeployedNetwork | None) -> Summary:
    settings, opened, device, identity, samples, session, progress = run
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


def _windows(run: _Run, monitor: PowerMonitor | None) -> Summary:
    settings, opened, device, identity, samples, session, progress = run
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
    summary = msgspec.structs.replace(summary, power=power_words(settings))
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
