"""The first round of a cell, from its session to the cell's result."""

from __future__ import annotations

import time
from typing import Any

import msgspec
from msgspec.structs import replace
from numpy.typing import NDArray

from edgerig.datasets.network_inputs import inputs_of
from edgerig.engine.prepare import now
from edgerig.engine.rounds.context import CellContext
from edgerig.engine.rounds.figures import as_modelled, summed_up, times_of
from edgerig.engine.rounds.first_session import FirstSession, first_session
from edgerig.engine.rounds.host_time import HostTime
from edgerig.engine.rounds.offline import agreement_with_own_batch, doubts_of
from edgerig.engine.rounds.score import score
from edgerig.engine.rounds.steady import NANOSECOND, Steady, digest_of, probe_count
from edgerig.measure.firmware import Counts
from edgerig.measure.kinds import Measurement, Quantity, Unavailable
from edgerig.measure.pauses import SleepWatch
from edgerig.measure.stats import summarize
from edgerig.results.reading import ARRAYS, KEPT
from edgerig.results.scenario import BatchAgreement, Offline
from edgerig.results.types import CellResult, Latency, Round
from edgerig.targets.base import LoadReport

Array = NDArray[Any]


def measure_first(context: CellContext) -> tuple[CellResult, dict[str, Array]]:
    """Deploy a cell's artifact on its device and measure it there.

    Partial results are stored in the folder ``context.scratch``; if it is not empty, the pass over the samples resumes
    where it stopped.

    Returns:
        The result with its first round, and the raw arrays that belong to it: those that the task stores and the
        ``indices`` of the n samples, and ``times_ns`` of all m >= n measured inferences.

    Raises:
        TargetError: The device is not there, did not come back, or ran another file than it was sent.
        InferenceError: Its engine refused the network or failed, or did something else than what it was asked for.
        IncompatibleError: Dataset and network do not fit.
    """
    started, begin, sleep, artifact = now(), time.perf_counter(), SleepWatch(), context.artifact
    done = first_session(context)
    slept = sleep.slept()
    quality, agreement, fit = score(context, done.steady)
    alike = agreement_with_own_batch(context, done.steady.kept.get("scores"))
    batch = inputs_of(artifact).batch
    warnings = (*done.interruptions, *done.doubts, *doubts_of(alike, batch), *([slept] if slept else []))
    round_ = _round(context, done, started, time.perf_counter() - begin, warnings)
    latency = _latency(round_, done, batch)
    if done.model is not None:
        round_ = replace(round_, load=latency.load, first=latency.first, steady=None)
    cell, windows = context.cell, context.samples.windows
    result = CellResult(
        id=cell.id,
        model=cell.model,
        variant=cell.variant,
        runtime=cell.runtime.use,
        runtime_version=done.report.runtime_version,
        target=context.target.address,
        options=cell.runtime.options,
        artifact=context.file,
        quality=quality,
        agreement=agreement,
        input=fit,
        latency=latency,
        memory=done.memory,
        layers=done.layers,
        census=done.census,
        machine=done.machine,
        machine_after=done.machine_after,
        warnings=(),
        commands=context.commands,
        started=started,
        seconds=round_.seconds,
        measured_samples=len(context.samples),
        warmup=context.measure.warmup,
        clock=done.report.clock,
        method=done.report.invoke_method,
        interruptions=done.interruptions,
        device=context.target.description,
        **_counts(done.counts),
        firmware=done.firmware if done.firmware is not None else msgspec.UNSET,
        batch=batch,
        windows=msgspec.UNSET if windows is None else (int(windows.min()), int(windows.max())),
        rounds=(round_,),
        offline=_offline(context, alike),
    )
    exact = context.target.exact or done.model is not None
    return summed_up(result, [done.steady.times_ns], context.measure, exact=exact), _arrays(done.steady, context)


def _counts(counts: Counts | None) -> dict[str, Any]:
    """The fields of a `CellResult` that an emulator counts; none of a device that does not count."""
    if counts is None:
        return {}
    return {
        "instructions": counts.instructions,
        "cycles": counts.cycles,
        "load_instructions": counts.load,
        "first_instructions": counts.first,
        "tick": counts.tick,
    }


def _round(context: CellContext, done: FirstSession, started: str, seconds: float, warnings: tuple[str, ...]) -> Round:
    """The first round: what every later one holds, too."""
    compared = probe_count(context.samples, context.artifact)
    return Round(
        number=1,
        started=started,
        seconds=seconds,
        series=done.series,
        **cold_times(context, done.report, done.first_ns),
        steady=summarize(done.steady.times_ns * NANOSECOND),
        memory=done.memory,
        machine=done.machine,
        machine_after=done.machine_after,
        threads=done.report.threads,
        utilisation=done.utilisation,
        outputs=digest_of(done.steady.kept[context.samples.task.identity][:compared]),
        warnings=warnings,
    )


def cold_times(context: CellContext, report: LoadReport, first_ns: int) -> dict[str, Measurement]:
    """``load`` and ``first`` of a `Round`, as the device reported them."""

    def device(seconds: float, method: str) -> Measurement:
        kind: Any = "emulated" if report.emulated else context.target.kind
        return Measurement(value=seconds, unit="s", kind=kind, clock=report.clock, method=method)

    return {
        "load": device(report.load_seconds, "file on the device to allocated tensors"),
        "first": device(first_ns * NANOSECOND, f"first inference; {report.invoke_method}"),
    }


def _latency(round_: Round, done: FirstSession, batch: int) -> Latency:
    assert round_.steady is not None
    latency = Latency(
        **times_of([round_], round_.steady, done.report.clock, done.report.invoke_method, batch),
        transport=done.transport,
        preprocessing=_host(done.steady.before, "reading, preprocessing, layout and quantizing"),
        postprocessing=_host(done.steady.after, "dequantizing and decoding the outputs into predictions"),
    )
    return latency if done.model is None else as_modelled(latency, done.model)


def _offline(context: CellContext, alike: BatchAgreement | Unavailable | None) -> Offline | msgspec.UnsetType:
    """How batches go through the network; their times are made of the rounds, see `summed_up`."""
    if context.offline is None:
        return msgspec.UNSET
    plan, later = context.offline, Unavailable("no round was summed up")
    return Offline(
        batch=plan.batch,
        inferences=plan.inferences,
        in_turn=plan.in_turn,
        throughput=later,
        per_batch=later,
        per_sample=later,
        agreement=alike,
    )


def _host(time_: HostTime, method: str) -> Quantity:
    value = time_.median()
    if value is None:
        return Unavailable("all samples had passed in an earlier session, which did not keep it")
    return Measurement(
        value=value,
        unit="s",
        kind="measured",
        clock="host perf_counter_ns",
        n=time_.samples,
        method=f"median over portions; {method}",
    )


def _arrays(steady: Steady, context: CellContext) -> dict[str, Array]:
    stored = context.samples.task.stored(steady.kept, context.samples.samples)
    return {
        "times_ns": steady.times_ns,
        **{name if name in ARRAYS else KEPT + name: array for name, array in stored.items()},
        "indices": context.samples.indices,
    }
