"""Builds the ESP8266's sketch for this machine and talks to it over its serial line."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.needs import need

FOLDER = Path(__file__).parents[3] / "firmware" / "esp8266"
#: Seconds within which a line must come, however busy the machine is.
PATIENCE = 30.0


def make(*words: str) -> None:
    """Call make in the sketch's folder."""
    done = subprocess.run(["make", "-C", FOLDER, *words], capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """The sketch as programs, built for processors of 160 and 80 MHz; a reply must come within a second."""
    need("make", "g++")
    built = {}
    for mhz in (160, 80):
        folder = tmp_path_factory.mktemp(f"esp8266-{mhz}")
        make(f"BUILD={folder}", "CC=gcc", "CXX=g++", f"F_CPU={mhz}000000L", "DEFINES=-DREPLY_MS=1000")
        built[mhz] = folder / "esp8266"
    return built


class Sketch:
    """The running sketch."""

    def __init__(self, program: Path, port: int, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [program],
            env={**os.environ, "DIGITS_SERVER_PORT": str(port), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        name = self.process.stdout.readline().removeprefix("serial line ").strip()
        self.line = os.open(name, os.O_RDWR | os.O_NOCTTY)
        self._rest = b""

    def type(self, text: str) -> None:
        """Type ``text``."""
        os.write(self.line, text.encode())

    def read(self, count: int = 1) -> list[str]:
        """The next ``count`` lines."""
        deadline = time.monotonic() + PATIENCE
        while self._rest.count(b"\n") < count:
            left = deadline - time.monotonic()
            assert select.select([self.line], [], [], max(0, left))[0], f"only {self._rest!r} came"
            self._rest += os.read(self.line, 4096)
        *lines, self._rest = self._rest.split(b"\n", count)
        return [line.decode().removesuffix("\r") for line in lines]

    def stop(self) -> str:
        """End it; what it had to complain about."""
        os.close(self.line)
        self.process.terminate()
        return self.process.communicate(timeout=PATIENCE)[1]


@pytest.fixture
def sketch(programs: dict[int, Path]) -> Iterator[Callable[..., Sketch]]:
    """Starts sketches: ``sketch(port, mhz=80, NATIVE_TICKS="100")``. None may crash or upset a sanitizer."""
    started: list[Sketch] = []

    def start(port: int, mhz: int = 160, **environment: str) -> Sketch:
        started.append(Sketch(programs[mhz], port, environment))
        return started[-1]

    yield start
    complaints = [(sketch.stop(), sketch.process.returncode) for sketch in started]
    assert all(complaint == ("", 0) for complaint in complaints), complaints
