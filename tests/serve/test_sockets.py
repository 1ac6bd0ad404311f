"""Many connections in one look: bytes come and go in their order, and whoever fails or is slow fails alone."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from edgerig.serve import sockets
from edgerig.serve.loop import new_event_loop
from edgerig.serve.sockets import SocketServer, SocketTransport

pytestmark = pytest.mark.skipif(not sockets.available(), reason="this system has no epoll")
LOOPBACK = "127.0.0.1"


class Recorder:
    """Notes what it hears, and answers by ``answer``."""

    def __init__(self, answer: Callable[[Recorder, bytes], None], *, keep_half_open: bool = False) -> None:
        self.answer, self.keep_half_open = answer, keep_half_open
        self.transport: SocketTransport
        self.data, self.eof, self.lost = b"", 0, list[Exception | None]()

    def connection_made(self, transport: Any, /) -> None:
        self.transport = transport

    def data_received(self, data: bytes, /) -> None:
        self.data += data
        self.answer(self, data)

    def eof_received(self) -> bool:
        self.eof += 1
        return self.keep_half_open

    def connection_lost(self, error: Exception | None, /) -> None:
        self.lost.append(error)


class Served:
    """A server on a loop, and what its receivers heard."""

    def __init__(self, answer: Callable[[Recorder, bytes], None], *, keep_half_open: bool = False) -> None:
        self.listener = socket.create_server((LOOPBACK, 0), backlog=1024)
        self.listener.setblocking(False)
        self.address = self.listener.getsockname()
        self.receivers: list[Recorder] = []

        def receiver() -> Recorder:
            self.receivers.append(Recorder(answer, keep_half_open=keep_half_open))
            return self.receivers[-1]

        self.server = SocketServer(self.listener, receiver)

    async def client(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(*self.address[:2])


def echo(receiver: Recorder, data: bytes) -> None:
    receiver.transport.write(data)


def run(
    work: Callable[[Served], Awaitable[None]],
    answer: Callable[[Recorder, bytes], None] = echo,
    *,
    keep_half_open: bool = False,
) -> None:
    async def main() -> None:
        served = Served(answer, keep_half_open=keep_half_open)
        try:
            await asyncio.wait_for(work(served), 60)
        finally:
            served.server.end()

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main())


async def until(met: Callable[[], bool]) -> None:
    while not met():
        await asyncio.sleep(0.005)


def test_everybody_who_comes_at_once_is_let_in_and_answered() -> None:
    async def work(served: Served) -> None:
        async def ask(number: int) -> bytes:
            reader, writer = await served.client()
            writer.write(b"%06d" % number)
            answer = await reader.readexactly(6)
            writer.close()
            return answer

        assert await asyncio.gather(*map(ask, range(300))) == [b"%06d" % number for number in range(300)]
        await until(lambda: all(len(receiver.lost) == 1 for receiver in served.receivers))
        assert not served.server.transports

    run(work)


def test_whoever_reads_nothing_holds_up_nobody_and_gets_everything_in_the_end() -> None:
    large = bytes(range(256)) * (1 << 16)

    async def work(served: Served) -> None:
        with socket.create_connection(served.address) as slow:
            slow.sendall(b"slow")
            await until(lambda: len(served.receivers) == 1 and served.receivers[0].data == b"slow")
            assert served.receivers[0].transport.get_write_buffer_size() > 0
            reader, writer = await served.client()
            writer.write(b"quick")
            assert await reader.readexactly(5) == b"quick"
            writer.close()
            with slow.makefile("rb") as stream:
                assert await asyncio.to_thread(stream.read, len(large) + 4) == large + b"slow"

    def answer(receiver: Recorder, data: bytes) -> None:
        if data == b"slow":
            receiver.transport.write(large)
        receiver.transport.write(data)

    run(work, answer)


def test_closing_sends_what_is_left_first() -> None:
    large = bytes(8 << 20)

    async def work(served: Served) -> None:
        reader, writer = await served.client()
        writer.write(b"x")
        await until(lambda: bool(served.receivers))
        (receiver,) = served.receivers
        assert not receiver.transport.delivered
        assert len(await reader.read(-1)) == len(large)
        await until(lambda: receiver.transport.delivered)
        # What the client still says is nobody's concern, but read: else it would be reset.
        writer.write(bytes(8 << 20))
        await writer.drain()
        assert (receiver.data, receiver.lost) == (b"x", [])
        writer.close()
        await until(lambda: receiver.lost == [None])

    def answer(receiver: Recorder, data: bytes) -> None:
        receiver.transport.write(large)
        receiver.transport.close()
        receiver.transport.write(b"too late")

    run(work, answer)


def test_a_client_that_sends_no_more_still_gets_its_answer() -> None:
    async def work(served: Served) -> None:
        reader, writer = await served.client()
        writer.write(b"last words")
        writer.write_eof()
        await until(lambda: bool(served.receivers) and served.receivers[0].eof == 1)
        # Half open for a while: it is not asked again and again.
        await asyncio.sleep(0.05)
        receiver = served.receivers[0]
        assert (receiver.data, receiver.eof, receiver.lost) == (b"last words", 1, [])
        receiver.transport.write(b"answer")
        receiver.transport.close()
        assert await reader.read(-1) == b"answer"
        writer.close()

    run(work, lambda receiver, data: None, keep_half_open=True)


def test_a_reset_is_heard_once_whatever_is_waited_for() -> None:
    async def work(served: Served) -> None:
        clients = [socket.create_connection(served.address) for _ in range(2)]
        for client in clients:
            client.sendall(b"x")
        await until(lambda: sum(receiver.data == b"x" for receiver in served.receivers) == 2)
        served.receivers[0].transport.pause_reading()
        for client in clients:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        await until(lambda: all(receiver.lost for receiver in served.receivers))
        await asyncio.sleep(0.05)
        for receiver in served.receivers:
            assert len(receiver.lost) == 1
            assert receiver.transport.is_closing()
            # Of no effect any more.
            receiver.transport.write(b"y")
            receiver.transport.abort()
        assert [len(receiver.lost) for receiver in served.receivers] == [1, 1]

    run(work)


def test_nothing_is_taken_while_reading_pauses() -> None:
    async def work(served: Served) -> None:
        reader, writer = await served.client()
        writer.write(b"1")
        assert await reader.readexactly(1) == b"1"
        transport = served.receivers[0].transport
        transport.pause_reading()
        writer.write(b"2")
        await asyncio.sleep(0.05)
        assert served.receivers[0].data == b"1"
        transport.resume_reading()
        assert await reader.readexactly(1) == b"2"
        writer.close()

    run(work)


def test_a_receiver_that_fails_ends_its_own_connection_alone() -> None:
    async def work(served: Served) -> None:
        good, bad = await served.client(), await served.client()
        bad[1].write(b"bad")
        good[1].write(b"good")
        assert await good[0].readexactly(4) == b"good"
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await bad[0].readexactly(1)
        good[1].write(b"again")
        assert await good[0].readexactly(5) == b"again"
        good[1].close()
        bad[1].close()

    def answer(receiver: Recorder, data: bytes) -> None:
        if data == b"bad":
            raise ZeroDivisionError
        receiver.transport.write(data)

    run(work, answer)


def test_without_descriptors_left_nobody_is_let_in_until_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "PAUSE", 0.02)
    accept, refusals = socket.socket.accept, [errno.EMFILE, errno.ENFILE]

    def scarce(listener: socket.socket) -> Any:
        if refusals and listener.getsockname() == address:
            raise OSError(refusals.pop(), "too many")
        return accept(listener)

    async def work(served: Served) -> None:
        nonlocal address
        address = served.address
        monkeypatch.setattr(socket.socket, "accept", scarce)
        reader, writer = await served.client()
        writer.write(b"here")
        assert await reader.readexactly(4) == b"here"
        assert not refusals
        writer.close()

    address: Any = None
    run(work)


def test_a_closed_server_lets_nobody_in_and_goes_on_with_the_others() -> None:
    async def work(served: Served) -> None:
        reader, writer = await served.client()
        writer.write(b"1")
        assert await reader.readexactly(1) == b"1"
        served.server.close()
        with pytest.raises(ConnectionRefusedError):
            await served.client()
        writer.write(b"2")
        assert await reader.readexactly(1) == b"2"
        served.server.end()
        assert await reader.read(-1) == b""
        await until(lambda: served.receivers[0].lost == [None])
        writer.close()

    run(work)
