"""A device on the network, where ``edgerig agent`` runs."""

from __future__ import annotations

import contextlib
import select
import subprocess
import sys
from typing import Annotated, Any

import msgspec

from edgerig.agent.server import Address, parse_address
from edgerig.agent.spawn import environment
from edgerig.artifact import Artifact
from edgerig.errors import SpecError, TargetError
from edgerig.measure.machine import MachineState
from edgerig.plugins import Settings
from edgerig.targets.base import Session, Target
from edgerig.targets.session import Protocol, WireSession
from edgerig.wire.client import WireClient
from edgerig.wire.link import connect_tcp

#: Seconds that an agent gets to start, and to answer a connection.
START_SECONDS = 30.0
CONNECT_SECONDS = 10.0


class TcpSettings(Settings, frozen=True, kw_only=True):
    """Settings of a device that is reached by TCP."""

    timeout: Annotated[
        float, msgspec.Meta(description="seconds without an answer after which the device counts as gone", gt=0)
    ] = 60.0
    protocol: Annotated[
        Protocol,
        msgspec.Meta(description="run: many samples a message; stepwise: DATA, PROCESS, OUTPUT, STATS for each"),
    ] = "run"
    checksum: Annotated[bool, msgspec.Meta(description="give payloads a CRC-32 on top of TCP's own")] = True
    start: Annotated[
        bool, msgspec.Meta(description="start an agent at this loopback address for the run, if none answers there")
    ] = False


class Tcp(Target):
    """An agent at ``tcp://HOST:PORT``. If it is not there, that is an error: nothing is measured in its stead."""

    name = "tcp"
    summary = "a device where `edgerig agent` runs: tcp://HOST:PORT"
    Settings = TcpSettings
    settings: TcpSettings

    def __init__(self, settings: TcpSettings | None = None) -> None:
        super().__init__(settings)
        self.address = "tcp://127.0.0.1:7433"
        self._sessions: list[Session] = []
        self._agent: subprocess.Popen[bytes] | None = None

    @classmethod
    def check_address(cls, address: str) -> None:
        place = parse_address(address if "://" in address else "")
        if place.port == 0:
            raise SpecError(f"{address!r} has no port to connect to.", "Name the port that the agent listens on.")

    @property
    def description(self) -> str:
        return self.address + (" (agent started by this run)" if self._agent is not None else "")

    def check(self) -> MachineState:
        client, state = self._connect()
        client.close()
        return state

    def open(self, artifact: Artifact, runtime: str, options: dict[str, Any]) -> Session:
        client, _ = self._connect()
        try:
            session = WireSession(client, artifact, runtime, options, protocol=self.settings.protocol)
        except BaseException:
            client.close()
            raise
        self._sessions.append(session)
        return session

    def close(self) -> None:
        while self._sessions:
            self._sessions.pop().close()
        agent, self._agent = self._agent, None
        if agent is not None:
            agent.terminate()
            try:
                agent.wait(10)
            except subprocess.TimeoutExpired:
                agent.kill()
                agent.wait()
            for pipe in (agent.stdin, agent.stdout):
                if pipe is not None:
                    pipe.close()

    def _connect(self) -> tuple[WireClient, MachineState]:
        """A client that has said hello, and the device's state."""
        place = parse_address(self.address)
        try:
            link = connect_tcp(place.host, place.port, CONNECT_SECONDS)
        except OSError as error:
            if self.settings.start and self._agent is None:
                self._start(place)
                return self._connect()
            raise self._absent(place, error) from error
        client = WireClient(link, who=self.address, timeout=self.settings.timeout, checked=self.settings.checksum)
        try:
            return client, client.hello()
        except BaseException:
            client.close()
            raise

    def _absent(self, place: Address, error: OSError) -> TargetError:
        why = error.strerror or str(error) or type(error).__name__
        return TargetError(
            f"No agent answers at {self.address}: {why}.",
            f"Start one on that device: edgerig agent --listen {place.host}:{place.port}"
            + (", or let the run do it with the target's setting `start: true`." if place.loopback else "")
            + ("" if place.loopback else " --insecure (docs/agent.md has a safer way)."),
        )

    def _start(self, place: Address) -> None:
        """Start an agent, and wait until it listens."""
        if not place.loopback:
            raise SpecError(
                f"`start: true` works on this machine only, not at {self.address}.",
                "Start the agent on the device itself, and leave `start` out.",
            )
        host = f"[{place.host}]" if ":" in place.host else place.host
        words = [sys.executable, "-P", "-m", "edgerig", "agent", "--listen", f"{host}:{place.port}", "--until-eof"]
        # A session of its own: Ctrl-C is for the run, which then ends the agent; --until-eof if the run cannot.
        agent = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
            env=environment(),
        )  # fmt: skip
        self._agent = agent
        assert agent.stdout is not None
        ready, _, _ = select.select([agent.stdout], [], [], START_SECONDS)
        line = agent.stdout.readline().decode(errors="replace") if ready else ""
        if "listening on" not in line:
            words_of_it = line.strip()
            if ready:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    words_of_it += " " + agent.communicate(timeout=2)[0].decode(errors="replace").strip()
            self.close()
            raise TargetError(f"The agent for {self.address} did not start. {words_of_it}".strip())
