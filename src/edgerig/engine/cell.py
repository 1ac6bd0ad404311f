"""Measure one cell: load, first inference, warm-up, every test sample, memory, profile, transport."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from edgerig.artifact import Artifact
from edgerig.datasets.batches import from_calls, in_calls
from edgerig.datasets.input_fit import judge_fit, measure_fit, summarize_fit
from edgerig.datasets.preprocess import dequantize, quantize_input
from edgerig.engine.caveats import VACUOUS
from edgerig.engine.columns import check_columns, columns_of
from edgerig.engine.dependencies import of_samples
from edgerig.engine.deployment import Deployment
from edgerig.engine.journal import Journal
from edgerig.engine.judging import compare, judge_quality, tell_output
from edgerig.engine.passing import Finite, HostTime
from edgerig.engine.samples import EvaluationSamples, Reference, the_input
from edgerig.errors import AnswerError, InferenceError, TargetError
from edgerig.files import digest
from edgerig.measure.judge import judge
from edgerig.measure.kinds import Kind, Measurement, ModelBand, Quantity, Unavailable
from edgerig.measure.machine import MachineState, unknown_machine
from edgerig.measure.pauses import SleepWatch, paused_inferences, waited
from edgerig.measure.profile import LayerTime
from edgerig.measure.stats import Distribution, summarize
from edgerig.plugin_code import own_code
from edgerig.progress import Progress
from edgerig.results.types import Agreement, CellResult, Latency
from edgerig.rig.plan import Cell
from edgerig.rig.types import Measure
from edgerig.targets.base import LoadReport, Session, Target
from edgerig.text import one_line

Array = NDArray[Any]
NANOSECOND = 1e-9
#: Enough for any statistics, however fast the network is.
MAX_INFERENCES = 100_000
#: Times `measure.seconds` that repeating the samples may take by the host's clock.
PATIENCE = 5.0


class Steady(msgspec.Struct, frozen=True):
    """The measured pass.

    Attributes:
        times_ns: On-device times, shape (m,), m >= n, in order.
        scores: Shape (n, classes).
        fit: What was counted while the samples were quantized, see `edgerig.datasets.input_fit`.
        before, after: Host time a sample, before and after the device.
        pauses: What is to be said of this program itself standing still.
    """

    times_ns: NDArray[np.int64]
    scores: NDArray[np.float32]
    fit: NDArray[np.float64]
    before: HostTime
    after: HostTime
    pauses: tuple[str, ...] = ()


def measure_cell(
    cell: Cell, artifact: Artifact, target: Target, tests: EvaluationSamples, reference: Reference, how: Measure,
    commands: tuple[str, ...], scratch: Path, progress: Progress,
) -> tuple[CellResult, dict[str, Array]]:  # fmt: skip
    """Deploy ``artifact`` on ``target`` and measure it there.

    What is measured so far lies in the folder ``scratch``; if it is not empty, the pass goes on where it stopped.

    Returns:
        The result, and the raw arrays that belong to it: ``scores``, ``predictions``, ``labels`` and ``indices`` of
        the n samples, and ``times_ns`` of all m >= n measured inferences.

    Raises:
        TargetError: The device is not there, went away for good, or ran another file than it was sent.
        InferenceError: Its engine refused the network or failed.
        IncompatibleError: Dataset and network do not fit.
    """
    started, begin, sleep = _now(), time.perf_counter(), SleepWatch()

    def check(session: Session) -> None:
        _check_deployed(artifact, session.load_report, cell, tests)

    with Deployment(cell, artifact, target, how, progress, check) as deployment:
        key = _journal_key(cell, artifact, tests, deployment.identity)
        journal = Journal(scratch, key, the_input(artifact).batch)
        journal.load()
        resumed = journal.samples
        machine = deployment.ask("before the first inference", _machine)
        first_inputs = _first_inputs(tests, artifact, how)
        first = deployment.first(first_inputs)
        report = deployment.session.load_report
        deployment.warm_up(first_inputs)
        with progress.task(cell.id, len(tests)) as task:
            steady = _steady_pass(deployment, journal, tests, how.seconds, task.advance)
        still = [waited(deployment.longest_wait), *steady.pauses]
        counts, firmware = deployment.session.counts(), deployment.session.firmware()
        model = deployment.session.time_model()
        memory = deployment.ask("while its memory was read", _memory)
        layers, told = deployment.ask("in the profile", lambda session: _profile(session, first_inputs, how))
        memory = _with_what_the_profile_told(memory, told)
        transport = deployment.ask(
            "while the transport was measured", lambda session: _transport(session, first_inputs, how)
        )
        clock = deployment.ask("while its clock was checked", lambda session: session.check_clock([first_inputs]))
        machine_after = deployment.ask("at the end", _machine)
    distribution = summarize(steady.times_ns * NANOSECOND)
    fit = summarize_fit(steady.fit, the_input(artifact))
    quality = tell_output(judge_quality(tests.dataset, steady.scores, tests.samples.labels), artifact)
    agreement = compare(steady.scores, reference.scores, reference.source, tests.samples, how.pictures)
    unfit = tuple(judge_fit(fit, reach=bool(quality.metrics)))
    if quality.metrics:
        quality = replace(quality, warnings=(*unfit, *quality.warnings))
    if isinstance(agreement, Agreement):
        agreement = replace(agreement, warnings=(*unfit, *agreement.warnings))
    interruptions = tuple(deployment.interruptions)
    if resumed:
        interruptions = (f"The run went on at sample {resumed} of {len(tests)}, in a new session.", *interruptions)
    pauses = [paused_inferences(steady.times_ns * NANOSECOND) if model is None else None, *still, sleep.slept()]
    doubts = tuple(text for text in (clock, *pauses) if text is not None)
    # A spread of modelled times is that of instructions, and says nothing of a clock.
    timed = distribution if model is None else None
    warnings = (*interruptions, *doubts, *judge(machine, machine_after, report.threads, timed, report.clock))
    kind: Any = target.kind
    latency = _latency(report, first, steady, distribution, transport, kind, warnings, journal.batch)
    if model is not None:
        latency = _as_modelled(latency, model)
    result = CellResult(
        id=cell.id, model=cell.model, variant=cell.variant,
        runtime=cell.runtime.use, runtime_version=report.runtime_version,
        target=target.address, options=cell.runtime.options, artifact=artifact, quality=quality,
        agreement=agreement, input=fit, latency=latency,
        memory=memory, layers=layers, machine=machine, machine_after=machine_after,
        warnings=tuple(dict.fromkeys((*warnings, *quality.warnings, *_about_agreement(agreement)))),
        commands=commands, started=started, seconds=time.perf_counter() - begin, measured_samples=len(tests),
        warmup=how.warmup, clock=report.clock, method=report.invoke_method, interruptions=interruptions,
        device=target.description,
        instructions=counts.instructions if counts else msgspec.UNSET,
        cycles=counts.cycles if counts else msgspec.UNSET,
        firmware=firmware if firmware is not None else msgspec.UNSET, batch=journal.batch,
    )  # fmt: skip
    return result, _arrays(steady, tests)


def _journal_key(cell: Cell, artifact: Artifact, tests: EvaluationSamples, device: LoadReport) -> str:
    """What a series of results may depend on: one with another engine, or made by other code, is another series."""
    ends = [artifact.inputs, artifact.judged_output]
    data = [tests.fingerprint, of_samples(tests.samples, artifact.preprocessing)]
    return digest([artifact.sha256, artifact.preprocessing, ends, cell.runtime, cell.target, data, device, own_code()])


def _check_deployed(artifact: Artifact, report: LoadReport, cell: Cell, tests: EvaluationSamples) -> None:
    """A number must belong to the file and the engine that were asked for."""
    if report.sha256 != artifact.sha256:
        raise TargetError(f"The device loaded a file with SHA-256 {report.sha256[:12]}, not {artifact.sha256[:12]}.")
    if report.runtime != cell.runtime.use:
        raise TargetError(f"The device runs {report.runtime!r}, not {cell.runtime.use!r} as asked for.")
    if artifact.judged_output >= len(report.outputs):
        raise TargetError(
            f"The device tells of {len(report.outputs)} outputs; output {artifact.judged_output + 1} is to be judged."
        )
    columns = columns_of(report.outputs[artifact.judged_output], the_input(artifact).batch)
    if columns is not None:
        check_columns(columns, artifact, tests)


def _first_inputs(tests: EvaluationSamples, artifact: Artifact, how: Measure) -> Array:
    """A few inputs for everything that is not the measured pass, in the network's own dtype."""
    return _first_chunk(tests, artifact)[: max(how.profile_samples, how.transport_samples, 1)]


