"""Fetching from a server of the test's own, with a certificate of its own."""

from __future__ import annotations

import http.server
import urllib.request
from pathlib import Path

import pytest
from tests.datasets.conftest import ServeHttps

from edgerig.datasets.sources import fetch
from edgerig.errors import SourceError
from edgerig.files import sha256

DATA = bytes(range(256)) * 2000
SUM = sha256(DATA)


class Answers(http.server.BaseHTTPRequestHandler):
    seen: list[str]

    def do_GET(self) -> None:
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        self.seen.append(f"{self.path} from {start}" if start else self.path)
        if start and self.path != "/whole.npz":
            self._go_on(start)
            return
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
        cut = self.path in ("/short.npz", "/whole.npz", "/lying.npz") and self.seen.count(self.path) == 1 and not start
        self.wfile.write(DATA[:1000] if cut else DATA)

    def _go_on(self, start: int) -> None:
        if start >= len(DATA):
            self.send_error(416, "Range Not Satisfiable")
            return
        first = 0 if self.path == "/lying.npz" else start
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{len(DATA) - 1}/{len(DATA)}")
        self.send_header("Content-Length", str(len(DATA) - first))
        self.end_headers()
        self.wfile.write(DATA[first:])

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@pytest.fixture
def server(serve_https: ServeHttps, own_cache: Path) -> tuple[str, list[str]]:
    """Its address, and the paths that were asked for."""
    handler = type("Handler", (Answers,), {"seen": []})
    return serve_https(handler), handler.seen  # type: ignore[attr-defined]


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
        ("away.npz", "leads to http://"),
    ],
)
def test_what_did_not_come_whole_is_not_kept(
    server: tuple[str, list[str]], own_cache: Path, name: str, message: str
) -> None:
    with pytest.raises(SourceError, match=message):
        fetch(f"{server[0]}/{name}", SUM)
    assert kept(own_cache) == []


@pytest.mark.parametrize("name", ["short.npz", "whole.npz"])
def test_a_file_that_broke_off_goes_on_where_it_stopped(
    server: tuple[str, list[str]], own_cache: Path, name: str
) -> None:
    url, seen = f"{server[0]}/{name}", server[1]
    with pytest.raises(SourceError, match=r"broke off after 1000 of 512000 bytes"):
        fetch(url, SUM)
    (part,) = kept(own_cache)
    assert part.read_bytes() == DATA[:1000]
    # A server that cannot go on sends all of it.
    path = fetch(url, SUM)
    assert path.read_bytes() == DATA
    assert seen == [f"/{name}", f"/{name} from 1000"]
    assert sorted(kept(own_cache)) == [path, path.with_name(f"{name}.sha256")]


def test_a_part_of_another_file_is_told_by_the_sum_and_not_kept(server: tuple[str, list[str]], own_cache: Path) -> None:
    url, seen = f"{server[0]}/short.npz", server[1]
    for content in (bytes(1000), bytes(len(DATA))):
        seen.clear()
        with pytest.raises(SourceError, match="broke off"):
            fetch(url, SUM)
        (part,) = kept(own_cache)
        part.write_bytes(content)
        with pytest.raises(SourceError, match="is not the expected file"):
            fetch(url, SUM)
        assert kept(own_cache) == []
    assert fetch(url, SUM).read_bytes() == DATA


def test_a_server_that_goes_on_elsewhere_is_not_believed(server: tuple[str, list[str]], own_cache: Path) -> None:
    url = f"{server[0]}/lying.npz"
    with pytest.raises(SourceError, match="broke off"):
        fetch(url, SUM)
    with pytest.raises(SourceError, match="sends another part"):
        fetch(url, SUM)
    # And not asked again.
    assert fetch(url, SUM).read_bytes() == DATA


def test_without_a_sum_nothing_is_gone_on_with(server: tuple[str, list[str]], own_cache: Path) -> None:
    url, seen = f"{server[0]}/short.npz", server[1]
    with pytest.raises(SourceError, match="broke off"):
        fetch(url)
    assert kept(own_cache) == []
    assert fetch(url).read_bytes() == DATA
    assert seen == ["/short.npz", "/short.npz"]


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
