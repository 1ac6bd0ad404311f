"""A server in the background of this process."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import socket
import threading
from collections.abc import Awaitable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from edgerig.agent.address import Address, parse_address
from edgerig.artifact import Artifact
from edgerig.errors import IncompatibleError, MissingExtraError, Overloaded, RequestError, UsageError
from edgerig.models.files import open_artifact
from edgerig.serve import http
from edgerig.serve.listening import Access, listen_at
from edgerig.serve.loop import LoopThread, wait_for
from edgerig.serve.pool import BATCH, QUEUE, Pool
from edgerig.serve.records import Records
from edgerig.serve.requests import Answer, Array
from edgerig.serve.service import Service
from edgerig.serve.video.settings import ViewSettings
from edgerig.serve.ways.base import Way
from edgerig.serve.ways.open_inference.grpc import OpenInferenceGrpc
from edgerig.serve.ways.open_inference.http import OpenInferenceHttp
from edgerig.serve.ways.page import Page
from edgerig.targets.base import Target
from edgerig.targets.resolve import runtime_for, target_for

T = TypeVar("T")
#: The HTTP port where none is said.
PORT = 8080
LAST_PORT = 65535
#: Seconds that accepted requests get when a server stops.
STOP_SECONDS = 30.0
#: Seconds that a session of this machine may take for a batch, which is some 0.1 s long.
ANSWER_SECONDS = 20.0
#: Most sessions on this machine by default, whatever the number of its cores.
MOST_SESSIONS = 8


class Server:
    """Serves one network, from now on until `stop`, or the end of its ``with`` block.

    Args:
        model: Its file, or an artifact.
        target: Where it runs: ``local``, ``tcp://pi:7433``, ``sim:stm32f746``; ``target_options`` are its settings.
        runtime: The engine there, with the settings ``options``; by default the usual one of the file's format.
        sessions: How many run side by side; by default one for each core of this machine, and one on other targets.
        batch: Samples that a session runs at once at most.
        queue: Samples that may wait; further requests are refused as an overload.
        listen: ``HOST:PORT`` of the HTTP port; port 0 takes a free one. None for no HTTP.
        ways: The ways in; the Open Inference Protocol by default.
        name: What clients call the network; by default the file's name without its suffix.
        tls: A folder of keys, as ``edgerig agent keys`` makes it. token: A secret that clients must show.
        insecure: Whether other addresses than loopback may be open to everybody.
        log: Where a line of JSON is written for each request.
        answer_seconds: How long a session of this machine may take for a batch before it counts as hung and is begun
            anew: `ANSWER_SECONDS` by default, or the target's setting ``timeout``. Not for one in this process, nor on
            another target.
        in_process: Whether the network runs in this process instead of one of its own: quicker, for one that is
            trusted not to crash or hang, since nothing ends then but this process.

    Attributes:
        address: Of the HTTP port, or of the first way that has one. addresses: Of each port, by the way's name; the
            HTTP port's is ``http``.

    Raises:
        UsageError: An address cannot be listened on, or is open to everybody. MissingExtraError: A server's library
            is not installed. ModelError, TargetError, InferenceError, IncompatibleError: The network cannot be run, or
            not with these options.
    """

    def __init__(
        self,
        model: Path | str | Artifact,
        *,
        target: str = "local",
        target_options: Mapping[str, Any] | None = None,
        runtime: str | None = None,
        options: Mapping[str, Any] | None = None,
        sessions: int | None = None,
        batch: int = BATCH,
        queue: int = QUEUE,
        listen: str | None = f"127.0.0.1:{PORT}",
        ways: Sequence[Way] | None = None,
        name: str | None = None,
        tls: Path | None = None,
        token: bytes | None = None,
        insecure: bool = False,
        log: io.TextIOBase | None = None,
        answer_seconds: float | None = None,
        in_process: bool = False,
    ) -> None:
        self.ways = default_ways() if ways is None else tuple(ways)
        self.access = Access(tls=tls, token=token, insecure=insecure)
        if listen is not None:
            http.require()
        for way in self.ways:
            way.require()
        artifact = model if isinstance(model, Artifact) else open_artifact(Path(model))
        device = target_for(target, dict(target_options or {}))
        self.pool = Pool(
            artifact,
            device,
            runtime or runtime_for(artifact, target),
            options,
            sessions=sessions or (1 if in_process else usual_sessions(device)),
            queue=queue,
            batch=batch,
            answer_seconds=_answer_seconds(answer_seconds, device, target_options or {}, in_process=in_process),
            in_process=in_process,
            rings=2 if any(way.shares_sessions(self.access) for way in self.ways) else 1,
        )
        self.service = Service(name or artifact.name, self.pool, Records(log))
        self.addresses: dict[str, Address] = {}
        self._listeners: list[tuple[Way | None, socket.socket]] = []
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        with contextlib.ExitStack() as undo:
            undo.callback(self._close_listeners)
            self._listen(listen)
            undo.callback(self.pool.close)
            self.pool.open()
            self._thread = LoopThread()
            undo.callback(self._thread.close)
            self._thread.run(self._start())
            undo.pop_all()

    @property
    def address(self) -> Address:
        """Where it listens: the HTTP port, or the port of the first way that has one."""
        return next(iter(self.addresses.values()))

    def infer(self, inputs: Mapping[str, Array], *, raw: bool = False) -> Answer:
        """Run n samples beside what clients ask; see `edgerig.serve.pool.Pool.infer`. Lists are taken as arrays.

        Raises:
            Overloaded: The server has stopped.
        """
        if self._stopped.is_set():
            raise Overloaded("The server has stopped.", "Start another one.")
        return self.run(self.pool.infer({name: _array(name, values) for name, values in inputs.items()}, raw=raw))

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine on the server's event loop, where its pool is used."""
        return self._thread.run(coroutine)

    def stop(self, deadline: float = STOP_SECONDS) -> None:
        """Take no new requests, finish those that were accepted within ``deadline`` seconds, and end; does nothing
        where it has ended."""
        with self._lock:
            if self._stopped.is_set():
                return
            try:
                self._thread.run(self._stop(deadline))
            finally:
                self._stopped.set()
                self._thread.close()

    def wait(self) -> None:
        """Wait until `stop` was called, or an exception, such as Ctrl-C, ends the wait."""
        wait_for(self._stopped)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # ---- ports

    def _listen(self, listen: str | None) -> None:
        if listen is None and not any(way.listens for way in self.ways):
            raise UsageError("The server would listen nowhere.", "Give an address, such as 127.0.0.1:8080.")
        http_port: int | None = None
        if listen is not None:
            http_port = self._open_port(None, "http", listen, PORT, takes_token=True)
        base = self.addresses.get("http")
        for way in self.ways:
            if way.listens:
                port = way.default_port(http_port)
                if not way.listen and port > LAST_PORT:
                    raise UsageError(
                        f"{way.name} listens at the port after HTTP's, and {http_port} is the last one.",
                        "Choose a lower port, or 0 for free ones.",
                    )
                text = way.listen or f"{_bracketed(base.host) if base is not None else '127.0.0.1'}:{port}"
                self._open_port(way, way.name, text, port, takes_token=way.takes_token)

    def _open_port(self, way: Way | None, name: str, text: str, port: int, *, takes_token: bool) -> int:
        """Listen; the port that was asked for, 0 for a free one."""
        wanted = parse_address(text, port)
        self.access.check(wanted, takes_token=takes_token)
        listener, address = listen_at(wanted)
        self._listeners.append((way, listener))
        self.addresses[name] = address
        return wanted.port

    def _close_listeners(self) -> None:
        for _, listener in self._listeners:
            listener.close()

    # ---- on the loop

    async def _start(self) -> None:
        self.pool.start()
        self._http: http.HttpServer | None = None
        try:
            await self._open_ways()
        except BaseException:
            await self._stop(0.0)
            raise

    async def _open_ways(self) -> None:
        for way, listener in self._listeners:
            if way is not None:
                await way.start(self.service, listener, self.access)
                continue
            app = http.application(self.service, self.ways, self.access)
            direct = [requests for way in self.ways if (requests := way.direct(self.service, self.access)) is not None]
            self._http = http.HttpServer(app, self.access.context, self.service.records, direct[0] if direct else None)
            self._serving = asyncio.get_running_loop().create_task(self._http.serve(listener))

    async def _stop(self, deadline: float) -> None:
        ends: list[Awaitable[None]] = [way.stop(deadline) for way in self.ways]
        if self._http is not None:
            self._http.stop(deadline)
            ends.append(self._serving)
        await asyncio.gather(*ends, return_exceptions=True)
        await self.pool.stop(deadline)
        self._close_listeners()


