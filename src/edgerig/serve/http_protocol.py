"""uvicorn's reader of HTTP, with bounds on the head of a request: its size, and the time that it takes."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from edgerig.serve.http_direct import Head, KnownHeads
from edgerig.serve.http_upgrade import NoUpgradeProtocol
from edgerig.serve.records import Records
from edgerig.serve.requests import Request

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


#: Stands for a request that is on its way into the pool.
_COMING = Request((np.zeros(1),), False, lambda request: None)


class BoundedHttpProtocol(NoUpgradeProtocol):
    """A connection."""

    head_seconds = HEAD_SECONDS
    records: Records
    #: Heads of requests that are answered directly; None where none are.
    known: KnownHeads | None = None
    _head_timer: asyncio.TimerHandle | None = None
    #: Bytes that have come of a head that is not complete, whether one is under way or awaited, and whether the parser
    #: has any of it: it may have come behind another request.
    _head_bytes, _in_head, _begun = 0, True, False
    #: The head of a request that is answered directly, its bytes, and what has come of its body; None without one.
    _direct: tuple[Head, bytes, list[bytes]] | None = None
    _missing = 0
    #: Such a request that is being answered, what came behind it, and whether to hang up after it.
    _request: Request | None = None
    _behind, _last = b"", False
    #: The request that went the usual way last, of those whose answer has begun.
    _answering: RequestResponseCycle | None = None
    #: When the connection has been silent for too long since the last request that was answered directly.
    _silent_until = 0.0
    #: The bytes that the parser sees, where they may begin with a whole head.
    _seen = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.records.connected("http", 1)
        self.logger = _LOG  # type: ignore[assignment] # it has all that is asked of it
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self.records.connected("http", -1)
        super().connection_lost(exc)
        # uvicorn keeps it after a reset, and it would wait on for a request that never becomes whole.
        self._unset_keepalive_if_required()
        self._direct = None
        if self._answering is not None:
            # uvicorn tells the last request alone; one before it would write to a transport that is closed.
            self._answering.disconnected = True
            self._answering.message_event.set()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def handle_websocket_upgrade(self) -> None:
        super().handle_websocket_upgrade()
        # Another protocol hears of its end from now on.
        protocol: Any = self.transport.get_protocol()
        lost = protocol.connection_lost

        def connection_lost(exc: Exception | None) -> None:
            self.records.connected("http", -1)
            lost(exc)

        protocol.connection_lost = connection_lost

    def data_received(self, data: bytes) -> None:
        if self._request is not None or self._behind:
            # Also between an answer and the round of the loop in which `_take` gets what came before.
            self._keep(data)
        elif self._direct is not None:
            self._continue_direct(data)
        elif self._begun or not self._in_head or self.known is None or not self._begin_direct(data):
            self._parse(data)

    def _parse(self, data: bytes) -> None:
        """Go the usual way."""
        if self._in_head:
            self._seen = b"" if self._begun else data
            self._head_bytes += len(data)
            if self._head_timer is None:
                self._start_timer()
        super().data_received(data)
        if self._in_head and self._head_bytes > HEAD_BYTES and not self.transport.is_closing():
            self._end(431)

    def on_message_begin(self) -> None:
        self._begun = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stop_timer()
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > HEAD_BYTES:
            # The parser turns this into `send_400_response`.
            self._end(431)
            raise ValueError("the head is too large")
        self._learn()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head, self._begun, self._head_bytes = True, False, 0
        super().on_message_complete()

    # ---- requests that are answered directly

    def _learn(self) -> None:
        """Remember a head of such a request, if it lies whole at the beginning of what came."""
        seen, self._seen = self._seen, b""
        end = seen.find(b"\r\n\r\n") + 4
        kept = self.parser.get_http_version() == "1.1" and self.parser.should_keep_alive()
        if self.known is not None and end > 4 and kept and self.parser.get_method() == b"POST":
            self.known.learn(seen[:end], self.url, self.headers)

    def _begin_direct(self, data: bytes) -> bool:
        """Whether ``data`` begin a request that is answered directly; if so it is taken."""
        cycle = self.cycle
        if (cycle is not None and not cycle.response_complete) or self.flow.write_paused:
            return False
        end = data.find(b"\r\n\r\n") + 4
        assert self.known is not None
        head = self.known.get(data[:end]) if end > 4 else None
        if head is None or len(data) - end > head.length:
            return False
        self._stop_timer()
        self._direct, self._missing = (head, data[:end], [data[end:]]), head.length - len(data) + end
        if self._missing:
            self._head_timer = self.loop.call_later(self.known.requests.seconds, self._too_slow)
        else:
            self._run_direct()
        return True

    def _continue_direct(self, data: bytes) -> None:
        assert self._direct is not None
        self._direct[2].append(data)
        self._missing -= len(data)
        if self._missing < 0:
            # More than one request at once, which the parser takes apart.
            self._forget_direct()
        elif not self._missing:
            self._stop_timer()
            self._run_direct()

    def _run_direct(self) -> None:
        assert self._direct is not None
        head, _, parts = self._direct
        assert self.known is not None
        # Before an answer, which may come at once.
        self._request = _COMING
        request = self.known.requests.run(head, parts[0] if len(parts) == 1 else b"".join(parts), self._reply)
        if request is None:
            self._request = None
            self._forget_direct()
        elif self._request is _COMING:
            self._request = request

    def _forget_direct(self) -> None:
        """Let the parser have what was taken."""
        assert self._direct is not None
        self._stop_timer()
        (_, head, parts), self._direct = self._direct, None
        self._parse(head + b"".join(parts))
        if self._last:
            super().shutdown()

    def _keep(self, data: bytes) -> None:
        """What comes behind a request is looked at after its answer."""
        self._behind += data
        if len(self._behind) > HEAD_BYTES:
            self.flow.pause_reading()

    def _reply(self, status: int, head: bytes, body: Sequence[bytes | memoryview]) -> None:
        self._request = self._direct = None
        if self.transport.is_closing():
            return
        end = b"connection: close\r\n\r\n" if self._last else b"\r\n"
        self.transport.write(b"".join([STATUS_LINE[status], self._default_lines(), head, end, *body]))
        self.server_state.total_requests += 1
        if self._last:
            self.transport.close()
            return
        self._silent_until = self.loop.time() + self.timeout_keep_alive
        if self.timeout_keep_alive_task is None:
            self._wait_for_silence(self.timeout_keep_alive)
        self.flow.resume_reading()
        if self._behind:
            self.loop.call_soon(self._take)

    def _default_lines(self) -> bytes:
        """The lines of an answer's head that all have; uvicorn makes new ones each second."""
        assert self.known is not None
        headers, known = self.server_state.default_headers, self.known
        if headers is not known.default_headers:
            known.default_headers = headers
            known.default_lines = b"".join([b"%s: %s\r\n" % header for header in headers])
        return known.default_lines

    def _take(self) -> None:
        data, self._behind = self._behind, b""
        if not self.transport.is_closing():
            self.data_received(data)

    def shutdown(self) -> None:
        if self._request is None and self._direct is None:
            super().shutdown()
        else:
            self._last = True

    def send_400_response(self, msg: str) -> None:
        if not self.transport.is_closing():
            self._end(400)

    def _wait_for_silence(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def timeout_keep_alive_handler(self) -> None:
        busy = self._request is not None or self._direct is not None
        left = self.timeout_keep_alive if busy else self._silent_until - self.loop.time()
        if left > 0:
            # Requests came meanwhile: a timer for each would cost more than this one, which looks again.
            self._wait_for_silence(left)
            return
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
