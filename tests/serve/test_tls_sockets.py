"""TLS whose two directions end by themselves: who has said all still gets its answers, and strangers get nothing."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.serve.test_sockets import LOOPBACK, Recorder, until

from edgerig.agent.keys import make_keys
from edgerig.serve import sockets, tls_sockets
from edgerig.serve.loop import new_event_loop
from edgerig.serve.sockets import SocketServer, delivered, undelivered
from edgerig.serve.tls_sockets import TlsTransport
from edgerig.wire.tls import device_context, host_context

pytestmark = pytest.mark.skipif(not sockets.available(), reason="this system has no epoll")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    make_keys(folder, ["localhost"], ["laptop"])
    return folder


class Peer:
    """A client whose bytes of TLS are sent when the test says so."""

    def __init__(self, keys: Path, address: tuple[str, int], *, stranger: bool = False) -> None:
        ca = keys / "client-laptop" / "ca.pem"
        context = ssl.create_default_context(cafile=str(ca)) if stranger else host_context(keys / "client-laptop")
        self.into, self.out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.into, self.out, server_hostname="localhost")
        self.socket = socket.create_connection(address, 60)

    def more(self) -> bytes:
        """What comes next on the wire; taken in."""
        data = self.socket.recv(1 << 16)
        self.into.write(data)
        return data

    def shake(self) -> Peer:
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.send()
                assert self.more()
        self.send()
        return self

    def say(self, data: bytes) -> Peer:
        self.tls.write(data)
        return self.send()

    def send(self) -> Peer:
        self.socket.sendall(self.out.read())
        return self

    def end(self, by: str) -> None:
        """Say no more: by TLS's own word, or by TCP's alone."""
        if by == "close_notify":
            with pytest.raises(ssl.SSLWantReadError):
                self.tls.unwrap()
            self.send()
        else:
            self.socket.shutdown(socket.SHUT_WR)

    def read_to_end(self) -> bytes:
        """All that is said, which must end by TLS's own word."""
        heard = b""
        while True:
            try:
                piece = self.tls.read(1 << 16)
                if not piece:  # both mean the same: who has ended its own side, too, hears of it by the error
                    return heard
                heard += piece
            except ssl.SSLWantReadError:
                assert self.more()
            except ssl.SSLZeroReturnError:
                return heard


Work = Callable[[list[Recorder], tuple[str, int]], Awaitable[None]]


def run(keys: Path, work: Work, answer: Callable[[Recorder, bytes], None], *, keep_half_open: bool = True) -> None:
    async def main() -> None:
        receivers = list[Recorder]()
        context = device_context(keys / "agent-localhost")

        def receiver() -> TlsTransport:
            receivers.append(Recorder(answer, keep_half_open=keep_half_open))
            return TlsTransport(context, receivers[-1])

        listener = socket.create_server((LOOPBACK, 0))
        listener.setblocking(False)
        server = SocketServer(listener, receiver)
        try:
            await asyncio.wait_for(work(receivers, listener.getsockname()), 60)
        finally:
            server.end()

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main())


def nothing(receiver: Recorder, data: bytes) -> None:
    pass


@pytest.mark.parametrize("by", ["close_notify", "tcp"])
def test_who_has_said_all_gets_its_answer(keys: Path, by: str) -> None:
    large = bytes(range(256)) * 4096

    async def work(receivers: list[Recorder], address: tuple[str, int]) -> None:
        peer = await asyncio.to_thread(lambda: Peer(keys, address).shake().say(b"question"))
        await asyncio.to_thread(peer.end, by)
        await until(lambda: bool(receivers and receivers[0].eof))
        assert receivers[0].data == b"question"
        # What comes behind that is dropped, not kept.
        if by == "close_notify":
            peer.socket.sendall(b"\0" * 100_000)
        transport = receivers[0].transport
        transport.write(large)
        transport.write(b"end")
        transport.close()
        transport.write(b"too late")
        assert await asyncio.to_thread(peer.read_to_end) == large + b"end"
        await until(lambda: delivered(transport) or bool(receivers[0].lost))
        assert undelivered(transport) == 0
        peer.socket.close()
        await until(lambda: bool(receivers[0].lost))
        assert receivers[0].eof == 1

    run(keys, work, nothing)


def test_bytes_come_in_any_pieces_and_nothing_comes_while_reading_pauses(keys: Path) -> None:
    async def work(receivers: list[Recorder], address: tuple[str, int]) -> None:
        peer = await asyncio.to_thread(Peer(keys, address).shake)
        peer.tls.write(b"one")
        record = peer.out.read()
        for byte in record:
            peer.socket.sendall(bytes([byte]))
        await until(lambda: bool(receivers and receivers[0].data == b"one"))
        receivers[0].transport.pause_reading()
        await asyncio.to_thread(peer.say, b"two" * 100_000)
        await asyncio.sleep(0.05)
        assert receivers[0].data == b"one"
        receivers[0].transport.resume_reading()
        await until(lambda: receivers[0].data == b"one" + b"two" * 100_000)
        # Where nobody keeps it half open it ends with the client's side.
        peer.end("close_notify")
        assert await asyncio.to_thread(peer.read_to_end) == b""
        peer.socket.close()
        await until(lambda: receivers[0].lost == [None])

    run(keys, work, nothing, keep_half_open=False)


def test_strangers_and_whoever_speaks_no_tls_are_turned_away_unheard(
    keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls_sockets, "HANDSHAKE_SECONDS", 0.2)

    def speak(address: tuple[str, int], data: bytes, *, end: bool = False) -> bytes:
        with socket.create_connection(address, 60) as client:
            client.sendall(data)
            if end:
                client.shutdown(socket.SHUT_WR)
            heard = b""
            try:
                while piece := client.recv(100):
                    heard += piece
            except ConnectionResetError:
                pass
            return heard

    def stranger(address: tuple[str, int]) -> None:
        # A client of TLS 1.3 that shows no certificate hears of that after its own part of the handshake.
        peer = Peer(keys, address, stranger=True).shake()
        with pytest.raises(ssl.SSLError, match=r"(?i)certificate.required"):
            peer.read_to_end()
        peer.socket.close()

    async def work(receivers: list[Recorder], address: tuple[str, int]) -> None:
        await asyncio.to_thread(stranger, address)
        # The alert of RFC 8446 to a request that is no TLS; silence to who says nothing, or half a word.
        assert (await asyncio.to_thread(speak, address, b"GET / HTTP/1.1\r\n\r\n"))[:1] in (b"", b"\x15")
        assert await asyncio.to_thread(speak, address, b"") == b""
        assert await asyncio.to_thread(speak, address, b"\x16\x03", end=True) == b""
        # None of them was let in: all that a receiver hears, its beginning and its end, is left out.
        assert [(hasattr(receiver, "transport"), receiver.lost) for receiver in receivers] == [(False, [])] * 4

    run(keys, work, nothing)


def test_a_record_that_was_changed_ends_the_connection(keys: Path) -> None:
    async def work(receivers: list[Recorder], address: tuple[str, int]) -> None:
        peer = await asyncio.to_thread(lambda: Peer(keys, address).shake().say(b"good"))
        peer.tls.write(b"changed")
        record = bytearray(peer.out.read())
        record[-1] ^= 1
        peer.socket.sendall(record)
        await until(lambda: bool(receivers and receivers[0].lost))
        assert receivers[0].data == b"good"
        peer.socket.close()

    run(keys, work, nothing)