def _first_chunk(tests: EvaluationSamples, artifact: Artifact) -> Array:
    _, inputs = next(tests.chunks(artifact))
    spec = the_input(artifact)
    return in_calls(quantize_input(inputs, spec), spec.batch)


def _steady_pass(
    deployment: Deployment, journal: Journal, tests: EvaluationSamples, seconds: float, advance: Callable[[int], None]
) -> Steady:
    """Every sample once, for the predictions; then the same again until ``seconds`` of inference are measured.

    A fast network runs a thousand samples in a few hundredths of a second, which one burst of other work can spoil.
    """
    artifact = deployment.artifact
    judged, batch = artifact.judged_output, journal.batch
    spec = deployment.session.load_report.outputs[judged]
    advance(journal.samples)
    before, after = HostTime("reading samples"), HostTime("taking results")
    finite = Finite(deployment.session.load_report.outputs)
    mark = time.perf_counter()
    for part, inputs in tests.chunks(artifact, journal.samples):
        quantized = quantize_input(inputs, the_input(artifact))
        before.add(time.perf_counter() - mark, len(inputs))
        fit = measure_fit(inputs, quantized, the_input(artifact))
        waiting = len(inputs)
        for run in deployment.batches(in_calls(quantized, batch), part.start // batch, lambda _: None):
            mark = time.perf_counter()
            finite.look(run.outputs)
            values = dequantize(from_calls(run.outputs[judged], batch, waiting), spec)
            values = values.reshape(len(values), -1).astype(np.float32, copy=False)
            after.add(time.perf_counter() - mark, len(values))
            check_columns(values.shape[1], artifact, tests)
            journal.append(scores=values, times_ns=run.times_ns, fit=fit[: len(values)])
            fit = fit[len(values) :]
            waiting -= len(values)
            advance(len(values))
        mark = time.perf_counter()
    finite.check(journal.joined("scores"), judged)
    times = [journal.joined("times_ns")]
    again = _first_chunk(tests, artifact)
    # By the median: one inference of 20 s, over which a laptop slept, is no reason to measure less.
    left = seconds - float(np.median(times[0])) * len(times[0]) * NANOSECOND
    # Where the way to the device takes far longer than the network, a second of inference is an hour of waiting.
    deadline = time.monotonic() + PATIENCE * max(seconds, 1.0)
    while left > 0 and sum(map(len, times)) < MAX_INFERENCES and time.monotonic() < deadline:
        for run in deployment.batches(again, None, lambda _: None):
            left -= max(float(np.median(run.times_ns)) * len(run.times_ns), 1) * NANOSECOND
            times.append(run.times_ns)
            if time.monotonic() > deadline:
                break
    pauses = tuple(text for text in (before.pause(), after.pause()) if text is not None)
    return Steady(np.concatenate(times), journal.joined("scores"), journal.joined("fit"), before, after, pauses)


def _profile(
    session: Session, inputs: Array, how: Measure
) -> tuple[tuple[LayerTime, ...] | Unavailable, dict[str, Quantity]]:
    """The profile, and the memory as the same session tells it afterwards."""
    if not how.profile:
        return Unavailable("the per-operator profile was switched off"), _memory(session)
    try:
        layers = session.profile([inputs[: how.profile_samples]])
    except (AnswerError, InferenceError) as error:
        layers = Unavailable(error.message.rstrip("."))
    return layers if isinstance(layers, Unavailable) else tuple(layers), _memory(session)


def _memory(session: Session) -> dict[str, Quantity]:
    """The memory; what was measured before is not lost over an answer that cannot be."""
    try:
        return session.memory()
    except AnswerError as error:
        return {"peak_rss": Unavailable(error.message.rstrip("."))}


def _machine(session: Session) -> MachineState:
    try:
        return session.machine()
    except AnswerError as error:
        return unknown_machine(one_line(error.message, 200))


def _with_what_the_profile_told(before: dict[str, Quantity], after: dict[str, Quantity]) -> dict[str, Quantity]:
    """Memory as it was before the profile, which needs some itself, and what only the profile could tell."""
    return {name: after.get(name, own) if isinstance(own, Unavailable) else own for name, own in before.items()}


def _transport(session: Session, inputs: Array, how: Measure) -> Quantity:
    if not how.transport_samples:
        return Unavailable("measuring the transport was switched off")
    return session.transport([inputs], how.transport_samples)


def _latency(
    report: LoadReport, first_ns: int, steady: Steady, distribution: Distribution, transport: Quantity, kind: Kind,
    warnings: tuple[str, ...], batch: int,
) -> Latency:  # fmt: skip
    low, median, high, count = distribution.low, distribution.median, distribution.high, distribution.n

    def device(value: float, unit: str, method: str) -> Measurement:
        return Measurement(value=value, unit=unit, kind=kind, clock=report.clock, method=method)

    def host(time: HostTime, method: str) -> Quantity:
        value = time.median()
        if value is None:
            return Unavailable("all samples had passed in an earlier session, which did not keep it")
        method = f"median over portions; {method}"
        clock = "host perf_counter_ns"
        return Measurement(value=value, unit="s", kind="measured", clock=clock, n=time.samples, method=method)

    of = "" if batch == 1 else f" of an inference of {batch} samples"
    steady_median = device(median, "s", f"median{of}, 95 % bootstrap interval; {report.invoke_method}")
    each: Quantity | msgspec.UnsetType = msgspec.UNSET
    if batch > 1:
        each = device(median / batch, "s", f"steady median of an inference / its batch of {batch} samples")
        each = replace(each, n=count, low=low / batch, high=high / batch, warnings=warnings)
    rate: Quantity = Unavailable("the clock is too coarse: the median inference takes no time")
    if low > 0:
        rate = device(batch / median, "1/s", f"{batch} / steady median" + (" of an inference" if of else ""))
        rate = replace(rate, n=count, low=batch / high, high=batch / low, warnings=warnings)
    return Latency(
        load=device(report.load_seconds, "s", "file on the device to allocated tensors"),
        first=device(first_ns * NANOSECOND, "s", f"first inference; {report.invoke_method}"),
        steady=replace(steady_median, n=count, low=low, high=high, warnings=warnings),
        distribution=distribution,
        throughput=rate,
        transport=transport,
        preprocessing=host(steady.before, "reading, preprocessing, layout and quantizing"),
        postprocessing=host(steady.after, "dequantizing"),
        per_sample=each,
    )


def _about_agreement(agreement: Agreement | Unavailable) -> tuple[str, ...]:
    """What is to be said of the comparison with the float model; that there is none is no warning by itself."""
    if isinstance(agreement, Unavailable):
        return (f"Same as float is {agreement.reason}.",) if agreement.reason.startswith(VACUOUS) else ()
    return agreement.warnings


def _as_modelled(latency: Latency, model: ModelBand | Unavailable) -> Latency:
    """``latency`` of a session whose times a model made: with its error as their bounds, or why there are none.

    No distribution: the spread of its times is that of instructions.
    """

    def told(time: Quantity) -> Quantity:
        if isinstance(time, Unavailable) or isinstance(model, Unavailable):
            return model if isinstance(model, Unavailable) else time
        method = time.method.replace(", 95 % bootstrap interval", "")
        return model.of(replace(time, method=f"{method}; {model.method}"))

    each = latency.per_sample
    return replace(
        latency, load=told(latency.load), first=told(latency.first), steady=told(latency.steady),
        throughput=told(latency.throughput), distribution=None,
        per_sample=each if isinstance(each, msgspec.UnsetType) else told(each),
    )  # fmt: skip


def _arrays(steady: Steady, tests: EvaluationSamples) -> dict[str, Array]:
    return {
        "times_ns": steady.times_ns,
        "scores": steady.scores,
        # NaN predicts nothing.
        "predictions": np.where(np.isnan(steady.scores).any(axis=1), -1, steady.scores.argmax(axis=1)).astype(np.int64),
        "labels": tests.samples.labels,
        "indices": tests.indices,
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
