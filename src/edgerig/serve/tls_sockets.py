"""TLS on a connection whose two directions end by themselves.

asyncio's transports of TLS end a connection as soon as its client has said all, and drop what is written after that:
who sends requests, ends its side and waits for the replies would not get them. RFC 8446, section 6.1, lets either side
go on: so does this one, which lies between a transport and what hears of the connection, and is a transport itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from typing import Any

from edgerig.serve.sockets import Receiver, delivered, undelivered

_logger = logging.getLogger(__name__)
#: Seconds in which a client must have shown who it is.
HANDSHAKE_SECONDS = 30.0
#: Bytes that are decrypted at a time: one record has 16 KiB at most.
READ_BYTES = 64 << 10


class TlsTransport:
    """A connection in TLS: a receiver of the bytes that travel, and the transport of those within.

    Args:
        context: Of a server. receiver: Hears of the connection once the client has shown who it is.
    """

    def __init__(self, context: ssl.SSLContext, receiver: Receiver) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._receiver = receiver
        self._outer: Any
        self._timer: asyncio.TimerHandle
        #: Whether the client has shown who it is; reading goes on; the client has said all; nothing more is written.
        self._open, self._reading, self._ended, self._closing = False, True, False, False

    # ---- what travels

    def connection_made(self, transport: Any) -> None:
        """The client is there; it begins."""
        self._outer = transport
        self._timer = asyncio.get_running_loop().call_later(HANDSHAKE_SECONDS, self._turn_away, "it took too long")

    def data_received(self, data: bytes) -> None:
        """Some of a record, or several."""
        self._incoming.write(data)
        self._go_on()

    def eof_received(self) -> bool:
        """The client has ended its side without a word of TLS; what it had said whole counts."""
        self._go_on()
        if not self._open:
            self._turn_away("it hung up")
        else:
            self._end_input()
        return not self._outer.is_closing()

    def connection_lost(self, error: Exception | None) -> None:
        """It is gone."""
        self._timer.cancel()
        self._closing = True
        if self._open:
            self._receiver.connection_lost(error)

    def pause_writing(self) -> None:
        """Nobody waits for that: `get_write_buffer_size` is looked at."""

    def resume_writing(self) -> None:
        """See `pause_writing`."""

    # ---- the transport of what lies within

    def write(self, data: bytes) -> None:
        """Send bytes, now or as soon as the client takes them."""
        if self._closing or not data:
            return
        try:
            self._tls.write(data)
        except ssl.SSLError as error:
            self._fail(error)
            return
        self._flush()

    def close(self) -> None:
        """Take no more, and end when everything is sent."""
        if self._closing:
            return
        self._closing = True
        # Tells the client that all was said; whether it says so, too, is not waited for.
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        self._flush()
        self._outer.close()

    def abort(self) -> None:
        """End at once."""
        self._closing = True
        self._outer.abort()

    def is_closing(self) -> bool:
        """Whether it has ended, or will when everything is sent."""
        return self._closing

    @property
    def delivered(self) -> bool:
        """See `edgerig.serve.sockets.delivered`."""
        return delivered(self._outer)

    @property
    def undelivered(self) -> int:
        """See `edgerig.serve.sockets.undelivered`."""
        return undelivered(self._outer)

    def get_write_buffer_size(self) -> int:
        """Bytes that the client has not taken yet, as they travel."""
        return int(self._outer.get_write_buffer_size())

    def pause_reading(self) -> None:
        """Leave what comes where it is."""
        self._reading = False
        self._outer.pause_reading()

    def resume_reading(self) -> None:
        """Take it again, also what had come before."""
        self._reading = True
        self._outer.resume_reading()
        asyncio.get_running_loop().call_soon(self._go_on)

    # ---- records

    def _go_on(self) -> None:
        """Do what can be done with the bytes that came."""
        if self._closing or self._ended:
            # What the client still sends is nothing to anybody.
            self._incoming.read()
            return
        try:
            if not self._open:
                self._tls.do_handshake()
                self._begin()
            while self._reading and not self._ended and not self._closing:
                data = self._tls.read(READ_BYTES)
                if not data:
                    self._end_input()
                    return
                self._receiver.data_received(data)
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLZeroReturnError:
            self._end_input()
        except ssl.SSLError as error:
            self._fail(error)

    def _begin(self) -> None:
        self._timer.cancel()
        self._flush()
        self._open = True
        self._receiver.connection_made(self)

    def _end_input(self) -> None:
        """The client says no more; it may still read."""
        if self._ended or self._closing:
            return
        self._ended = True
        if not self._receiver.eof_received():
            self.close()

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._outer.write(self._outgoing.read())

    def _fail(self, error: ssl.SSLError) -> None:
        """What came is no TLS, or of somebody who may not come in."""
        if not self._open:
            self._turn_away(error.reason or str(error))
            return
        _logger.info("a connection in TLS is ended: %s", error.reason or error)
        self._flush()
        self.abort()

    def _turn_away(self, reason: str) -> None:
        _logger.info("a client is turned away, as TLS was not agreed on: %s", reason)
        self._timer.cancel()
        self._closing = True
        # The client is told why, where there is a word for it.
        self._flush()
        self._outer.close()
