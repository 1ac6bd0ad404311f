"""Real clients of a served video: a WebSocket by wsproto, and readers of MJPEG, over plain sockets."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from types import TracebackType
from typing import Any


class Socket:
    """A WebSocket to ``path``, as a page of ``origin`` opens it; ``status`` is HTTP's where it was refused."""

    def __init__(self, port: int, path: str, origin: str | None = None, host: str | None = None) -> None:
        from wsproto import ConnectionType, WSConnection
        from wsproto.events import RejectConnection, Request

        self.status = 101
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._protocol = WSConnection(ConnectionType.CLIENT)
        headers = [(b"origin", origin.encode())] if origin else []
        request = Request(host=host or f"127.0.0.1:{port}", target=path, extra_headers=headers)
        self._socket.sendall(self._protocol.send(request))
        self._events: list[Any] = []
        first = self._event()
        if isinstance(first, RejectConnection):
            self.status = first.status_code

    def send(self, data: str | bytes) -> None:
        from wsproto.events import BytesMessage, TextMessage

        event = TextMessage(data) if isinstance(data, str) else BytesMessage(data)
        self._socket.sendall(self._protocol.send(event))

    def receive(self) -> str | bytes | int:
        """A message, or the code with which it was closed."""
        parts: list[Any] = []
        while True:
            event = self._event()
            if hasattr(event, "code"):
                return int(event.code)
            if not hasattr(event, "message_finished"):
                continue
            parts.append(event.data)
            if event.message_finished:
                return "".join(parts) if isinstance(parts[0], str) else b"".join(map(bytes, parts))

    def picture(self) -> tuple[dict[str, Any], bytes]:
        """What is said of a picture, and the picture."""
        about, data = self.receive(), self.receive()
        assert isinstance(about, str)
        assert isinstance(data, bytes)
        return json.loads(about), data

    def _event(self) -> Any:
        while not self._events:
            data = self._socket.recv(65536)
            self._protocol.receive_data(data or None)
            self._events = list(self._protocol.events())
        return self._events.pop(0)

    def __enter__(self) -> Socket:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()


def request(port: int, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of a GET whose path is sent as it stands."""
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.putrequest("GET", path, skip_host="host" in headers)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def pictures(port: int) -> Iterator[bytes]:
    """The JPEGs of the MJPEG stream."""
    from urllib.request import urlopen

    with urlopen(f"http://127.0.0.1:{port}/video_feed", timeout=20) as feed:
        assert feed.headers["Content-Type"] == "multipart/x-mixed-replace; boundary=edgerig"
        assert feed.readline() == b"--edgerig\r\n"
        while True:
            fields = {}
            while line := feed.readline().strip():
                name, value = line.split(b": ")
                fields[name.lower()] = value
            yield feed.read(int(fields[b"content-length"]))
            assert feed.readline() == b"\r\n"
            assert feed.readline() == b"--edgerig\r\n"
