"""What all targets have in common that are reached over one link and speak the wire."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from edgerig.artifact import Artifact
from edgerig.measure.machine import MachineState
from edgerig.targets.base import Session, Target
from edgerig.targets.session import Protocol, WireSession
from edgerig.wire.client import WireClient


class WiredTarget(Target):
    """A target over a link. Subclasses say how to connect, and what protocol their settings ask for."""

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        self._sessions: list[Session] = []

    @abstractmethod
    def connect(self) -> WireClient:
        """A client over a fresh link that nothing was said on yet.

        Raises:
            TargetError: The device cannot be reached.
        """

    def check(self) -> MachineState:
        client, state = self._greet()
        client.close()
        return state

    def open(self, artifact: Artifact, runtime: str, options: dict[str, Any]) -> Session:
        client, _ = self._greet()
        protocol: Protocol = self.settings.protocol
        try:
            session = WireSession(client, artifact, runtime, options, protocol=protocol)
        except BaseException:
            client.close()
            raise
        self._sessions.append(session)
        return session

    def close(self) -> None:
        while self._sessions:
            self._sessions.pop().close()

    def _greet(self) -> tuple[WireClient, MachineState]:
        """A client that has said hello, and the device's state."""
        client = self.connect()
        try:
            return client, client.hello()
        except BaseException:
            client.close()
            raise
