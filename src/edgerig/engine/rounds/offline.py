"""The scenario *offline*: how a batch of samples goes through the network of a cell, found out before measuring."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from edgerig.artifact import Artifact, TensorSpec
from edgerig.datasets.batches import rows
from edgerig.datasets.network_inputs import inputs_of
from edgerig.engine.rounds.context import BatchPlan, CellContext
from edgerig.engine.rounds.steady import first_inputs, scores_of
from edgerig.engine.samples.evaluation import EvaluationSamples
from edgerig.engine.samples.outputs import Dequantized, fed_values, judged_outputs
from edgerig.engine.samples.sequences import keeps_state
from edgerig.errors import IncompatibleError, InferenceError, TargetError
from edgerig.measure.kinds import Unavailable
from edgerig.plugins import find
from edgerig.results.scenario import BatchAgreement
from edgerig.rig.plan import Plan
from edgerig.rig.types import Part
from edgerig.runtimes.base import Runtime
from edgerig.text import counted


def check_batch(plan: Plan, tests: EvaluationSamples) -> None:
    """Refuse a batch that is larger than the samples of some cell.

    Raises:
        IncompatibleError: It is; names the cell.
    """
    batch = plan.rig.measure.batch
    if batch is None:
        return
    if tests.windows is not None:
        raise IncompatibleError(
            f"Batches were asked for, and dataset {tests.dataset.name!r} cuts its samples into windows, which are run "
            "one by one.",
            "Leave the scenario offline out.",
        )
    for cell in plan.cells:
        count = min(cell.samples or len(tests), len(tests))
        if batch > count:
            raise IncompatibleError(
                f"A batch of {batch:,} samples was asked for, and {cell.id} runs {count:,}.",
                "Choose a smaller batch, or more samples.",
            )


def with_batch(context: CellContext) -> CellContext:
    """``context`` as its scenario has it: with the network at the batch that was asked for, where that can be set;
    else with how many inferences in turn a batch takes. Says which, before anything is measured.

    Raises:
        IncompatibleError: The network's own batch is fixed, and no part of the batch that was asked for.
    """
    batch = context.measure.batch
    if batch is None:
        return context
    own = inputs_of(context.artifact).batch
    if batch == own:
        return replace(context, offline=BatchPlan(batch=batch))
    why = _why_fixed(context, batch)
    if why is None:
        _log(context, f"batches of {counted(batch, 'sample')}, one inference each")
        return _resized(context, batch)
    if batch % own:
        raise IncompatibleError(
            f"{context.artifact.name} runs {own} samples an inference, which is no part of a batch of {batch}: {why}.",
            f"Choose a batch that is a multiple of {own}.",
        )
    count = batch // own
    _log(context, f"batches of {batch} samples as {count} inferences in turn: {why}")
    return replace(context, offline=BatchPlan(batch=batch, inferences=count, in_turn=f"{why[:1].upper()}{why[1:]}."))


def agreement_with_own_batch(
    context: CellContext, scores: NDArray[np.float32] | None
) -> BatchAgreement | Unavailable | None:
    """Hold outputs against what the same file gives at its own batch on the same device.

    Args:
        scores: Shape (n, values); None where the task keeps no outputs.

    Returns:
        None where the batch is the file's own, so that there is nothing to compare. A device that fails over this costs
        the comparison alone.
    """
    if context.offline is None or context.offline.file is None:
        return None
    if scores is None:
        return Unavailable(f"task {context.samples.task.name!r} keeps no outputs to compare")
    try:
        single = _scores_of_file(context, context.offline.file)
    except (TargetError, InferenceError) as error:
        return Unavailable(f"the network could not be run at its own batch: {error.message.rstrip('.')}")
    if single.shape != scores.shape:
        return Unavailable(
            f"it gives {single.shape[1]} values a sample at its own batch, and {scores.shape[1]} at this"
        )
    difference = np.abs(scores.astype(np.float64) - single)
    return BatchAgreement(
        samples=len(scores),
        same_class=float((scores.argmax(axis=1) == single.argmax(axis=1)).mean()),
        max_abs_error=float(difference.max()),
        mean_abs_error=float(difference.mean()),
    )


def doubts_of(agreement: BatchAgreement | Unavailable | None, batch: int) -> tuple[str, ...]:
    """What is to be said of a network that predicts something else in a batch."""
    if not isinstance(agreement, BatchAgreement) or agreement.same_class == 1.0:
        return ()
    other = round((1 - agreement.same_class) * agreement.samples)
    return (
        f"In batches of {batch} the network predicts another class than at its own batch for {other:,} of "
        f"{agreement.samples:,} samples.",
    )


def _why_fixed(context: CellContext, batch: int) -> str | None:
    """Why the batch cannot be set, by the engine's own words; None if an inference of ``batch`` samples works.

    Raises:
        TargetError: The device is not there.
    """
    runtime, name = find("runtime", context.cell.runtime.use, Runtime), context.artifact.name
    if keeps_state(context.artifact):
        return f"{name} keeps state between inferences"
    if not runtime.resizes_batch:
        return f"runtime {runtime.name!r} cannot set the batch of a network"
    trial = _resized(context, batch)
    judged, options = trial.artifact.judged_output, trial.cell.runtime.options
    inputs = first_inputs(trial.samples, trial.artifact, batch)
    try:
        with trial.target.open(trial.artifact, trial.cell.runtime.use, options) as session:
            run = session.run(rows(inputs, 0, 1))
            scores = scores_of(run.outputs[judged], session.load_report.outputs[judged], batch, batch)
    except InferenceError as error:
        return error.message.rstrip(".").replace("The batch", "the batch", 1)
    return (
        None
        if len(scores) == batch
        else f"{name} gives {counted(len(scores), 'result')} for {counted(batch, 'sample')}"
    )


def _resized(context: CellContext, batch: int) -> CellContext:
    """``context`` with a network, and an engine, at ``batch`` samples an inference."""
    artifact, cell = context.artifact, context.cell
    larger, runtime = at_batch(artifact, cell.runtime, batch)
    return replace(
        context,
        artifact=larger,
        cell=replace(cell, runtime=runtime),
        offline=BatchPlan(batch=batch, file=artifact, cell=cell),
    )


def at_batch(artifact: Artifact, runtime: Part, batch: int) -> tuple[Artifact, Part]:
    """The network and the engine that run ``batch`` samples an inference; as they are where the file's own is that."""
    own = inputs_of(artifact).batch
    if batch == own:
        return artifact, runtime
    larger = replace(
        artifact,
        inputs=tuple(_at_batch(spec, own, batch) for spec in artifact.inputs),
        outputs=tuple(_at_batch(spec, own, batch) for spec in artifact.outputs),
    )
    return larger, replace(runtime, options={**runtime.options, "batch": batch})


