"""A network on its device, kept there: if the device goes away and comes back, it is deployed again."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Artifact
from edgerig.errors import EdgerigError, LeaseError, TargetError
from edgerig.progress import Progress
from edgerig.spec.plan import Cell
from edgerig.spec.types import Measure
from edgerig.targets.base import DeviceRun, Session, Target

Array = NDArray[Any]
#: Samples are sent, and their results kept, in pieces of about so many seconds.
PIECE_SECONDS = 2.0
FIRST_PIECE = 64
#: Pause between two tries to reach a device that went away, in seconds.
RETRY_EVERY = 0.5


class Deployment:
    """One artifact on one target, from opening to closing.

    Attributes:
        session: The session now; another one after an interruption.
        interruptions: What interrupted it, in sentences.
    """

    def __init__(
        self, cell: Cell, artifact: Artifact, target: Target, how: Measure, progress: Progress,
        check: Callable[[Session], None],
    ) -> None:  # fmt: skip
        self.cell, self.artifact, self.target, self.how, self.progress = cell, artifact, target, how, progress
        self.interruptions: list[str] = []
        self._check = check
        self._piece = FIRST_PIECE
        self._warmup: Array | None = None
        self._failed_at: int | None = None
        self.session = self._open()

    def warm_up(self, inputs: Array) -> None:
        """Run ``how.warmup`` samples out of ``inputs``, (n, ...); the same again after every interruption."""
        self._warmup = np.resize(inputs, (self.how.warmup, *inputs.shape[1:])) if self.how.warmup else None
        if self._warmup is not None:
            self.session.run([self._warmup])

    def pieces(self, inputs: Array, first: int, done: Callable[[int], None]) -> Any:
        """Run ``inputs``, (n, ...), piece by piece; yields the place of each piece and its `DeviceRun`.

        A piece that the device broke off is run again once the device is back.

        Args:
            first: Place of the first sample in the whole test set, for messages.
            done: Hears how many more samples are finished.

        Raises:
            TargetError: The device stayed away, or went away twice at the same sample.
        """
        place = 0
        while place < len(inputs):
            count = min(self._piece, len(inputs) - place)
            start = time.monotonic()
            try:
                run: DeviceRun = self.session.run([inputs[place : place + count]])
            except TargetError as error:
                self._recover(error, first + place)
                continue
            seconds = max(time.monotonic() - start, 1e-6)
            # At most four times as many as before: the first few may be slow for reasons of their own.
            self._piece = max(1, min(self._piece * 4, int(count * PIECE_SECONDS / seconds)))
            yield place, run
            place += count
            done(count)

    def close(self) -> None:
        """End the session."""
        self.session.close()

    def __enter__(self) -> Deployment:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> Session:
        session = self.target.open(self.artifact, self.cell.runtime.use, self.cell.runtime.options)
        try:
            self._check(session)
        except BaseException:
            session.close()
            raise
        return session

    def _recover(self, error: TargetError, place: int) -> None:
        """Wait for the device, deploy again, warm up again."""
        if self.how.patience == 0 or self._failed_at == place:
            raise error
        self._failed_at, start = place, time.monotonic()
        self.progress.log(f"{self.cell.id}: {error.message} Waiting up to {self.how.patience:g} s for it to come back.")
        with contextlib.suppress(EdgerigError):
            self.session.close()
        while True:
            try:
                self.session = self._open()
                break
            except TargetError as again:
                if isinstance(again, LeaseError) and again.retry_after is None:
                    raise  # another run has the device now: waiting does not bring it back
                if time.monotonic() - start > self.how.patience:
                    raise error from None
                time.sleep(RETRY_EVERY)
        if self._warmup is not None:
            self.session.run([self._warmup])
        away = time.monotonic() - start
        text = f"The device was away for {away:.1f} s after sample {place} ({error.message.rstrip('.')})."
        self.interruptions.append(text)
        self.progress.log(f"{self.cell.id}: goes on at sample {place}")
