"""A round of a cell under load, on fresh sessions of its own."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from edgerig.datasets.batches import rows
from edgerig.datasets.network_inputs import inputs_of
from edgerig.engine.emulated import refuse_emulated
from edgerig.engine.load.figures import NANOSECOND, load_round, under_load_of, window_of
from edgerig.engine.load.generator import MOST_REQUESTS, Answers, Send, closed_loop, open_loop
from edgerig.engine.load.schedule import fewest_for, percentile_of, poisson_arrivals, rank_of
from edgerig.engine.load.search import best_of, highest_rate
from edgerig.engine.load.warnings import doubts_about
from edgerig.engine.rounds.context import CellContext
from edgerig.engine.rounds.deployment import CHANCES, Deployment
from edgerig.engine.rounds.later import SeriesChangedError
from edgerig.engine.rounds.session_state import machine_of
from edgerig.engine.rounds.steady import first_inputs
from edgerig.errors import AnswerError, IncompatibleError, LeaseError, TargetError
from edgerig.measure.energy import EnergyMeter, energy_per_inference, rails_of
from edgerig.measure.kinds import Quantity, Unavailable
from edgerig.measure.pauses import SleepWatch
from edgerig.measure.power import energy_counters
from edgerig.results.types import CellResult
from edgerig.results.under_load import LoadRound, Trial
from edgerig.rig.load import LOADED

#: Requests on one session before the load, one after another: this many, in at most a second.
ALONE = 30
#: The first guess of a rate, as a share of what the sessions could answer if all did so as fast as one alone.
FIRST_GUESS = 0.7
#: Queue that the last arrivals of a trial may leave, as a share of its time, and in latencies of an idle session.
LEFT_SHARE, LEFT_LATENCIES = 0.05, 4

NO_COUNTER = "this machine has no energy counter of its processor that may be read (RAPL)"


class UnderLoadRound(msgspec.Struct, frozen=True, kw_only=True):
    """A round, and its raw times in ns, shape (requests,) each. ``clock`` is the device's."""

    round: LoadRound
    arrays: dict[str, NDArray[np.int64]]
    clock: str


def measure_load(context: CellContext, result: CellResult | None, number: int | None = None) -> UnderLoadRound | None:
    """Measure the next round of a cell under load; None where its scenario has none.

    Args:
        context: The cell. result: Of its earlier rounds; None before the first.
        number: The round's, by which its arrivals are drawn; by default the one after those of ``result``.

    Raises:
        IncompatibleError: The latency bound is shorter than one request alone takes.
        SeriesChangedError: The device is another one than in round 1.
        TargetError: The device is not there, holds fewer sessions, or was lost again and again.
        InferenceError: Its engine failed.
    """
    if context.measure.scenario not in LOADED:
        return None
    lost: list[str] = []
    while True:
        try:
            measured = _measure(context, result, number)
        except (AnswerError, LeaseError):
            raise
        except TargetError as error:
            if context.measure.patience == 0 or len(lost) + 1 >= CHANCES:
                raise
            lost.append(f"The device was lost under load, and the load began anew ({error.message.rstrip('.')}).")
            context.progress.log(f"{context.cell.id}: {error.message} The load begins anew.")
            continue
        return replace(measured, round=replace(measured.round, warnings=(*lost, *measured.round.warnings)))


def with_load(result: CellResult, measured: UnderLoadRound | None, context: CellContext) -> CellResult:
    """``result`` with one more round under load."""
    if measured is None:
        return result
    earlier = result.under_load.rounds if result.under_load else ()
    batch = inputs_of(context.artifact).batch
    under_load = under_load_of((*earlier, measured.round), context.measure, batch, measured.clock)
    warnings = tuple(dict.fromkeys((*result.warnings, *under_load.warnings)))
    return replace(result, under_load=under_load, warnings=warnings)


