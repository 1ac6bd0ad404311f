"""Builds the device that needs no board, and starts it."""

from __future__ import annotations

import importlib.util
import os
import select
import signal
import socket
import subprocess
import sys
import termios
import tty
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.needs import need

from edgerig.wire.client import WireClient
from edgerig.wire.frame import Frame, FrameReader, Limits, encode
from edgerig.wire.link import Link, SocketLink, TcpLink

ROOT = Path(__file__).parents[2]
FIRMWARE = ROOT / "firmware"
Array = NDArray[Any]


def _script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # msgspec looks the module of a struct up by its name.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def host_network() -> ModuleType:
    """`scripts/make_host_network.py`."""
    return _script("make_host_network")


@pytest.fixture(scope="session")
def make() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Calls make in the firmware's folder."""
    need("make", "gcc")

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        command = ["make", "-C", str(FIRMWARE), f"PYTHON={sys.executable}", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)

    return call


@pytest.fixture(scope="session")
def built(make: Callable[..., subprocess.CompletedProcess[str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with er_device, er_vectors, er_fuzz, and each with sanitizers as NAME.san."""
    folder = tmp_path_factory.mktemp("firmware")
    done = make("-j2", f"BUILD={folder}", "CC=gcc", "all", "sanitized")
    assert done.returncode == 0, done.stderr
    return folder


class TerminalLink(Link):
    """A link over a terminal."""

    def __init__(self, path: str) -> None:
        self.fileno = os.open(path, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.fileno, termios.TCSANOW)
        self.timeout: float | None = None

    def send(self, buffers: Sequence[bytes | memoryview]) -> None:
        for part in buffers:
            view = memoryview(part).cast("B")
            while view:
                view = view[os.write(self.fileno, view) :]

    def recv_into(self, view: memoryview) -> int:
        if not select.select([self.fileno], [], [], self.timeout)[0]:
            raise TimeoutError("nothing came")
        return os.readv(self.fileno, [view])

    def set_timeout(self, seconds: float | None) -> None:
        self.timeout = seconds

    def close(self) -> None:
        os.close(self.fileno)


class Device:
    """A running device program."""

    def __init__(self, program: Path, place: str, options: Sequence[str], folder: Path) -> None:
        self.kind = place
        words = {"pty": ["--pty"], "unix": ["--unix", str(folder / "s")], "tcp": ["--tcp", "127.0.0.1:0"]}[place]
        self.process = subprocess.Popen(
            [str(program), *words, "--idle", "60", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("listening on "), line + (self.process.stderr.read() if self.process.stderr else "")
        self.place = line.split()[-1]
        self._links: list[Link] = []

    def link(self) -> Link:
        """A new connection."""
        link: Link
        if self.kind == "pty":
            link = TerminalLink(self.place)
        elif self.kind == "unix":
            connected = socket.socket(socket.AF_UNIX)
            connected.connect(self.place)
            link = SocketLink(connected)
        else:
            host, port = self.place.split(":")
            link = TcpLink(socket.create_connection((host, int(port))))
        link.set_timeout(5.0)
        self._links.append(link)
        return link

    def client(self) -> WireClient:
        """A client that has said hello."""
        client = WireClient(self.link(), who=self.place, timeout=5.0)
        client.hello()
        return client

    def restart(self) -> None:
        """Press the reset button."""
        self.process.send_signal(signal.SIGHUP)

    def stop(self) -> str:
        """Ends it; what it had to complain about."""
        for link in self._links:
            link.close()
        self._links.clear()
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.communicate(timeout=20)[1]


@pytest.fixture
def device(built: Path, tmp_path: Path) -> Iterator[Callable[..., Device]]:
    """Starts devices: ``device("tcp", "--slow", "20")``. None may crash or upset a sanitizer."""
    started: list[Device] = []

    def start(place: str, *options: str, program: str = "er_device.san") -> Device:
        folder = tmp_path / str(len(started))
        folder.mkdir()
        started.append(Device(built / program, place, options, folder))
        return started[-1]

    yield start
    complaints = [(one.stop(), one.process.returncode) for one in started]
    assert all(complaint == ("", 0) for complaint in complaints), complaints


class Raw:
    """Speaks in single frames."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.reader = FrameReader(link, Limits())

    def send(self, kind: int, request: int, sequence: int = 0, header: bytes = b"", payload: bytes = b"") -> None:
        """Send a request."""
        self.link.send(encode(kind, request, header, [memoryview(payload)] if payload else [], sequence=sequence))

    def ask(self, kind: int, request: int, sequence: int = 0, header: bytes = b"", payload: bytes = b"") -> Frame:
        """Send a request; its answer, with a payload that stays."""
        self.send(kind, request, sequence, header, payload)
        return self.read()

    def read(self) -> Frame:
        """The next frame."""
        frame = self.reader.read()
        return Frame(
            frame.kind,
            frame.flags,
            frame.request,
            frame.header,
            memoryview(bytes(frame.payload)),
            frame.version,
            frame.sequence,
        )


@pytest.fixture
def raw() -> Callable[[Link], Raw]:
    """Single frames over a link."""
    return Raw


@pytest.fixture(scope="session")
def samples() -> Array:
    """Inputs of the device's network, int8 (64, 64)."""
    return np.random.default_rng(3).integers(-128, 128, (64, 64), dtype=np.int8)


@pytest.fixture(scope="session")
def expected(samples: Array, host_network: ModuleType) -> Array:
    """What the network makes of `samples`, int8 (64, 10): its definition, in exact integers."""
    from edgerig.testing import networks

    weights, bias = host_network.parameters()
    multiplier, shift = host_network.multiplier()
    sums = bias + (samples.astype(np.int64) - networks.INT8_INPUT[1]) @ weights.astype(np.int64).T
    scaled = ((sums * multiplier + (1 << (shift - 1))) >> shift) + networks.INT8_OUTPUT[1]
    outputs: Array = np.clip(scaled, -128, 127).astype(np.int8)
    return outputs
