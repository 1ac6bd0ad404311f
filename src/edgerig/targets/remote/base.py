"""The base class of targets that are reached over a link and speak the wire protocol."""

from __future__ import annotations

import weakref
from abc import abstractmethod
from typing import Any, ClassVar

from edgerig.artifact import Artifact
from edgerig.errors import TargetError
from edgerig.measure.machine import MachineState
from edgerig.targets.base import Session, Target
from edgerig.targets.remote.lease_holder import LeaseHolder
from edgerig.targets.remote.session import WireSession
from edgerig.targets.settings import Protocol
from edgerig.wire.client import WireClient


class WiredTarget(Target):
    """A target over a link. Subclasses say how to connect, and what protocol their settings ask for.

    Class attributes:
        leased: Whether more than one host can come there, so that one run must own the device.
    """

    leased: ClassVar[bool] = False

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        self._sessions: list[WireSession] = []
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
        if self.leased and any(session.alive for session in self._sessions):
            raise TargetError(
                f"{self.address} is busy: this run has a session there already.", "Close that one before."
            )
        client, _ = self._owner().greet() if self.leased else self._greet()
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
        self._sessions.append(session)
        return session

    def close(self) -> None:
        while self._sessions:
            self._sessions.pop().close()
        if self._lease_holder is not None:
            self._lease_holder.close()

    def _session_closed(self) -> None:
        self._sessions = [session for session in self._sessions if session.alive]

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