class _Load:
    """The sessions of a round, loaded and warm."""

    def __init__(self, context: CellContext, sessions: list[Deployment]) -> None:
        self.context, self.measure, self.sessions = context, context.measure, sessions
        self.inputs = first_inputs(context.samples, context.artifact)
        for session in sessions:
            session.first(self.inputs)
            session.warm_up(self.inputs)
        self.sends = [self._send_to(session) for session in sessions]

    def _send_to(self, deployment: Deployment) -> Send:
        session, inputs = deployment.session, self.inputs

        def send(number: int) -> int:
            return int(session.run(rows(inputs, number % len(inputs[0]), 1)).times_ns[0])

        return send

    def alone(self) -> float:
        """Median latency in seconds of requests one after another on the first session."""
        answers = closed_loop(self.sends[:1], min(1.0, self.measure.load_seconds / 3), ALONE)
        return percentile_of(answers.latency, 50.0) * NANOSECOND

    def streams(self, number: int, alone: float) -> tuple[LoadRound, Answers]:
        """All sessions as fast as they answer."""
        count = len(self.sends)
        meter = _energy_meter()
        with self.context.progress.task(f"{self.context.cell.id} under load of {count} streams") as task:
            answers = closed_loop(self.sends, self.measure.load_seconds, ALONE * count, task.advance)
        energy = self._energy(meter, len(answers.done))
        window = window_of(answers, count)
        return load_round(answers, count, window, number=number, alone=alone, energy=energy), answers

    def server(self, number: int, alone: float, guess: float | None) -> tuple[LoadRound, Answers]:
        """Arrivals at the rate that was asked for, or at the highest that holds the bound."""
        results: dict[float, tuple[LoadRound, Answers]] = {}

        def trial(rate: float) -> Trial:
            outcome, entry, answers = self._trial(number, rate, alone)
            results[rate] = entry, answers
            return outcome

        rate = self.measure.rate
        if rate is not None:
            outcome = trial(rate)
            entry, answers = results[rate]
            return replace(entry, trials=(outcome,), rate=rate), answers
        trials = highest_rate(trial, guess or FIRST_GUESS * len(self.sends) / alone)
        best = best_of(trials)
        entry, answers = results[best.rate if best else trials[-1].rate]
        return replace(entry, trials=trials, rate=best.rate if best else None), answers

    def _trial(self, number: int, rate: float, alone: float) -> tuple[Trial, LoadRound, Answers]:
        measure, bound = self.measure, self.measure.bound_seconds
        count = min(MOST_REQUESTS, max(math.ceil(rate * measure.load_seconds), fewest_for(measure.percentile)))
        arrivals = poisson_arrivals(rate, count, (measure.arrival_seed, number))
        allowed, over = count - rank_of(measure.percentile, count), 0

        def hopeless(latency: int) -> bool:
            # At a rate that was asked for, all of its latencies are wanted.
            nonlocal over
            over += bound is not None and latency > bound / NANOSECOND
            return measure.rate is None and over > allowed

        meter = _energy_meter()
        with self.context.progress.task(f"{self.context.cell.id} at {rate:.4g} arrivals a second", count) as task:
            patience = max(measure.load_seconds, 4 * (bound or 0.0))
            answers = open_loop(self.sends, arrivals, patience, hopeless, task.advance)
        energy = self._energy(meter, len(answers.done))
        span, left = int(arrivals[-1]), int(answers.done.max() - arrivals[-1])
        kept_up = not answers.unanswered and left <= LEFT_SHARE * span + LEFT_LATENCIES * alone / NANOSECOND
        if bound is not None:
            over = int((answers.latency > bound / NANOSECOND).sum())
        outcome = Trial(
            rate=rate,
            requests=count,
            answered=len(answers.done),
            over=over,
            tail=None if answers.unanswered else percentile_of(answers.latency, measure.percentile) * NANOSECOND,
            kept_up=kept_up,
            holds=None if bound is None else kept_up and over <= allowed,
            late=percentile_of(answers.late, 99.0) * NANOSECOND,
        )
        self._tell(outcome)
        window = (0, int(answers.done.max()))
        entry = load_round(answers, len(self.sends), window, number=number, alone=alone, energy=energy)
        return outcome, entry, answers

    def _tell(self, trial: Trial) -> None:
        if trial.holds is None:
            return
        verdict = "holds the bound" if trial.holds else "does not hold the bound"
        tail = f", p{self.measure.percentile:g} {trial.tail:.4g} s" if trial.tail is not None else ""
        self.context.progress.log(f"{self.context.cell.id}: {trial.rate:.4g} arrivals a second: {verdict}{tail}")

    def _energy(self, meter: EnergyMeter, inferences: int) -> Quantity:
        """Joules of an inference since ``meter`` began: of the processor's packages, on this machine."""
        if self.sessions[0].session.pid is None:
            return Unavailable("the power of a device elsewhere is not read during a run")
        meter.read(time.perf_counter(), energy_counters(), {})
        missing = next(iter(meter.lost.values()), "")
        reason = f"of this machine's processor (RAPL), {missing}" if missing else NO_COUNTER
        return energy_per_inference([(rails_of(meter.joules, meter.lost), inferences)], reason, "the time under load")


