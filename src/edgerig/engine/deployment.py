"""A network on its device, kept there: if the device goes away and comes back, it is deployed again."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Artifact
from edgerig.errors import AnswerError, EdgerigError, LeaseError, TargetError
from edgerig.progress import Progress
from edgerig.rig.plan import Cell
from edgerig.rig.types import Measure
from edgerig.targets.base import DeviceRun, LoadReport, Session, Target
from edgerig.text import one_line

Array = NDArray[Any]
Answer = TypeVar("Answer")
#: Bytes of inputs that are sent at once to warm up.
PIECE_BYTES = 64 << 20
#: Samples are sent, and their results kept, in pieces of about so many seconds.
PIECE_SECONDS = 2.0
FIRST_PIECE = 64
#: Pause between two tries to reach a device that went away, in seconds.
RETRY_EVERY = 0.5
#: What a device that comes back each time goes away over is tried so many times: chance may strike more than once.
CHANCES = 4


class Deployment:
    """One artifact on one target, from opening to closing.

    A device that goes away, wherever that is, is waited for up to ``measure.patience`` seconds; then the same artifact
    is deployed again, warmed up if it was before, and what was under way is done again. If it goes away at the same
    place over and over, or still after ``measure.patience`` seconds, and not one sample was finished meanwhile, that is
    an error.

    Attributes:
        session: The session now; another one after an interruption.
        interruptions: What interrupted it, in sentences.

    Raises:
        TargetError: The device is not there, or refuses the network. AnswerError: it answers what cannot be.
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
        self._warmup: Array | None = None
        #: When the device went away since something was last finished, by where.
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
        """Seconds that the host waited longest for an answer, beside its inferences, in any session."""
        return max(self._waited, self.session.longest_wait())

    @property
    def identity(self) -> LoadReport:
        """What the device told when it loaded the network, without what differs from one loading to the next."""
        assert self._report is not None
        return self._report

    @property
    def session(self) -> Session:
        """The session now; another one after an interruption."""
        assert self._opened is not None
        return self._opened

    def ask(self, where: str, question: Callable[[Session], Answer]) -> Answer:
        """What ``question`` gets out of the session; it is put again, from its beginning, to a device that came back.

        Args:
            where: What is under way meanwhile, for messages: ``"in the profile"``.

        Raises:
            TargetError: The device stayed away, or went away over this question again and again.
        """
        while True:
            try:
                answer = question(self.session)
            except TargetError as error:
                self._recover(error, where)
                continue
            self._losses.clear()
            return answer

    def first(self, inputs: Array) -> int:
        """On-device time in ns of the first inference since the network was deployed, of ``inputs[0]``."""
        return self.ask("in the first inference", lambda session: int(session.run([inputs[:1]]).times_ns[0]))

    def warm_up(self, inputs: Array) -> None:
        """Run ``measure.warmup`` samples out of ``inputs``, (n, ...); the same again after every interruption.

        Without a warm-up one sample is run then, so that no first inference gets among those that are measured.
        """
        if self.measure.warmup:
            try:
                self._run_again(self.session, inputs)
            except TargetError as error:
                self._warmup = inputs
                self._recover(error, "in the warm-up")
        self._warmup = inputs
        self._losses.clear()

    def _run_again(self, session: Session, inputs: Array) -> None:
        """The warm-up, in pieces that take no more memory than `PIECE_BYTES`, or one sample."""
        left = max(1, self.measure.warmup)
        most = max(1, PIECE_BYTES // max(1, inputs[:1].nbytes))
        while left:
            count = min(left, most)
            session.run([np.resize(inputs[:most], (count, *inputs.shape[1:]))])
            left -= count

    def batches(self, inputs: Array, first: int | None, done: Callable[[int], None]) -> Iterator[DeviceRun]:
        """Run ``inputs``, (n, ...), one an inference, piece by piece; yields the results of each, without gaps.

        After an interruption the first sample that runs is the first whose result had not arrived.

        Args:
            first: How many inferences came before in the whole test set, for messages; None if they run again for
                their times alone.
            done: Hears how many more inferences are finished.

        Raises:
            TargetError: The device stayed away, or went away at the same sample again and again.
        """
        position = 0
        while position < len(inputs):
            count = min(self._piece, len(inputs) - position)
            start = time.monotonic()
            lost: TargetError | None = None
            run: DeviceRun | None
            try:
                run = self.session.run([inputs[position : position + count]])
            except TargetError as error:
                run, lost = self.session.arrived, error
            seconds = max(time.monotonic() - start, 1e-6)
            if run is not None:
                self._losses.clear()
                yield run
                position += len(run.times_ns)
                done(len(run.times_ns))
            if lost is None:
                # At most twice as many as before: the first few may be slow for reasons of their own.
                self._piece = max(1, min(self._piece * 2, int(count * PIECE_SECONDS / seconds)))
                continue
            # Results come many at once. If one certain sample ends the device, each try halves the way to it at least.
            self._piece = 1
            where = f"after sample {((first or 0) + position) * self.artifact.inputs[0].batch}"
            self._recover(lost, where if first is not None else f"{where} of a repetition")

    def close(self) -> None:
        """End the session."""
        self.session.close()

    def __enter__(self) -> Deployment:
        return self

    def __exit__(self, *_: object) -> None:
        # All is measured, or an error is on its way: neither is to be lost to a device that does not end well.
        try:
            self.close()
        except Exception as error:
            self.progress.log(f"{self.cell.id}: ending the session failed: {error}")

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
        """Times of two different devices, engines or settings are no one series."""
        # A clock's resolution is measured anew in every process, and may come out a tick apart.
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
        """Wait for the device, deploy again, warm up again, until the device is where it was when it went away."""
        if isinstance(error, AnswerError):
            raise error  # it is there, and said what it says
        start, first, lost = time.monotonic(), error, where
        while True:
            self._count(error, lost)
            self.progress.log(
                f"{self.cell.id}: {error.message} Waiting up to {self.measure.patience:g} s for it to come back."
            )
            self._opened = self._come_back(error)
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
        """Note that the device went away, unless it did so too often."""
        if self.measure.patience == 0:
            raise error
        losses = self._losses.setdefault(where, [])
        losses.append(time.monotonic())
        if len(losses) >= CHANCES or losses[-1] - losses[0] > self.measure.patience:
            raise TargetError(f"{error.message} That was loss {len(losses)} {where}.", error.hint) from error

    def _come_back(self, error: TargetError) -> Session:
        """A session with a device that ``error`` told to be gone."""
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
                    raise  # it says what it says, or another run has the device now: waiting does not bring it back
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
