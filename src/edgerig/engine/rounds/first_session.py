"""The session of a cell's first round: every test sample once, and all measurements that are taken once only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.datasets.batches import rows
from edgerig.datasets.network_inputs import inputs_of
from edgerig.engine.rounds.context import CellContext
from edgerig.engine.rounds.deployment import Deployment
from edgerig.engine.rounds.journal import Journal
from edgerig.engine.rounds.placement import census_of, fallback_of, refuse_unmet
from edgerig.engine.rounds.repeatability import unlike_answers
from edgerig.engine.rounds.session_state import begin_utilisation, machine_of, memory_of, utilisation_of
from edgerig.engine.rounds.steady import NANOSECOND, Enough, Steady, first_inputs, steady_pass
from edgerig.engine.samples.sequences import keeps_state
from edgerig.errors import AnswerError, InferenceError
from edgerig.measure.census import Census
from edgerig.measure.firmware import Counts, FirmwareReport
from edgerig.measure.kinds import ModelBand, Quantity, Unavailable
from edgerig.measure.machine import MachineState
from edgerig.measure.pauses import paused_inferences, waited
from edgerig.measure.profile import LayerTime
from edgerig.measure.utilisation import Utilisation
from edgerig.rig.types import Measure
from edgerig.targets.base import LoadReport, Session

Array = NDArray[Any]
Layers = tuple[LayerTime, ...] | Unavailable


class FirstSession(msgspec.Struct, frozen=True, kw_only=True):
    """What the session of the first round measured; `doubts` are reasons to trust it less."""

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


def first_session(context: CellContext) -> FirstSession:
    """The session of the first round, from open to close.

    Raises:
        TargetError, InferenceError, IncompatibleError: As `edgerig.engine.rounds.first.measure_first` has them.
    """
    samples, measure, artifact = context.samples, context.measure, context.artifact
    with Deployment(
        context.cell, artifact, context.target, measure, context.progress, context.check_deployed
    ) as deployment:
        series = context.series(deployment.identity)
        batch, kept = inputs_of(artifact).batch, samples.task.kept
        journal = Journal(context.scratch, series, batch, kept, samples.windows, context.check_place)
        journal.load()
        resumed = journal.samples
        machine = deployment.ask("before the first inference", machine_of)
        inputs = first_inputs(samples, artifact, max(measure.profile_samples, measure.transport_samples, 1))
        first_ns = deployment.first(inputs)
        report = deployment.session.load_report
        deployment.warm_up(inputs)
        deployment.ask("before the samples", lambda session: begin_utilisation(session, measure.utilisation))
        steady = _all_samples(deployment, journal, context)
        utilisation = deployment.ask("after the samples", lambda session: utilisation_of(session, measure.utilisation))
        waiting = waited(deployment.longest_wait)
        counts, firmware = deployment.session.counts(), deployment.session.firmware()
        model = deployment.session.time_model()
        memory = deployment.ask("while its memory was read", memory_of)
        layers, memory_after = deployment.ask("in the profile", lambda session: _profile(session, inputs, measure))
        census = deployment.ask(
            "while it was asked what runs where", lambda session: census_of(session, inputs, artifact)
        )
        unlike = _unlike(deployment, context, inputs, steady)
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
    return FirstSession(
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


def _all_samples(deployment: Deployment, journal: Journal, context: CellContext) -> Steady:
    """Every sample once, and then some again; what the journal has already does not run again."""
    samples, measure = context.samples, context.measure
    # Of samples that run again an exact target tells the same numbers again.
    enough = Enough(0.0 if context.target.exact else measure.round_seconds, measure.round_inferences)
    with context.progress.task(context.cell.id, len(samples)) as task:
        return steady_pass(deployment, journal, samples, context.reference.predictions, enough, task.advance)


def _unlike(deployment: Deployment, context: CellContext, inputs: Sequence[Array], steady: Steady) -> str | None:
    """What is to be said of a network that answers otherwise when it runs the same samples again."""
    if context.target.exact or keeps_state(context.artifact):
        return None
    typical = float(np.median(steady.times_ns)) * NANOSECOND
    return deployment.ask("while samples ran again", lambda session: unlike_answers(session, inputs, typical))


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
