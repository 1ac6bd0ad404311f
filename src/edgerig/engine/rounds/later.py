"""A later round of a cell: a fresh process or deployment in which only times and memory are measured."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from edgerig.artifact import TensorSpec
from edgerig.datasets.batches import from_calls
from edgerig.datasets.network_inputs import inputs_of
from edgerig.engine.prepare import now
from edgerig.engine.rounds.context import CellContext
from edgerig.engine.rounds.deployment import Deployment
from edgerig.engine.rounds.figures import summed_up
from edgerig.engine.rounds.first import cold_times
from edgerig.engine.rounds.session_state import begin_utilisation, machine_of, memory_of, utilisation_of
from edgerig.engine.rounds.steady import (
    FEWEST,
    NANOSECOND,
    digest_of,
    first_inputs,
    probe_count,
    repeat,
)
from edgerig.engine.samples.outputs import Dequantized, fed_values, judged_outputs
from edgerig.engine.samples.portions import joined_windows
from edgerig.engine.samples.sequences import sequences_of
from edgerig.errors import EdgerigError
from edgerig.measure.pauses import SleepWatch, paused_inferences, waited
from edgerig.measure.stats import summarize
from edgerig.results.types import CellResult, Round
from edgerig.tasks.base import Task

Array = NDArray[Any]


class SeriesChangedError(EdgerigError):
    """The device, its engine or edgerig is not the one that the earlier rounds of a cell were measured with."""


def measure_again(
    context: CellContext, result: CellResult, earlier: tuple[NDArray[np.int64], ...]
) -> tuple[CellResult, NDArray[np.int64]]:
    """One more round of a cell that has some already.

    Args:
        context: The cell.
        result: The result of its earlier rounds.
        earlier: The raw times of those rounds, one array each.

    Returns:
        The result over all rounds, and the raw times of the new one in ns, shape (m,).

    Raises:
        SeriesChangedError: The round would not belong to the same series.
        TargetError: The device is not there, or did not come back. InferenceError: Its engine failed.
    """
    round_, times_ns, interruptions = _run(context, result)
    result = replace(
        result,
        rounds=(*result.rounds, round_),
        interruptions=(*result.interruptions, *(f"Round {round_.number}: {text}" for text in interruptions)),
    )
    return summed_up(result, [*earlier, times_ns], context.measure), times_ns


def _run(context: CellContext, result: CellResult) -> tuple[Round, NDArray[np.int64], tuple[str, ...]]:
    """The session of the round; also its interruptions."""
    started, begin, sleep = now(), time.perf_counter(), SleepWatch()
    measure, artifact, first = context.measure, context.artifact, result.rounds[0]
    with Deployment(
        context.cell, artifact, context.target, measure, context.progress, context.check_deployed
    ) as deployment:
        series = context.series(deployment.identity)
        if series != first.series:
            raise SeriesChangedError(
                f"{context.target.address} or edgerig itself is not what it was in round 1: its times are no round of "
                "the same.",
                "Measure again, with a device and an edgerig that stay as they are.",
            )
        machine = deployment.ask("before the first inference", machine_of)
        inputs = first_inputs(context.samples, artifact)
        first_ns = deployment.first(inputs)
        report = deployment.session.load_report
        deployment.warm_up(inputs)
        deployment.ask("before the samples", lambda session: begin_utilisation(session, measure.utilisation))
        times_ns, outputs = _repeat(deployment, inputs, context, result)
        utilisation = deployment.ask("after the samples", lambda session: utilisation_of(session, measure.utilisation))
        waiting = waited(deployment.longest_wait)
        memory = deployment.ask("while its memory was read", memory_of)
        machine_after = deployment.ask("at the end", machine_of)
    interruptions = tuple(deployment.interruptions)
    doubts = (paused_inferences(times_ns * NANOSECOND), waiting, sleep.slept())
    round_ = Round(
        number=len(result.rounds) + 1,
        started=started,
        seconds=time.perf_counter() - begin,
        series=series,
        **cold_times(context, report, first_ns),
        steady=summarize(times_ns * NANOSECOND),
        memory=memory,
        # The versions of all packages are those of the first round.
        machine=replace(machine, packages={}),
        machine_after=replace(machine_after, packages={}),
        threads=report.threads,
        utilisation=utilisation,
        outputs=outputs,
        warnings=(*interruptions, *(text for text in doubts if text is not None)),
    )
    return round_, times_ns, interruptions


def _repeat(
    deployment: Deployment, inputs: Sequence[Array], context: CellContext, result: CellResult
) -> tuple[NDArray[np.int64], str]:
    """The times of the inferences that fit the round's seconds, and the digest of the first outputs."""
    artifact, measure = context.artifact, context.measure
    everything, batch = deployment.session.load_report.outputs, inputs_of(artifact).batch
    task, samples = context.samples.task, context.samples.samples
    judged = judged_outputs(artifact, task, len(everything))
    specs = judged.of(everything)
    probes, times, parts, done = slice(0, probe_count(context.samples, artifact)), [], list[Array](), 0
    wanted = context.samples.rows_in(probes)
    count = max(inferences_of(result, context), -(-wanted // batch))
    sequences = sequences_of(context.samples, artifact)
    fewest = max(FEWEST, -(-wanted // batch))
    for run in repeat(deployment, inputs, count, measure.round_seconds, fewest, sequences):
        if done < wanted:
            outputs = Dequantized(judged.of(run.outputs), specs, batch, wanted - done)
            rows = min(wanted - done, len(run.times_ns) * batch)
            fed = partial(_fed, task, inputs, inputs_of(artifact).specs, done, rows)
            parts.append(task.predictions(outputs, judged.position, fed))
            done += rows
        times.append(run.times_ns)
    predictions = joined_windows(task, np.concatenate(parts), context.samples.windows_in(probes))
    kept = task.keep(predictions, samples.truth(probes, artifact.preprocessing), None)
    return np.concatenate(times), digest_of(kept[task.identity])


def _fed(task: Task, inputs: Sequence[Array], specs: Sequence[TensorSpec], first: int, count: int) -> Array:
    """What ``count`` samples from the ``first`` on were fed; ``inputs`` are those of all inferences."""
    return fed_values(task, specs, [from_calls(array, specs[0].batch, first + count)[first:] for array in inputs])


def inferences_of(result: CellResult, context: CellContext) -> int:
    """Number of inferences of a later round: its share of the seconds, at the first round's median latency."""
    measure, first = context.measure, result.rounds[0].steady
    assert first is not None
    most = max(FEWEST, measure.round_inferences)
    wanted = math.ceil(measure.round_seconds / first.median) if first.median > 0 else most
    in_turn = context.offline.inferences if context.offline else 1
    return max(min(max(wanted, FEWEST), most, max(first.n, wanted)), in_turn)