def _at_batch(spec: TensorSpec, own: int, batch: int) -> TensorSpec:
    return replace(spec, shape=(batch, *spec.shape[1:])) if spec.batch == own and spec.shape else spec


def _scores_of_file(context: CellContext, file: Artifact) -> NDArray[Any]:
    """The predictions for all samples at the file's own batch, shape (n, values)."""
    assert context.offline is not None
    assert context.offline.cell is not None
    runtime, network, parts = context.offline.cell.runtime, inputs_of(file), list[NDArray[Any]]()
    with (
        context.progress.task(f"{context.cell.id} at its own batch", len(context.samples)) as task,
        context.target.open(file, runtime.use, runtime.options) as session,
    ):
        everything = session.load_report.outputs
        judged = judged_outputs(file, context.samples.task, len(everything))
        specs = judged.of(everything)
        for part, inputs in context.samples.chunks(file):
            run, count = session.run(network.calls(network.quantized(inputs))), part.stop - part.start
            outputs = Dequantized(judged.of(run.outputs), specs, network.batch, count)
            fed = partial(fed_values, context.samples.task, network.specs, inputs, raw=False)
            parts.append(context.samples.task.predictions(outputs, judged.position, fed))
            task.advance(count)
    return np.concatenate(parts)


def _log(context: CellContext, text: str) -> None:
    context.progress.log(f"{context.cell.id}: offline, {text}")
