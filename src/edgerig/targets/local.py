"""This machine as a target: the network runs in a fresh process of its own."""

from __future__ import annotations

import socket
from typing import Any

from edgerig.agent.worker_process import WorkerLimits, WorkerProcess
from edgerig.artifact import Artifact
from edgerig.environments.choice import SETTING, interpreter_for
from edgerig.formats.payload import OVERHEAD
from edgerig.measure.machine import MachineState, observe
from edgerig.plugins import find
from edgerig.runtimes.base import Runtime
from edgerig.targets.base import Session, Target
from edgerig.targets.remote.session import WireSession
from edgerig.targets.settings import LinkSettings
from edgerig.wire.client import WireClient
from edgerig.wire.frame import Limits
from edgerig.wire.link import PairLink


class LocalSettings(LinkSettings, frozen=True, kw_only=True):
    """Settings of the local target."""


class Local(Target):
    """This machine. Each session is a process of its own, so that memory and threads are the network's alone."""

    name = "local"
    summary = "this machine; a fresh process for each network"
    Settings = LocalSettings
    settings: LocalSettings
    address = "local"
    side_by_side = True
    chooses_interpreter = True

    def __init__(self, settings: LocalSettings | None = None) -> None:
        super().__init__(settings)
        #: Those that are open.
        self._sessions: dict[WireClient, Session] = {}

    def check(self) -> MachineState:
        return observe()

    def open(self, artifact: Artifact, runtime: str, options: dict[str, Any]) -> Session:
        interpreter = interpreter_for(find("runtime", runtime, Runtime, keyed=False), options.get(SETTING))
        if interpreter is not None:
            self.log(f"{runtime} runs in Python {interpreter.version}, {interpreter.prefix}")
        ours, theirs = socket.socketpair()
        try:
            # The network is a local file and trusted: no limit on its size.
            largest = max(artifact.size + OVERHEAD, WorkerLimits().model)
            limits = WorkerLimits(model=largest, message=Limits().payload, libraries=None)
            worker = WorkerProcess(theirs, limits=limits, interpreter=interpreter)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        client = WireClient(
            # The peer is our own process: it may take long to start, but it will answer.
            PairLink(ours),
            who="The local process",
            timeout=self.settings.timeout,
            hello_timeout=self.settings.timeout,
            why_gone=worker.why_dead,
            ours=True,
        )
        try:
            client.hello()
            session = WireSession(
                client,
                artifact,
                runtime,
                options,
                protocol=self.settings.protocol,
                on_close=lambda: self._ended(client, worker),
            )
        except BaseException:
            client.close()
            worker.kill()
            raise
        session.pid = worker.pid
        self._sessions[client] = session
        return session

    def _ended(self, client: WireClient, worker: WorkerProcess) -> None:
        self._sessions.pop(client, None)
        if client.broken:
            worker.kill()
        else:
            worker.end()

    def close(self) -> None:
        for session in list(self._sessions.values()):
            session.close()
