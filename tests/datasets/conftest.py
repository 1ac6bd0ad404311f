"""Small datasets in the formats that loaders read."""

from __future__ import annotations

import http.server
import ssl
import subprocess
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.needs import need

#: Starts a server with such a handler; returns its address.
ServeHttps = Callable[[type[http.server.BaseHTTPRequestHandler]], str]


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("EDGERIG_CACHE", str(folder))
    return folder


def save_picture(path: Path, seed: int, height: int = 12, width: int = 16) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    Image.fromarray(pixels).save(path)


MakeFolder = Callable[..., Path]


@pytest.fixture
def make_folder(tmp_path: Path) -> MakeFolder:
    """Makes ``root/<class>/<image>`` with so many images of each class."""

    def make(count: int = 10, classes: tuple[str, ...] = ("cat", "dog", "emu"), root: str = "pictures") -> Path:
        for label, name in enumerate(classes):
            for i in range(count):
                # Sizes differ, as those of photographs do.
                save_picture(tmp_path / root / name / f"{i:03}.png", 100 * label + i, 12 + i % 3, 16 + label)
        return tmp_path / root

    return make


@pytest.fixture
def pet_root(tmp_path: Path) -> Path:
    """A small tree in the format of Oxford-IIIT Pet: three breeds, 6 trainval and 3 test images of each."""
    root = tmp_path / "pet"
    lists: dict[str, list[str]] = {"trainval": ["# Image CLASS-ID SPECIES BREED ID"], "test": []}
    for label, (breed, species) in enumerate((("Abyssinian", 1), ("american_bulldog", 2), ("Bengal", 1)), 1):
        for number in range(1, 10):
            name = f"{breed}_{number}"
            save_picture(root / "images" / f"{name}.jpg", 50 * label + number, 20 + number, 30)
            lists["trainval" if number <= 6 else "test"].append(f"{name} {label} {species} 1")
    (root / "annotations").mkdir()
    for split, lines in lists.items():
        (root / "annotations" / f"{split}.txt").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Key and certificate of localhost, in which nobody else believes."""
    need("openssl")
    folder = tmp_path_factory.mktemp("certificate")
    key, own = folder / "key.pem", folder / "own.pem"
    command = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    subprocess.run(
        ["openssl", *command.split(), "-keyout", str(key), "-out", str(own)], check=True, capture_output=True
    )
    return key, own


@pytest.fixture
def serve_https(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[ServeHttps]:
    """Starts servers of localhost that this process believes in, until the test ends."""
    key, own = certificate
    monkeypatch.setenv("SSL_CERT_FILE", str(own))
    monkeypatch.setenv("NO_PROXY", "localhost")
    # urllib keeps its opener, and with it the certificates that were valid then.
    monkeypatch.setattr(urllib.request, "_opener", None)
    servers = []

    def serve(handler: type[http.server.BaseHTTPRequestHandler]) -> str:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(own, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return f"https://localhost:{server.server_address[1]}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()
