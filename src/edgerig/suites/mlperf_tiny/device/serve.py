"""The device's program: what comes on the line goes into the console, and its answers go out."""

from __future__ import annotations

import logging

from edgerig.datasets.mlperf_tiny.benchmarks import Benchmark
from edgerig.suites.mlperf_tiny.device.console import DeviceConsole, Mode
from edgerig.suites.mlperf_tiny.device.line import HostLine
from edgerig.suites.mlperf_tiny.grammar import ENERGY_BAUD, NEWLINE, READY

_logger = logging.getLogger(__name__)


def default_baud(benchmark: Benchmark, mode: Mode) -> int:
    """Bits a second of a line whose address does not say."""
    return ENERGY_BAUD if mode == "energy" else benchmark.performance_baud


def boot(console: DeviceConsole, line: HostLine) -> None:
    """Send the boot lines to whoever listens now; before the line's name is known, that is nobody.

    A host that comes later gets none, as of a board that was switched on before: it would take their ``m-ready`` for
    the end of the answer to its first command.
    """
    for text in console.boot():
        _send(line, text)


def serve(console: DeviceConsole, line: HostLine) -> None:
    """Serve hosts on ``line`` until an exception, such as Ctrl-C, ends it."""
    while True:
        data = line.receive()
        if data is None:
            console.forget_command()
            continue
        for text in console.feed(data):
            _send(line, text)


def _send(line: HostLine, text: str) -> None:
    line.send(text.encode("ascii") + NEWLINE)
    if text != READY:
        _logger.log(logging.WARNING if text.startswith("e-") else logging.DEBUG, "to the host: %s", text)
