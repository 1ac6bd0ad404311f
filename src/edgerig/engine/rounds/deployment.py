"""A network kept deployed on its device: after a device was lost and came back, it is deployed again."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Artifact
from edgerig.datasets.batches import rows
from edgerig.datasets.network_inputs import inputs_of
from edgerig.engine.samples.sequences import Sequences, joined_runs
from edgerig.errors import AnswerError, EdgerigError, LeaseError, TargetError
from edgerig.progress import Progress
from edgerig.rig.plan import Cell
from edgerig.rig.types import Measure
from edgerig.targets.base import DeviceRun, LoadReport, Session, Target
from edgerig.text import cause_of, one_line

Array = NDArray[Any]
Answer = TypeVar("Answer")
#: Bytes of inputs that are sent in one message to warm up.
PIECE_BYTES = 64 << 20
#: Samples are sent, and their results stored, in portions of about this many seconds.
PIECE_SECONDS = 2.0
FIRST_PIECE = 64
#: Pause between two attempts to reach a lost device, in seconds.
RETRY_EVERY = 0.5
#: Attempts at a request during which the device is lost each time: more than one, since it may be chance.
CHANCES = 4


class Deployment:
    """One artifact on one target, from opening to closing.

    A lost device is waited for up to ``measure.patience`` seconds; then the same artifact is deployed again, warmed up
    if it was before, and the interrupted request is repeated. It is an error if the device is lost during the same
    request over and over, or if ``measure.patience`` seconds pass without one finished sample.

    Attributes:
        session: The current session; another one after an interruption.
        interruptions: Descriptions of the interruptions, in sentences.

    Raises:
        TargetError: The device is not there, or refuses the network. AnswerError: its answer is impossible.
        InferenceError: Its engine refuses the network.
    """

    def __init__(
        self,
        cell: Cell,
        artifact: Artifact,
        target: Target,
        measure: Measure,
        progress: Progress,
        check: Callable[[Session], None],
    ) -> None:
        self.cell, self.artifact, self.target, self.measure, self.progress = cell, artifact, target, measure, progress
        self.interruptions: list[str] = []
        self._check = check
        self._piece = FIRST_PIECE
        self._warmup: Sequence[Array] | None = None
        #: Number of times the device was lost since something last finished, by the request that it was lost in.
        self._losses: dict[str, list[float]] = {}
        self._opened: Session | None = None
        self._report: LoadReport | None = None
        self._waited = 0.0
        try:
            self._opened = self._open()
        except LeaseError:
            raise
        except TargetError as error:
            self._recover(error, "while the network was deployed")

    @property
    def longest_wait(self) -> float:
        """Longest wait for an answer in any session, in seconds, without the time of its inferences."""
        return max(self._waited, self.session.longest_wait())

    @property
    def identity(self) -> LoadReport:
        """What the device reported when it loaded the network, without the fields that differ between loads."""
        assert self._report is not None
        return self._report

    @property
    def session(self) -> Session:
        """The current session; another one after an interruption."""
        assert self._opened is not None
        return self._opened

    def ask(self, where: str, question: Callable[[Session], Answer]) -> Answer:
        """The result of ``question``, called with the session; called again if the device was lost and came back.

        Args:
            where: The current step, for messages: ``"in the profile"``.

        Raises:
            TargetError: The device did not come back, or was lost in this step again and again.
        """
        while True:
            try:
                answer = question(self.session)
            except TargetError as error:
                self._recover(error, where)
                continue
            self._losses.clear()
            return answer

    def first(self, inputs: Sequence[Array]) -> int:
        """On-device time in ns of the first inference since the network was deployed, of the first of ``inputs``."""
        return self.ask("in the first inference", lambda session: int(session.run(rows(inputs, 0, 1)).times_ns[0]))

    def warm_up(self, inputs: Sequence[Array]) -> None:
        """Run ``measure.warmup`` samples of ``inputs``, each (n, ...); the same again after every interruption.

        Without a warm-up, one sample is run after an interruption, so that no first inference is among the measured.
        """
        if self.measure.warmup:
            try:
                self._run_again(self.session, inputs)
            except TargetError as error:
                self._warmup = inputs
                self._recover(error, "in the warm-up")
        self._warmup = inputs
        self._losses.clear()

    def _run_again(self, session: Session, inputs: Sequence[Array]) -> None:
        """The warm-up, in messages of at most `PIECE_BYTES`, or one sample."""
        left = max(1, self.measure.warmup)
        most = max(1, PIECE_BYTES // max(1, sum(array.nbytes for array in rows(inputs, 0, 1))))
        while left:
            count = min(left, most)
            session.run([np.resize(array[:most], (count, *array.shape[1:])) for array in inputs])
            left -= count

    def batches(
        self,
        inputs: Sequence[Array],
        first: int | None,
        done: Callable[[int], None],
        sequences: Sequences | None = None,
    ) -> Iterator[DeviceRun]:
        """Run ``inputs``, each (n, ...), one per inference, in portions; yields the results of each, without gaps.

        After an interruption it continues with the first sample whose result had not arrived.

        Args:
            first: Number of inferences before these in the whole test set, for messages; None if the samples run again
                for their times alone.
            done: Called with the number of inferences that have finished since the last call.
            sequences: Where the state of a network that keeps one begins anew; by default it has none.

        Raises:
            TargetError: The device did not come back, or was lost at the same sample again and again.
        """
        position, total = 0, len(inputs[0])
        while position < total:
            count = min(self._piece, total - position)
            start = time.monotonic()
            lost: TargetError | None = None
            run: DeviceRun | None
            try:
                if sequences is None:
                    run = self.session.run(rows(inputs, position, count))
                else:
                    runs = list[DeviceRun]()
                    sequences.run(self.session, rows(inputs, position, count), (first or 0) + position, runs.append)
                    run = joined_runs(runs)
            except TargetError as error:
                run, lost = self.session.arrived if sequences is None else joined_runs(runs), error
            seconds = max(time.monotonic() - start, 1e-6)
            if run is not None:
                self._losses.clear()
                yield run
                position += len(run.times_ns)
                done(len(run.times_ns))
            if lost is None:
                # At most twice as many as before: the first few may be slow for other reasons.
                self._piece = max(1, min(self._piece * 2, int(count * PIECE_SECONDS / seconds)))
                continue
            # Many results arrive at once. If one sample kills the device, each attempt at least halves the distance to
            # it, since portions double from 1.
            self._piece = 1
            where = f"after sample {((first or 0) + position) * inputs_of(self.artifact).batch}"
            self._recover(lost, where if first is not None else f"{where} of a repetition")
            if sequences is not None and position < total:
                self._restore(sequences, (first or 0) + position)

    def _restore(self, sequences: Sequences, row: int) -> None:
        """Bring the state of a network that was deployed again to where it was; see `Sequences.restore`."""
        while True:
            try:
                sequences.restore(self.session, row)
            except TargetError as error:
                self._recover(error, "while its state was brought back")
                continue
            return

    def resume(self, sequences: Sequences | None, row: int) -> None:
        """Go on at ``row`` of the samples, where an earlier run has stopped."""
        if sequences is not None and row:
            self._restore(sequences, row)

    def close(self) -> None:
        """End the session."""
        self.session.close()

    def __enter__(self) -> Deployment:
        return self

    def __exit__(self, *_: object) -> None:
        # Everything is measured, or an error is being raised: a failure to end the session must hide neither.
        try:
            self.close()
        except Exception as error:
            self.progress.log(f"{self.cell.id}: ending the session failed: {cause_of(error)}")

    def _open(self) -> Session:
        session = self.target.open(self.artifact, self.cell.runtime.use, self.cell.runtime.options)
        try:
            self._check(session)
            self._check_same(session.load_report)
        except BaseException:
            session.close()
            raise
        return session

    def _check_same(self, report: LoadReport) -> None:
        """Times of two different devices, engines or settings do not form one series."""
        # A clock's resolution is measured anew in every process, and may differ by a tick.
        report_now = msgspec.structs.replace(report, load_seconds=0.0, clock=report.clock.partition(",")[0])
        before, self._report = self._report, report_now
        if before is None or report_now == before:
            return
        names = [name for name in report_now.__struct_fields__ if getattr(report_now, name) != getattr(before, name)]
        changes = ", ".join(f"{name} {getattr(before, name)} and then {getattr(report_now, name)}" for name in names)
        raise AnswerError(
            f"{self.target.address} came back as another device: it told {one_line(changes, 300)}.",
            "Measure again, with one device that stays the same.",
        )

    def _recover(self, error: TargetError, where: str) -> None:
        """Wait for the device, deploy and warm up again, until it is in the state in which it was lost."""
        if isinstance(error, AnswerError):
            raise error  # the device is there, so this is its answer
        start, first, lost = time.monotonic(), error, where
        while True:
            self._count(error, lost)
            self.progress.log(
                f"{self.cell.id}: {error.message} Waiting up to {self.measure.patience:g} s for it to come back."
            )
            self._opened = self._reopened(error)
            if self._warmup is None:
                break
            try:
                self._run_again(self._opened, self._warmup)
                break
            except TargetError as again:
                error, lost = again, "in the warm-up"
        away = time.monotonic() - start
        self.interruptions.append(f"The device was away for {away:.1f} s {where} ({first.message.rstrip('.')}).")
        self.progress.log(f"{self.cell.id}: goes on {where}")

    def _count(self, error: TargetError, where: str) -> None:
        """Count one loss of the device; raise ``error`` if it was lost too often."""
        if self.measure.patience == 0:
            raise error
        losses = self._losses.setdefault(where, [])
        losses.append(time.monotonic())
        if len(losses) >= CHANCES or losses[-1] - losses[0] > self.measure.patience:
            raise TargetError(f"{error.message} That was loss {len(losses)} {where}.", error.hint) from error

    def _reopened(self, error: TargetError) -> Session:
        """A new session with a device that was lost with ``error``."""
        start, refusals = time.monotonic(), 0
        with contextlib.suppress(EdgerigError, OSError):
            if self._opened is not None:
                self._waited = max(self._waited, self._opened.longest_wait())
                self._opened.close()
        while True:
            try:
                return self._open()
            except TargetError as again:
                if isinstance(again, AnswerError) or (isinstance(again, LeaseError) and again.retry_after is None):
                    raise  # the device answers, or another run holds it: waiting does not help
                if time.monotonic() - start > self.measure.patience:
                    raise TargetError(
                        f"{error.message} It was waited for, {self.measure.patience:g} s in vain.", error.hint
                    ) from error
                refusals += self._is_there()
                if refusals == CHANCES:
                    raise
                time.sleep(RETRY_EVERY)

    def _is_there(self) -> bool:
        try:
            self.target.check()
        except TargetError:
            return False
        return True
