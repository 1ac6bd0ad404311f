"""A client of the digits' protocol, over TCP or a serial port."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from types import TracebackType

from numpy.typing import ArrayLike

from edgerig.errors import TargetError, UsageError, WireError
from edgerig.wire.digits.decode import decode_reply
from edgerig.wire.digits.layout import STATS_REQUEST, encode_inference_request
from edgerig.wire.digits.messages import PORT, InferenceReply, Reply, StatsReply
from edgerig.wire.digits.stream import MessageStream
from edgerig.wire.link import Link, connect_tcp
from edgerig.wire.serial import SerialAddress, SerialLink, open_serial
from edgerig.wire.tls import connect_tls

#: Seconds within which a server must answer. A request takes 0.28 s to go over a line of 115200 baud.
ANSWER_SECONDS = 10.0
BAUD = 115200
_SPACE = 4096


class Client:
    """Asks a digits server: a computer, or a board on a serial port.

    The connection is opened with the first request and kept; one that the server closed in between, as servers that
    answer one request a connection do, is opened anew.

    Args:
        connect: Opens a link to the server; may raise OSError.
        name: The server, for messages to the user.
        timeout: Seconds that one answer may take.
    """

    def __init__(self, connect: Callable[[], Link], name: str, timeout: float = ANSWER_SECONDS) -> None:
        self.name, self.timeout = name, timeout
        self._connect = connect
        self._link: Link | None = None

    @classmethod
    def tcp(
        cls, host: str, port: int = PORT, timeout: float = ANSWER_SECONDS, tls: ssl.SSLContext | None = None
    ) -> Client:
        """A client of the server at ``host``, encrypted where a context ``tls`` is given."""
        who = f"{host}:{port}"
        if tls is None:
            return cls(lambda: connect_tcp(host, port, timeout), who, timeout)

        def connect() -> Link:
            return connect_tls(socket.create_connection((host, port), timeout), tls, host, who)

        return cls(connect, who, timeout)

    @classmethod
    def serial(cls, path: str, baud: int = BAUD, timeout: float = ANSWER_SECONDS) -> Client:
        """A client of the board at the serial port ``path``, 8 bits, no parity, one stop bit."""
        address = SerialAddress(path, {"baud": str(baud)})
        line = address.line()
        return cls(lambda: open_serial(address, line), path, timeout)

    def stats(self) -> StatsReply:
        """What the server is.

        Raises:
            TargetError: It is not there, does not answer in time, or hangs up. WireError: It answers something else.
        """
        reply = self._ask(STATS_REQUEST)
        if not isinstance(reply, StatsReply):
            raise WireError(f"{self.name} was asked for its statistics and answered an inference.")
        return reply

    def infer(self, digit: ArrayLike) -> InferenceReply:
        """What the server's network says of ``digit``: 784 finite numbers in whatever shape, 0 for paper to 1 for ink.

        Raises:
            TargetError, WireError: As `stats`. WireError too: ``digit`` is none.
        """
        reply = self._ask(encode_inference_request(digit))
        if not isinstance(reply, InferenceReply):
            raise WireError(f"{self.name} was asked for an inference and answered statistics.")
        return reply

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._link is not None:
            self._link.close()
            self._link = None

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, request: bytes) -> Reply:
        if self._link is not None:
            reply = self._ask_anew_if_closed(request, self._link)
            if reply is not None:
                return reply
        try:
            self._link = link = self._connect()
        except OSError as error:
            raise TargetError(
                f"Cannot connect to the digits server {self.name}: {error.strerror or error}.", "Is it running?"
            ) from error
        return self._exchange(request, link, MessageStream())

    def _ask_anew_if_closed(self, request: bytes, link: Link) -> Reply | None:
        """The reply over a connection that was used before; None if the server had closed that."""
        stream = MessageStream()
        try:
            return self._exchange(request, link, stream)
        except TargetError as error:
            if isinstance(error.__cause__, ConnectionError) and not stream.pending and not isinstance(link, SerialLink):
                return None
            raise

    def _exchange(self, request: bytes, link: Link, stream: MessageStream) -> Reply:
        """One request and its reply. The link is closed unless both went right."""
        done = False
        try:
            if isinstance(link, SerialLink):
                # An answer that came too late for an earlier request must not be taken for this one's.
                link.discard()
            reply = decode_reply(self._transfer(request, link, stream))
            if stream.pending:
                raise WireError(f"{stream.pending} bytes follow the reply, which nobody asked for.")
            done = True
            return reply
        except WireError as error:
            raise WireError(f"{self.name} answered what is no reply: {error.message}", "Is it a digits server?") from (
                error
            )
        except TimeoutError as error:
            raise TargetError(
                f"{self.name} did not answer within {self.timeout:g} s; {stream.pending} bytes of a reply came."
            ) from error
        except ConnectionError as error:
            raise TargetError(f"{self.name} ended the connection before its reply was complete: {error}.") from error
        except OSError as error:
            raise TargetError(f"The connection to {self.name} failed: {error.strerror or error}.") from error
        finally:
            if not done:
                self.close()

    def _transfer(self, request: bytes, link: Link, stream: MessageStream) -> bytes:
        """Send ``request`` and receive one message."""
        deadline = time.monotonic() + self.timeout
        link.set_timeout(self.timeout)
        link.send([request])
        space = memoryview(bytearray(_SPACE))
        while (message := stream.next()) is None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            link.set_timeout(left)
            stream.feed(space[: link.recv_into(space)])
        return message


class FbComm(Client):
    """A client with the calls that notebooks of this protocol make: ``FbComm(uart="/dev/ttyUSB0").reqStats()``.

    Args:
        uart: A serial port.
        ip: Or a server's address.
        port: That server's port.
        baud: Of the serial port.

    Raises:
        UsageError: Neither or both of ``uart`` and ``ip`` are named.
    """

    def __init__(
        self,
        uart: str | None = None,
        ip: str | None = None,
        port: int = PORT,
        baud: int = BAUD,
        timeout: float = ANSWER_SECONDS,
    ) -> None:
        if (uart is None) == (ip is None):
            raise UsageError("FbComm talks to one server.", "Name a serial port, uart='/dev/ttyUSB0', or ip='HOST'.")
        server = Client.serial(uart, baud, timeout) if uart is not None else Client.tcp(str(ip), port, timeout)
        super().__init__(server._connect, server.name, timeout)

    def reqStats(self) -> StatsReply:  # noqa: N802
        """As `stats`."""
        return self.stats()

    def reqInference(self, digit: ArrayLike) -> InferenceReply:  # noqa: N802
        """As `infer`; printed, its reply has the lines that the board's users know."""
        return self.infer(digit)