def _energy_meter() -> EnergyMeter:
    meter = EnergyMeter()
    meter.read(time.perf_counter(), energy_counters(), {})
    return meter


@contextlib.contextmanager
def _opened(context: CellContext, result: CellResult | None) -> Iterator[list[Deployment]]:
    """The sessions of the load, each a deployment of its own."""
    count = context.measure.streams or 1
    with contextlib.ExitStack() as stack:
        sessions: list[Deployment] = []
        for _ in range(count):
            deployment = Deployment(
                context.cell,
                context.artifact,
                context.target,
                context.measure,
                context.progress,
                context.check_deployed,
            )
            sessions.append(stack.enter_context(deployment))
            if result is not None and context.series(deployment.identity) != result.rounds[0].series:
                raise SeriesChangedError(
                    f"{context.target.address} or edgerig itself is not what it was in round 1: its times are no "
                    "round of the same.",
                    "Measure again, with a device and an edgerig that stay as they are.",
                )
        yield sessions


def _measure(context: CellContext, result: CellResult | None, number: int | None) -> UnderLoadRound:
    measure, sleep = context.measure, SleepWatch()
    if number is None:
        number = 1 if result is None else len(result.rounds) + 1
    with _opened(context, result) as sessions:
        load, report = _Load(context, sessions), sessions[0].session.load_report
        refuse_emulated(report, "latency under load")
        machine = machine_of(sessions[0].session)
        alone = load.alone()
        bound = measure.bound_seconds
        if bound is not None and bound < alone:
            raise IncompatibleError(
                f"A latency bound of {bound:.4g} s cannot be held by {context.cell.id}: one request alone takes "
                f"{alone:.4g} s, there and back.",
                "Choose a longer bound, or a faster network or device.",
            )
        if measure.scenario == "streams":
            entry, answers = load.streams(number, alone)
        else:
            entry, answers = load.server(number, alone, _earlier_rate(result))
    doubts = doubts_about(entry, measure, cores=machine.cores, threads=report.threads)
    slept = sleep.slept()
    entry = replace(entry, warnings=(*doubts, *([slept] if slept else [])))
    arrays = {
        "due_ns": answers.due,
        "sent_ns": answers.sent,
        "done_ns": answers.done,
        "late_ns": answers.late,
        "inference_ns": answers.inference,
        "session": answers.session,
    }
    return UnderLoadRound(round=entry, arrays=arrays, clock=report.clock)


def _earlier_rate(result: CellResult | None) -> float | None:
    """The rate of the latest round that has one: where the search begins."""
    rounds = result.under_load.rounds if result is not None and result.under_load else ()
    return next((entry.rate for entry in reversed(rounds) if entry.rate is not None), None)
