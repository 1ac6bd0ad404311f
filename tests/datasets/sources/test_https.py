"""Fetching from a server of the test's own, with a certificate of its own."""

from __future__ import annotations

import http.server
import ssl
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.needs import need

from edgerig.datasets.sources import fetch
from edgerig.errors import SourceError
from edgerig.files import sha256

DATA = bytes(range(256)) * 2000
SUM = sha256(DATA)


@pytest.fixture(autouse=True)
def openssl() -> None:
    """Makes the certificates."""
    need("openssl")


class Answers(http.server.BaseHTTPRequestHandler):
    seen: list[str]

    def do_GET(self) -> None:
        self.seen.append(self.path)
        if self.path == "/gone.npz":
            self.send_error(404, "Not Found")
            return
        if self.path == "/away.npz":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:9/x.npz")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(DATA)))
        self.end_headers()
        self.wfile.write(DATA[:1000] if self.path == "/short.npz" else DATA)

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("certificate")
    key, own = folder / "key.pem", folder / "own.pem"
    command = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    subprocess.run(
        ["openssl", *command.split(), "-keyout", str(key), "-out", str(own)], check=True, capture_output=True
    )
    return key, own


@pytest.fixture
def server(
    certificate: tuple[Path, Path], own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, list[str]]]:
    """Its address, and the paths that were asked for."""
    key, own = certificate
    handler = type("Handler", (Answers,), {"seen": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(own, key)
        httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
        monkeypatch.setenv("SSL_CERT_FILE", str(own))
        monkeypatch.setenv("NO_PROXY", "localhost")
        # urllib keeps its opener, and with it the certificates that were valid then.
        monkeypatch.setattr(urllib.request, "_opener", None)
        threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True).start()
        yield f"https://localhost:{httpd.server_address[1]}", handler.seen  # type: ignore[attr-defined]
        httpd.shutdown()


def kept(cache: Path) -> list[Path]:
    return [path for path in cache.rglob("*") if path.is_file() and not path.name.startswith(".lock-")]


def test_a_file_is_fetched_once_and_kept(server: tuple[str, list[str]], own_cache: Path) -> None:
    url, seen = server
    for _ in range(2):
        path = fetch(f"{url}/x.npz", SUM)
        assert path.read_bytes() == DATA
    assert path.is_relative_to(own_cache)
    assert path.name == "x.npz"
    assert seen == ["/x.npz"]
    assert sorted(kept(own_cache)) == [path, path.with_name("x.npz.sha256")]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gone.npz", "404 Not Found"),
        ("short.npz", "broke off"),
        ("away.npz", "leads to http://"),
    ],
)
def test_what_did_not_come_whole_is_not_kept(
    server: tuple[str, list[str]], own_cache: Path, name: str, message: str
) -> None:
    with pytest.raises(SourceError, match=message):
        fetch(f"{server[0]}/{name}", SUM)
    assert kept(own_cache) == []


def test_a_file_with_another_sum_is_not_kept(server: tuple[str, list[str]], own_cache: Path) -> None:
    with pytest.raises(SourceError) as caught:
        fetch(f"{server[0]}/x.npz", "ab" * 32)
    assert SUM in caught.value.message
    assert "ab" * 32 in caught.value.message
    assert "network" not in str(caught.value.hint), "the network is not to blame"
    assert kept(own_cache) == []


def test_a_server_that_nobody_vouches_for_is_refused(
    server: tuple[str, list[str]], own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setattr(urllib.request, "_opener", None)
    with pytest.raises(SourceError, match="certificate verify failed"):
        fetch(f"{server[0]}/x.npz", SUM)
    assert kept(own_cache) == []


def test_a_machine_without_network_is_told_where_to_put_the_file(own_cache: Path) -> None:
    with pytest.raises(SourceError, match="Is this machine online") as caught:
        fetch("https://localhost:9/x.npz", SUM)
    assert str(own_cache) in str(caught.value.hint)
