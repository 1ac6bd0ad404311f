"""What a session is to do, and by what it is known again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from edgerig.datasets.mlperf_tiny.benchmarks import WINDOW_SECONDS, Benchmark
from edgerig.files import canonical_json, sha256_file
from edgerig.suites.mlperf_tiny.grammar import DEFAULT_WARM_UP
from edgerig.suites.mlperf_tiny.runner.accuracy import INFERENCE_SECONDS
from edgerig.suites.mlperf_tiny.runner.address import Mode
from edgerig.suites.mlperf_tiny.runner.device import Identity
from edgerig.suites.mlperf_tiny.runner.records import SessionKey
from edgerig.suites.mlperf_tiny.runner.samples import Sample

#: Settings of power monitors that say where one is, and nothing of what it measures.
_WHERE = ("port", "file")


class RunSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a session is to do.

    Attributes:
        benchmark, mode: Of MLPerf Tiny.
        address: The device's; see `edgerig.suites.mlperf_tiny.runner.address.open_device`.
        data: Folder with the samples.
        out: The session's folder. An unfinished session in it is gone on with.
        model: The network of an emulated board.
        window_seconds: Least length of a measured window; below 10 the result does not count.
        warm_up: Inferences before a measured window.
        inference_seconds: That one inference may take.
        power: The name of the power monitor, in energy mode. power_options: Its settings.
        reference: The device's network, or the float one it came from, whose answers on this machine tell what is
            wrong with the device's inputs; by default that of an emulated board.
        behind_board: Whether the device is behind an interface board, which takes ``dut ..`` for it.
    """

    benchmark: Benchmark
    mode: Mode
    address: str
    data: Path
    out: Path
    model: Path | None = None
    window_seconds: float = WINDOW_SECONDS
    warm_up: int = DEFAULT_WARM_UP
    inference_seconds: float = INFERENCE_SECONDS
    power: str | None = None
    power_options: dict[str, Any] = {}
    behind_board: bool = False
    reference: Path | None = None


def session_key(settings: RunSettings, device: Identity, samples: Sequence[Sample]) -> SessionKey:
    """What must be equal for the session of ``settings`` on ``device`` to be gone on with.

    Raises:
        DatasetError: A sample cannot be read.
    """
    return SessionKey(
        benchmark=settings.benchmark.name,
        mode=settings.mode,
        device=device,
        samples=_digest(samples),
        window_seconds=settings.window_seconds,
        warm_up=settings.warm_up,
        board=_board(settings),
        power=_power(settings),
    )


def _board(settings: RunSettings) -> str:
    """The emulated board and its network: all of them have the same name, whatever runs on them."""
    return f"{settings.address} {sha256_file(settings.model)}" if settings.model is not None else ""


def power_words(settings: RunSettings) -> str:
    """The power monitor and its settings as a page has them; empty but in energy mode."""
    options = ", ".join(f"{name}={value}" for name, value in sorted(settings.power_options.items()))
    return f"{settings.power} ({options})" if settings.power and options else settings.power or ""


def _power(settings: RunSettings) -> str:
    """The power monitor and its settings, on which the energy depends; not its port, nor the file that it reads."""
    if settings.power is None:
        return ""
    options = {name: value for name, value in settings.power_options.items() if name not in _WHERE}
    return f"{settings.power} {canonical_json(options).decode()}"


def _digest(samples: Sequence[Sample]) -> str:
    """One hash over names, labels, windows and bytes of all samples, in their order."""
    total = hashlib.sha256()
    for sample in samples:
        head = f"{sample.name}\0{sample.label}\0{sample.window_bytes}\0{sample.stride_bytes}\0"
        total.update(head.encode() + hashlib.sha256(sample.read()).digest())
    return total.hexdigest()
