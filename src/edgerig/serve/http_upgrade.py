"""Requests over HTTP that offer another protocol than WebSocket, such as HTTP/2, are answered as if they did not.

Java's client and ``curl --http2`` make that offer (``Upgrade: h2c``) with the first request of a connection, and a
server may take no notice of it. httptools leaves the body of such a request to the other protocol: so the request is
read once more without the offer.
"""

from __future__ import annotations

import sys

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: Headers that belong to such an offer alone.
_OFFER = {b"upgrade", b"http2-settings"}


class NoUpgradeProtocol(HttpToolsProtocol):
    """A connection on which they are."""

    #: Whether the request that is read makes such an offer, the bytes that are read, and those to read next.
    _offered = False
    _read = _next = b""

    def data_received(self, data: bytes) -> None:
        self._next = data
        while self._next and not self.transport.is_closing():
            self._read, self._next = self._next, b""
            super().data_received(self._read)
        self._read = b""

    def on_headers_complete(self) -> None:
        # A tunnel (CONNECT) is refused by its method.
        self._offered = (
            self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT" and not self._should_upgrade()
        )
        if not self._offered:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        if not self._offered:
            super().on_message_complete()

    def _unsupported_upgrade_warning(self) -> None:
        """Called where the parser has stopped behind the head of such a request."""
        stopped = sys.exception()
        if not self._offered or not isinstance(stopped, httptools.HttpParserUpgrade):
            return
        self._offered = False
        self._next = self._head() + self._read[stopped.args[0] :]
        self.parser = httptools.HttpRequestParser(self)

    def _head(self) -> bytes:
        """The head of the request, without the offer."""
        version = self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version)]
        for name, value in self.headers:
            if name == b"connection":
                tokens = [token.strip() for token in value.split(b",")]
                value = b", ".join([token for token in tokens if token.lower() not in _OFFER])
            if name not in _OFFER:
                lines.append(b"%s: %s" % (name, value))
        return b"\r\n".join([*lines, b"", b""])
