"""Servers of the digits' protocol that behave in known ways, each on a real socket in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from edgerig.wire.digits import MessageStream, encode_inference_reply

#: What is sent for the request of that number on all connections, after how many seconds; None hangs up.
Behaviour = Callable[[int], tuple[float, bytes | None]]
GOOD = encode_inference_reply([0.0] * 7 + [1.0, 0.0, 0.0], 2.5)


class DigitsServer:
    """Counts what it gets. ``behaviour`` says what it answers; with ``one_each`` it then hangs up."""

    def __init__(self, behaviour: Behaviour, one_each: bool) -> None:
        self.behaviour, self.one_each = behaviour, one_each
        self.requests = self.connections = self.most_open = self._open = 0
        self.port = 0
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        self._ready.wait()

    async def _run(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._client, "127.0.0.1", 0, backlog=4096)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._end.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open += 1
        self.most_open = max(self.most_open, self._open)
        stream = MessageStream()
        try:
            while data := await reader.read(65536):
                stream.feed(data)
                while stream.next() is not None:
                    self.requests += 1
                    seconds, reply = self.behaviour(self.requests)
                    if seconds:
                        await asyncio.sleep(seconds)
                    if reply is not None:
                        writer.write(reply)
                    if reply is None or self.one_each:
                        return
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._open -= 1
            writer.close()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()


Serve = Callable[..., DigitsServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server: `GOOD` replies at once unless a behaviour is given."""
    servers = []

    @contextmanager
    def unused() -> Iterator[None]:
        yield

    def start(behaviour: Behaviour = lambda _: (0.0, GOOD), one_each: bool = False) -> DigitsServer:
        server = DigitsServer(behaviour, one_each)
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop()
