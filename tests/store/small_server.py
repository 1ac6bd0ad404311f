"""A server for object storage of our own, in threads of the test: it logs its requests, needs no keys, and can be told
to lack what a store needs, or to fail."""

from __future__ import annotations

import contextlib
import ssl
import threading
import time
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from xml.sax.saxutils import escape


class SmallServer:
    """What the server has, does and saw.

    Attributes:
        objects: Bytes by key, of all buckets, such as ``lab/street/v000001.json``.
        requests: Method and key of each request that was answered with success, in order.
        creates_only: Whether ``If-None-Match: *`` is honoured.
        pause: Seconds before a body is stored.
        failing: Requests to answer with status 503 before the next one succeeds.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.requests: list[tuple[str, str]] = []
        self.creates_only = True
        self.pause = 0.0
        self.failing = 0
        self.lock = threading.Lock()
        self.scheme, self.port = "http", 0

    @property
    def endpoint(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which a process gets in; the keys are of no use."""
        return {"AWS_ENDPOINT_URL": self.endpoint, "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any-secret"}

    def puts(self, part: str = "") -> list[str]:
        """The keys that were stored, in order, that have ``part`` in them."""
        return [key for method, key in self.requests if method == "PUT" and part in key]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    state: SmallServer

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _answer(self, status: int, body: bytes = b"", length: int | None = None) -> None:
        if status < 300:
            self.state.requests.append((self.command, self._key()))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.send_header("ETag", '"0"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def _key(self) -> str:
        return urllib.parse.unquote(urllib.parse.urlsplit(self.path).path.lstrip("/"))

    def _fails(self) -> bool:
        with self.state.lock:
            if not self.state.failing:
                return False
            self.state.failing -= 1
        self._answer(503, b"<Error><Code>SlowDown</Code></Error>")
        return True

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(self.state.pause)
        if self._fails():
            return
        only = self.headers.get("If-None-Match") == "*" and self.state.creates_only
        with self.state.lock:
            refused = only and self._key() in self.state.objects
            if not refused:
                self.state.objects[self._key()] = body
        if refused:
            self._answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")
        else:
            self._answer(200)

    def do_DELETE(self) -> None:
        with self.state.lock:
            self.state.objects.pop(self._key(), None)
        self._answer(204)

    def do_HEAD(self) -> None:
        data = self.state.objects.get(self._key())
        self._answer(404 if data is None else 200, length=0 if data is None else len(data))

    def do_GET(self) -> None:
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query, keep_blank_values=True))
        if "list-type" in query:
            self._list(query)
            return
        data = self.state.objects.get(self._key())
        if data is None:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        elif "Range" in self.headers:
            first, _, last = self.headers["Range"].removeprefix("bytes=").partition("-")
            part = data[int(first) : int(last) + 1]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{int(first) + len(part) - 1}/{len(data)}")
            self.send_header("Content-Length", str(len(part)))
            self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
            self.end_headers()
            self.wfile.write(part)
        else:
            self._answer(200, data)

    def _list(self, query: dict[str, str]) -> None:
        bucket, prefix, delimiter = self._key().strip("/"), query.get("prefix", ""), query.get("delimiter")
        after = query.get("continuation-token", "")
        with self.state.lock:
            sizes = {key: len(data) for key, data in self.state.objects.items()}
        keys = sorted(key.removeprefix(f"{bucket}/") for key in sizes if key.startswith(f"{bucket}/{prefix}"))
        rows, folders = [], []
        for key in (key for key in keys if key > after):
            rest = key[len(prefix) :]
            if delimiter and delimiter in rest:
                folders.append(prefix + rest.partition(delimiter)[0] + delimiter)
            else:
                rows.append(key)
        more = f"<NextContinuationToken>{escape(rows[999])}</NextContinuationToken>" if len(rows) > 1000 else ""
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            f"<Size>{sizes[f'{bucket}/{key}']}</Size><ETag>0</ETag></Contents>"
            for key in rows[:1000]
        )
        prefixes = "".join(
            f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in dict.fromkeys(folders)
        )
        truncated = str(bool(more)).lower()
        self._answer(
            200,
            f"<ListBucketResult><IsTruncated>{truncated}</IsTruncated>{more}{contents}{prefixes}</ListBucketResult>".encode(),
        )


@contextlib.contextmanager
def small_server(certificate: Path | None = None, key: Path | None = None) -> Iterator[SmallServer]:
    """A server on loopback that ends with the block; over TLS with a certificate and its key."""
    state = SmallServer()
    handler = type("Handler", (_Handler,), {"state": state})

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that was killed is no error here."""

    server = Quiet(("127.0.0.1", 0), handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        state.scheme = "https"
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
