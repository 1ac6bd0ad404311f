"""Opens the sessions of a pool, each with the memory that it shares with this process."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from edgerig.artifact import Artifact
from edgerig.engine.samples.sequences import keeps_state
from edgerig.serve.in_process import InProcessSession
from edgerig.serve.lane import Opened
from edgerig.targets.base import Session, Target
from edgerig.targets.remote.ring_runs import RingRuns
from edgerig.targets.remote.session import WireSession


class Sessions:
    """Sessions of one network on one target.

    Args:
        artifact: The network. target: Where. runtime: The engine there, with its settings ``options``.
        answer_seconds: How long one of this machine may take for an answer; the target's ``timeout`` if None.
        in_process: Whether they run in this process instead.
        rings: 2 where somebody else than the pool is to run samples in them, too (`RingRuns`).

    Attributes:
        each_alone: Whether every request is a sequence of its own, of a network that keeps state.
    """

    def __init__(
        self,
        artifact: Artifact,
        target: Target,
        runtime: str,
        options: Mapping[str, Any],
        answer_seconds: float | None,
        *,
        in_process: bool = False,
        rings: int = 1,
    ) -> None:
        self._rings = rings
        self._artifact, self._target, self._runtime, self._options = artifact, target, runtime, dict(options)
        self._answer_seconds, self._in_process = answer_seconds, in_process
        self.each_alone = keeps_state(artifact)
        # Targets keep books of their sessions; only sessions of this machine are independent.
        self._opening = contextlib.nullcontext() if target.side_by_side else threading.Lock()

    def open_all(self, count: int, calls: Callable[[Session], int]) -> list[Opened]:
        """Open so many; none stays open where one cannot be had.

        Args:
            calls: Called with the first: how many inferences a ring's slot is to hold.

        Raises:
            TargetError: The target is not there. InferenceError: Its engine refuses the network.
            IncompatibleError: It holds fewer sessions.
        """
        self._target.allow_sessions(count)
        sessions, opened = [self._open()], list[Opened]()
        try:
            rows = calls(sessions[0])
            with ThreadPoolExecutor(max(1, count - 1)) as executor:
                others = [executor.submit(self._open) for _ in range(count - 1)]
            sessions += [future.result() for future in others if future.exception() is None]
            failed = [error for future in others if (error := future.exception()) is not None]
            if failed:
                raise failed[0]
            for session in sessions:
                opened.append((session, self._ring(session, rows)))
        except BaseException:
            for _, ring in opened:
                if ring is not None:
                    ring.close()
            for session in sessions:
                session.close()
            raise
        return opened

    def open(self, rows: int) -> Opened:
        """Open one more, with a ring for so many inferences in a slot. Raises what `open_all` does."""
        session = self._open()
        try:
            return session, self._ring(session, rows)
        except BaseException:
            session.close()
            raise

    def _open(self) -> Session:
        if self._in_process:
            return InProcessSession(self._artifact, self._runtime, self._options)
        with self._opening:
            session = self._target.open(self._artifact, self._runtime, self._options)
        if self._answer_seconds is not None and isinstance(session, WireSession) and session.pid is not None:
            session.client.expect_within(self._answer_seconds)
        return session

    def _ring(self, session: Session, rows: int) -> RingRuns | None:
        """Memory shared with a session of this machine, unless its network's state must be reset by messages."""
        if self.each_alone or not RingRuns.serves(session):
            return None
        assert isinstance(session, WireSession)
        return RingRuns(session, rows, self._rings)
