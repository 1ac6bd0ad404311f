"""uvicorn's reader of HTTP, with bounds on the head of a request: its size, and the time that it takes."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from edgerig.serve.records import Records

#: Bytes of a request's line and headers, and seconds from the connection, or from their first byte, to their last.
HEAD_BYTES, HEAD_SECONDS = 64 << 10, 30.0
#: Seconds between two warnings of requests that are none.
QUIET_SECONDS = 60.0


class SparingLog:
    """A logger whose warnings come at most every `QUIET_SECONDS`, each with the number of those that were left out."""

    def __init__(self, logger: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._logger, self._clock = logger, clock
        self._next, self._left_out = -math.inf, 0

    def warning(self, message: str, *arguments: object) -> None:
        """Log it, or count it."""
        if self._clock() < self._next:
            self._left_out += 1
            return
        more = f" ({self._left_out} more like it since the last line)" if self._left_out else ""
        self._next, self._left_out = self._clock() + QUIET_SECONDS, 0
        self._logger.warning(message + more, *arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._logger, name)


#: Whoever sends nonsense must not fill the disk of a server with a line for each of it.
_LOG = SparingLog(logging.getLogger("uvicorn.error"))


class BoundedHttpProtocol(HttpToolsProtocol):
    """A connection."""

    head_seconds = HEAD_SECONDS
    records: Records
    _head_timer: asyncio.TimerHandle | None = None
    #: Bytes that have come of a head that is not complete, and whether one is under way or awaited.
    _head_bytes, _in_head = 0, True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.records.connected("http", 1)
        self.logger = _LOG  # type: ignore[assignment] # it has all that is asked of it
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self.records.connected("http", -1)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_timer is None:
                self._start_timer()
        super().data_received(data)
        if self._in_head and self._head_bytes > HEAD_BYTES and not self.transport.is_closing():
            self._end(431)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stop_timer()
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > HEAD_BYTES:
            # The parser turns this into `send_400_response`.
            self._end(431)
            raise ValueError("the head is too large")
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head, self._head_bytes = True, 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        if not self.transport.is_closing():
            self._end(400)

    def timeout_keep_alive_handler(self) -> None:
        # Whoever has not read its answer by now holds memory for it.
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        super().timeout_keep_alive_handler()

    def _start_timer(self) -> None:
        self._head_timer = self.loop.call_later(self.head_seconds, self._too_slow)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self._end(408)

    def _end(self, status: int) -> None:
        """Say why, and hang up."""
        reasons: dict[int, Any] = {
            400: "no valid HTTP",
            408: "the request is too slow",
            431: "the headers are too large",
        }
        text = b'{"error":"%s"}' % reasons[status].encode()
        head = b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(text)
        self.transport.write(STATUS_LINE[status] + head + text)
        self.transport.close()
