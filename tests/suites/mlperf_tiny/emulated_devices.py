"""Emulated devices for tests: built once a session, asked as a host asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.suites.mlperf_tiny.tiny_networks import tiny_network

from edgerig.datasets.mlperf_tiny.benchmarks import BENCHMARKS
from edgerig.suites.mlperf_tiny import grammar
from edgerig.suites.mlperf_tiny.emulated import EmulatedDevice, open_emulated
from edgerig.wire.link import Link

#: Seconds of the device's time that no command of these tests takes.
SECONDS = 20.0


def answer(link: Link, data: bytes, ends: int = 1) -> bytes:
    """What a device sends for ``data``, up to its ``ends``-th ``m-ready``."""
    link.set_timeout(SECONDS)
    link.send([data])
    received, view = b"", memoryview(bytearray(65536))
    while received.count(b"m-ready\r\n") < ends:
        received += bytes(view[: link.recv_into(view)])
    return received


def ask(link: Link, command: str) -> list[str]:
    """The lines that answer a command, without ``m-ready``."""
    lines = answer(link, command.encode() + grammar.TERMINATOR).decode().split("\r\n")
    assert lines[-2:] == [grammar.READY, ""]
    return lines[:-2]


def load(link: Link, sample: bytes) -> None:
    """Bring a sample into the device's buffer as a host does."""
    assert ask(link, f"db load {len(sample)}") == [f"m-[Expecting {len(sample)} bytes]"]
    parts = [sample[i : i + grammar.DATA_BYTES] for i in range(0, len(sample), grammar.DATA_BYTES)]
    data = b"".join(b"db " + part.hex().encode() + grammar.TERMINATOR for part in parts)
    assert answer(link, data, len(parts)) == b"m-ready\r\n" * (len(parts) - 1) + b"m-load-done\r\nm-ready\r\n"


def results(link: Link, sample: bytes) -> str:
    """The line of results of one inference on ``sample``."""
    load(link, sample)
    return ask(link, "infer 1 0")[-1]


@pytest.fixture(scope="session")
def network_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small int8 network of each benchmark."""
    folder = tmp_path_factory.mktemp("tiny")
    paths = {}
    for name, benchmark in BENCHMARKS.items():
        paths[name] = folder / f"{name}.tflite"
        paths[name].write_bytes(tiny_network(benchmark))
    return paths


@pytest.fixture(scope="session")
def keyword_board(network_files: dict[str, Path]) -> Iterator[EmulatedDevice]:
    """A simulated board that spots keywords."""
    device = open_emulated("sim:stm32f746", network_files["kws01"])
    yield device
    device.link.close()
