"""The base class of targets that are reached over a link and speak the wire protocol."""

from __future__ import annotations

import weakref
from abc import abstractmethod
from typing import Any, ClassVar

from edgerig.artifact import Artifact
from edgerig.errors import IncompatibleError, TargetError
from edgerig.measure.machine import MachineState
from edgerig.targets.base import Session, Target
from edgerig.targets.remote.lease_holder import LeaseHolder
from edgerig.targets.remote.session import WireSession
from edgerig.targets.settings import Protocol
from edgerig.text import counted
from edgerig.wire.client import WireClient


class WiredTarget(Target):
    """A target over a link. Subclasses say how to connect, and what protocol their settings ask for.

    Class attributes:
        leased: Whether more than one host can come there, so that one run must own the device.
    """

    leased: ClassVar[bool] = False

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        self._sessions: list[tuple[int, WireSession]] = []
        self._most_sessions = 1
        self._lease_holder: LeaseHolder | None = None

    @abstractmethod
    def connect(self) -> WireClient:
        """A client over a new link, before HELLO.

        Raises:
            TargetError: The device cannot be reached.
        """

    def make_lease_holder(self) -> LeaseHolder:
        """The `LeaseHolder` of this run."""
        return LeaseHolder(weakly(self), None, False, 0.0)

    def check(self) -> MachineState:
        if self.leased:
            return self._owner().hold()
        client, state = self._greet()
        client.close()
        return state

    def open(self, artifact: Artifact, runtime: str, options: dict[str, Any]) -> Session:
        number = self._free_number() if self.leased else 0
        client, _ = self._owner().greet(number) if self.leased else self._greet()
        protocol: Protocol = self.settings.protocol
        try:
            session = WireSession(
                client,
                artifact,
                runtime,
                options,
                protocol=protocol,
                # As long as the session is used, so is the target, though nobody else may remember it.
                on_close=self._session_closed,
            )
        except BaseException:
            client.close()
            raise
        self._sessions.append((number, session))
        return session

    def allow_sessions(self, count: int) -> None:
        super().allow_sessions(count)
        if count > 1:
            self._check_sessions(count)
        self._most_sessions = count

    def _check_sessions(self, count: int) -> None:
        """See that the device serves so many sessions of one run; the error names an agent that is too old."""
        holder = self._owner()
        if holder.device is None:
            holder.hold()
        device = holder.device
        most = device.grant.sessions if device is not None and device.grant is not None else 0
        if most >= count:
            return
        if most == 0:
            software = device.software if device is not None and device.software else "a device"
            raise IncompatibleError(
                f"{self.address} runs {software}, which serves one session of a run at a time, and {count} were asked "
                "for.",
                "Install this edgerig there and start its agent again, or ask for 1 stream.",
            )
        raise IncompatibleError(
            f"The agent at {self.address} serves {counted(most, 'session')} of a run at once, and "
            f"{count} were asked for.",
            f"Start it with --streams {count}, or ask for fewer streams.",
        )

    def _free_number(self) -> int:
        """The lowest number that no session of this run has.

        Raises:
            TargetError: It has as many sessions as it may.
        """
        taken = {number for number, session in self._sessions if session.alive}
        for number in range(self._most_sessions):
            if number not in taken:
                return number
        what = "a session" if self._most_sessions == 1 else f"{self._most_sessions} sessions"
        raise TargetError(f"{self.address} is busy: this run has {what} there already.", "Close one before.")

    def close(self) -> None:
        while self._sessions:
            self._sessions.pop()[1].close()
        if self._lease_holder is not None:
            self._lease_holder.close()

    def _session_closed(self) -> None:
        self._sessions = [(number, session) for number, session in self._sessions if session.alive]

    def _owner(self) -> LeaseHolder:
        if self._lease_holder is None:
            self._lease_holder = self.make_lease_holder()
            # A target that is dropped without `close` must not keep the lease.
            weakref.finalize(self, self._lease_holder.close)
        return self._lease_holder

    def _greet(self) -> tuple[WireClient, MachineState]:
        """A client that has said hello, and the device's state."""
        client = self.connect()
        try:
            return client, client.hello()
        except BaseException:
            client.close()
            raise


def weakly(target: WiredTarget) -> Any:
    """`target.connect` that does not keep ``target`` alive."""
    method = weakref.WeakMethod(target.connect)

    def connect() -> WireClient:
        bound = method()
        if bound is None:
            raise ReferenceError("the target is gone")
        return bound()

    return connect
