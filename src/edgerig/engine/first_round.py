"""The first round of a cell: every test sample once, and all measurements that are taken once only."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from edgerig.datasets.batches import rows
from edgerig.datasets.network_inputs import inputs_of
from edgerig.engine.context import CellContext
from edgerig.engine.deployment import Deployment
from edgerig.engine.figures import as_modelled, summed_up, times_of
from edgerig.engine.journal import Journal
from edgerig.engine.passing import HostTime
from edgerig.engine.placement import census_of, fallback_of, refuse_unmet
from edgerig.engine.prepare import now
from edgerig.engine.repeatability import unlike_answers
from edgerig.engine.scenario import agreement_with_own_batch, doubts_of
from edgerig.engine.score import score
from edgerig.engine.sequences import keeps_state
from edgerig.engine.session_state import begin_utilisation, machine_of, memory_of, utilisation_of
from edgerig.engine.steady import NANOSECOND, Enough, Steady, digest_of, first_inputs, probe_count, steady_pass
from edgerig.errors import AnswerError, InferenceError
from edgerig.measure.census import Census
from edgerig.measure.firmware import Counts, FirmwareReport
from edgerig.measure.kinds import Measurement, ModelBand, Quantity, Unavailable
from edgerig.measure.machine import MachineState
from edgerig.measure.pauses import SleepWatch, paused_inferences, waited
from edgerig.measure.profile import LayerTime
from edgerig.measure.stats import summarize
from edgerig.measure.utilisation import Utilisation
from edgerig.results.reading import ARRAYS, KEPT
from edgerig.results.scenario import BatchAgreement, Offline
from edgerig.results.types import CellResult, Latency, Round
from edgerig.rig.types import Measure
from edgerig.targets.base import LoadReport, Session

Array = NDArray[Any]
Layers = tuple[LayerTime, ...] | Unavailable


class _FirstPass(msgspec.Struct, frozen=True, kw_only=True):
    """All measurements of one session."""

    series: str
    report: LoadReport
    machine: MachineState
    machine_after: MachineState
    first_ns: int
    steady: Steady
    utilisation: Utilisation | Unavailable
    counts: Counts | None
    firmware: FirmwareReport | None
    model: ModelBand | Unavailable | None
    memory: dict[str, Quantity]
    layers: Layers
    census: Census | Unavailable
    transport: Quantity
    interruptions: tuple[str, ...]
    doubts: tuple[str, ...]


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
    done = _run(context)
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
        instructions=done.counts.instructions if done.counts else msgspec.UNSET,
        cycles=done.counts.cycles if done.counts else msgspec.UNSET,
        load_instructions=done.counts.load if done.counts else msgspec.UNSET,
        first_instructions=done.counts.first if done.counts else msgspec.UNSET,
        tick=done.counts.tick if done.counts else msgspec.UNSET,
        firmware=done.firmware if done.firmware is not None else msgspec.UNSET,
        batch=batch,
        windows=msgspec.UNSET if windows is None else (int(windows.min()), int(windows.max())),
        rounds=(round_,),
        offline=_offline(context, alike),
    )
    exact = context.target.exact or done.model is not None
    return summed_up(result, [done.steady.times_ns], context.measure, exact=exact), _arrays(done.steady, context)


def _round(context: CellContext, done: _FirstPass, started: str, seconds: float, warnings: tuple[str, ...]) -> Round:
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


def _run(context: CellContext) -> _FirstPass:
    """The session of the first round, from open to close."""
    samples, measure, artifact = context.samples, context.measure, context.artifact
    with Deployment(
        context.cell, artifact, context.target, measure, context.progress, context.check_deployed
    ) as deployment:
        series = context.series(deployment.identity)
        journal = Journal(context.scratch, series, inputs_of(artifact).batch, samples.task.kept, samples.windows)
        journal.load()
        resumed = journal.samples
        machine = deployment.ask("before the first inference", machine_of)
        inputs = first_inputs(samples, artifact, max(measure.profile_samples, measure.transport_samples, 1))
        first_ns = deployment.first(inputs)
        report = deployment.session.load_report
        deployment.warm_up(inputs)
        deployment.ask("before the samples", lambda session: begin_utilisation(session, measure.utilisation))
        with context.progress.task(context.cell.id, len(samples)) as task:
            reference = context.reference.predictions
            # Of samples that run again an exact target tells the same numbers again.
            seconds = 0.0 if context.target.exact else measure.round_seconds
            enough = Enough(seconds, measure.round_inferences)
            steady = steady_pass(deployment, journal, samples, reference, enough, task.advance)
        utilisation = deployment.ask("after the samples", lambda session: utilisation_of(session, measure.utilisation))
        waiting = waited(deployment.longest_wait)
        counts, firmware = deployment.session.counts(), deployment.session.firmware()
        model = deployment.session.time_model()
        memory = deployment.ask("while its memory was read", memory_of)
        layers, memory_after = deployment.ask("in the profile", lambda session: _profile(session, inputs, measure))
        census = deployment.ask(
            "while it was asked what runs where", lambda session: census_of(session, inputs, artifact)
        )
        unlike = None
        if not (context.target.exact or keeps_state(artifact)):
            typical = float(np.median(steady.times_ns)) * NANOSECOND
            unlike = deployment.ask("while samples ran again", lambda session: unlike_answers(session, inputs, typical))
        refuse_unmet(census, fallback_of(context), context.cell.runtime.use)
        transport = deployment.ask(
            "while the transport was measured", lambda session: _transport(session, inputs, measure)
        )
        clock = deployment.ask("while its clock was checked", lambda session: session.check_clock(inputs))
        machine_after = deployment.ask("at the end", machine_of)
    interruptions = tuple(deployment.interruptions)
    if resumed:
        interruptions = (f"The run went on at sample {resumed} of {len(samples)}, in a new session.", *interruptions)
    paused = paused_inferences(steady.times_ns * NANOSECOND) if model is None else None
    return _FirstPass(
        series=series,
        report=report,
        machine=machine,
        machine_after=machine_after,
        first_ns=first_ns,
        steady=steady,
        utilisation=utilisation,
        counts=counts,
        firmware=firmware,
        model=model,
        memory=_with_memory_of_profile(memory, memory_after),
        layers=layers,
        census=census,
        transport=transport,
        interruptions=interruptions,
        doubts=tuple(text for text in (clock, paused, waiting, unlike, *steady.pauses) if text is not None),
    )


def _profile(session: Session, inputs: Sequence[Array], measure: Measure) -> tuple[Layers, dict[str, Quantity]]:
    """The profile, and the memory that the same session reports after it."""
    if not measure.profile:
        return Unavailable("the per-operator profile was switched off"), memory_of(session)
    try:
        layers = session.profile(rows(inputs, 0, measure.profile_samples))
    except (AnswerError, InferenceError) as error:
        layers = Unavailable(error.message.rstrip("."))
    return layers if isinstance(layers, Unavailable) else tuple(layers), memory_of(session)


def _with_memory_of_profile(before: dict[str, Quantity], after: dict[str, Quantity]) -> dict[str, Quantity]:
    """Memory before the profile, which needs some itself, plus the entries that only the profile could provide."""
    return {name: after.get(name, own) if isinstance(own, Unavailable) else own for name, own in before.items()}


def _transport(session: Session, inputs: Sequence[Array], measure: Measure) -> Quantity:
    if not measure.transport_samples:
        return Unavailable("measuring the transport was switched off")
    return session.transport(inputs, measure.transport_samples)


def _latency(round_: Round, done: _FirstPass, batch: int) -> Latency:
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
