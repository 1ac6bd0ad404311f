"""The digits' protocol: FlatBuffers messages over TCP, one inference a connection, or many, also pipelined."""

from __future__ import annotations

import asyncio
import logging
import math
import socket
import time
from functools import partial
from typing import Any, ClassVar

from edgerig.errors import IncompatibleError
from edgerig.serve.listening import BACKLOG, Access
from edgerig.serve.service import Service
from edgerig.serve.sockets import SocketServer, available
from edgerig.serve.tls_sockets import TlsTransport
from edgerig.serve.ways.base import Way
from edgerig.serve.ways.digits_connections import (
    IDLE_SECONDS,
    REQUEST_SECONDS,
    TAKING_SECONDS,
    Clients,
    Connection,
)
from edgerig.serve.ways.digits_front import Front, takes
from edgerig.serve.ways.digits_groups import NAME
from edgerig.serve.ways.digits_library import front_library, quantizer_in_c
from edgerig.wire.digits.layout import encode_stats_reply
from edgerig.wire.digits.messages import OUTPUTS, PIXELS, PORT, Mode, StatsReply

_logger = logging.getLogger(__name__)
#: Version that a request for statistics is answered with.
VERSION = 1
#: Seconds between two looks for connections that are too slow, and between two looks whether all have ended.
SWEEP_SECONDS, LOOK_SECONDS = 5.0, 0.01


class Digits(Way):
    """Answers 3180-byte requests with 96-byte replies, and requests for statistics.

    Args:
        listen: ``HOST:PORT``; by default port 32001.
        in_c: Whether connections without TLS are looked after by code in C, where a C compiler is there to build it and
            sessions share memory with this process (`edgerig.serve.ways.digits_front`); else that is done in Python.
    """

    name: ClassVar[str] = NAME
    listens: ClassVar[bool] = True
    takes_token: ClassVar[bool] = False

    def __init__(self, listen: str | None = None, *, in_c: bool = True) -> None:
        super().__init__(listen)
        self.in_c = in_c
        self._front: Front | None = None
        self._clients: Clients | None = None
        self._server: asyncio.Server | SocketServer | None = None
        self._sweeper: asyncio.Task[None] | None = None

    def default_port(self, http_port: int | None) -> int:
        return 0 if http_port == 0 else PORT

    def shares_sessions(self, access: Access) -> bool:
        return self.in_c and access.context is None and front_library() is not None

    @property
    def looked_after_in(self) -> str:
        """What its connections are looked after in: C or Python."""
        return "Python" if self._front is None else "C"

    async def start(self, service: Service, listener: socket.socket, access: Access) -> None:
        shape, output = check_network(service)
        # What runs the network tells no clock of its processor.
        stats = encode_stats_reply(StatsReply(VERSION, 0, Mode.NONE))
        library = front_library() if self.shares_sessions(access) else None
        if library is not None and takes(service.pool, output):
            # The other ways in have it, too.
            service.pool.tensors.quantize_by(partial(quantizer_in_c, library))
            self._front = Front(library, listener, service.pool, service.records, stats, output)
            self._sweeper = asyncio.get_running_loop().create_task(_sweep_front(self._front))
            _logger.info("connections of digits are looked after in C")
            return
        _logger.info("connections of digits are looked after in Python")
        self._clients = clients = Clients(service.pool, service.records, stats, shape, output)
        loop = asyncio.get_running_loop()

        def receiver() -> Any:
            connection = Connection(clients)
            return connection if access.context is None else TlsTransport(access.context, connection)

        if available():
            self._server = SocketServer(listener, receiver)
        else:
            self._server = await loop.create_server(receiver, sock=listener, backlog=BACKLOG)
        self._sweeper = loop.create_task(_sweep(clients))

    async def stop(self, deadline: float) -> None:
        if self._front is not None and self._sweeper is not None:
            self._sweeper.cancel()
            await _stop_front(self._front, deadline)
            self._front = None
            return
        if self._server is None or self._sweeper is None or self._clients is None:
            return
        connections = self._clients.connections
        self._clients.stopping = True
        self._sweeper.cancel()
        self._server.close()
        end = time.monotonic() + deadline
        for connection in list(connections):
            connection.finish()
        while connections and time.monotonic() < end:
            for connection in list(connections):
                connection.end_delivered()
            await asyncio.sleep(LOOK_SECONDS)
        for connection in list(connections):
            connection.transport.abort()
        if isinstance(self._server, SocketServer):
            self._server.end()


async def _sweep(clients: Clients) -> None:
    """Hang up on clients that have begun a request and do not go on, take no replies, or say nothing at all."""
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        now = time.monotonic()
        for connection in list(clients.connections):
            if connection.overdue(now):
                connection.transport.abort()


async def _sweep_front(front: Front) -> None:
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        front.sweep(REQUEST_SECONDS, TAKING_SECONDS, IDLE_SECONDS)


async def _stop_front(front: Front, deadline: float) -> None:
    end = time.monotonic() + deadline
    front.finish()
    while front.connections and time.monotonic() < end:
        await asyncio.sleep(LOOK_SECONDS)
        front.sweep(REQUEST_SECONDS, TAKING_SECONDS, IDLE_SECONDS)
    front.end()


def check_network(service: Service) -> tuple[tuple[int, ...], int]:
    """The shape of a sample, and the position of the output with the scores.

    Raises:
        IncompatibleError: The network takes something else than 28x28 values, or gives something else than ten scores.
    """
    tensors = service.pool.tensors
    shape, output = tensors.row_shapes[0], service.artifact.judged_output
    if len(tensors.inputs) != 1 or math.prod(shape) != PIXELS:
        raise IncompatibleError(
            f"{service.name} takes {[list(shape) for shape in tensors.row_shapes]} a sample; digits are 28x28 values.",
            "Serve a network of digits, or this one by `edgerig serve`.",
        )
    scores = tensors.answer_shapes[output]
    if math.prod(scores) != OUTPUTS:
        raise IncompatibleError(
            f"{service.name} gives {list(scores)} a sample; the protocol has {OUTPUTS} scores, one a digit."
        )
    return shape, output