def default_ways(page_targets: Sequence[str] = (), view: ViewSettings | None = None) -> tuple[Way, ...]:
    """The Open Inference Protocol over HTTP, and over gRPC where that is installed; and a page (see `Page`)."""
    ways = OpenInferenceHttp(), Page(page_targets, view)
    grpc = OpenInferenceGrpc()
    try:
        grpc.require()
    except MissingExtraError:
        return ways
    return *ways, grpc


def usual_sessions(target: Target) -> int:
    """One for each core that this process may use, where they run on this machine; else one."""
    return min(len(os.sched_getaffinity(0)), MOST_SESSIONS) if target.side_by_side else 1


def _answer_seconds(
    seconds: float | None, target: Target, options: Mapping[str, Any], *, in_process: bool
) -> float | None:
    """How long a session may take for a batch; None for as long as the target's own setting says.

    Raises:
        IncompatibleError: A time was given, and no session could be begun anew after it.
    """
    if seconds is not None and in_process:
        raise IncompatibleError(
            "A network in the server's own process that hangs has the server hang: --answer-within cannot end it.",
            "Leave out --answer-within, or --in-process.",
        )
    if seconds is not None and not target.side_by_side:
        raise IncompatibleError(
            f"--answer-within is for sessions of this machine, and the network runs at {target.address}.",
            "Set the target's own limit: --target-option timeout=SECONDS.",
        )
    return ANSWER_SECONDS if seconds is None and "timeout" not in options else seconds


def _array(name: str, values: Any) -> Array:
    try:
        return np.asarray(values)
    except ValueError as error:
        raise RequestError(f"Input {name!r} is no regular array of numbers.") from error


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
