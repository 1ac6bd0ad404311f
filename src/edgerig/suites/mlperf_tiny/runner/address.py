"""From ``--device`` to a link: a serial port, a TCP socket, or a board that edgerig emulates."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from edgerig.agent.address import check_port
from edgerig.datasets.mlperf_tiny.benchmarks import Benchmark
from edgerig.errors import SpecError, TargetError
from edgerig.measure.kinds import Kind
from edgerig.suites.mlperf_tiny.grammar import ENERGY_BAUD
from edgerig.wire.link import Link, connect_tcp
from edgerig.wire.serial import DIRECT, SCHEME, open_serial, parse_serial

if TYPE_CHECKING:
    from edgerig.suites.mlperf_tiny.emulated import EmulatedDevice

Mode = Literal["accuracy", "performance", "energy"]
#: Seconds in which a connection stands.
CONNECT_SECONDS = 10.0
#: Boards that run inside edgerig.
EMULATED = ("sim:", "qemu:")

_TCP = re.compile(r"tcp:(?://)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+):(?P<port>[0-9]{1,20})/?", re.ASCII)


class OpenedDevice(NamedTuple):
    """A link to a device, and what its times are.

    Attributes:
        link: Moves the bytes.
        kind: What a time on the device's clock is: ``measured`` on a real one.
        real_time: Whether a second on the device is one on the host, so that the two clocks can be compared.
        clock: What the device's timestamps are read from, for the report.
        board: The emulated board: the error of its times, its instructions, its firmware; None for a real device.
    """

    link: Link
    kind: Kind = "measured"
    real_time: bool = True
    clock: str = "m-lap-us of the device"
    board: EmulatedDevice | None = None


def usual_baud(benchmark: Benchmark, mode: Mode) -> int:
    """Bits a second where the address names none."""
    return ENERGY_BAUD if mode == "energy" else benchmark.performance_baud


def open_device(address: str, benchmark: Benchmark, mode: Mode, model: Path | None = None) -> OpenedDevice:
    """A link to the device at ``address``.

    Args:
        address: ``serial:///dev/ttyACM0?baud=115200``, ``tcp:HOST:PORT``, ``sim:stm32f746`` or ``qemu:BOARD``.
        benchmark: What it is to run.
        mode: Decides the baud where the address has none.
        model: The network of an emulated board.

    Raises:
        SpecError: It is no address, or an emulated board has no network.
        TargetError: The device is not there.
    """
    if address.startswith(EMULATED):
        return _emulated(address, benchmark, model)
    if model is not None:
        raise SpecError(
            f"--model is for boards that edgerig emulates, and {address!r} is a device with a network of its own.",
            "Leave --model out, or choose sim:stm32f746.",
        )
    if address.startswith("tcp:"):
        return OpenedDevice(_connect(address))
    if address.startswith((SCHEME, *(f"{scheme}://" for scheme in DIRECT))):
        serial = parse_serial(address)
        return OpenedDevice(open_serial(serial, serial.line({"baud": usual_baud(benchmark, mode)})))
    near = (
        f"serial://{address}"
        if address.startswith("/")
        else f"tcp:{address}"
        if _TCP.fullmatch(f"tcp:{address}")
        else ""
    )
    near = f" Did you mean {near}?" if near else ""
    raise SpecError(
        f"{address!r} is not the address of a device.",
        f"Write serial:///dev/ttyACM0, tcp:HOST:PORT or sim:stm32f746.{near}",
    )


def _connect(address: str) -> Link:
    match = _TCP.fullmatch(address)
    if match is not None:
        check_port(address, match["port"], "Write tcp:HOST:PORT with the port that the device's program printed.")
    if match is None or int(match["port"]) == 0:
        raise SpecError(f"{address!r} does not say where to connect to.", "Write tcp:HOST:PORT.")
    host, port = match["host"].strip("[]"), int(match["port"])
    try:
        return connect_tcp(host, port, CONNECT_SECONDS)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise TargetError(
            f"There is no device at {address}: {reason}.",
            "Does `edgerig mlperf-tiny dut --line tcp:..` run there, and does the port match?",
        ) from error


def _emulated(address: str, benchmark: Benchmark, model: Path | None) -> OpenedDevice:
    if model is None:
        raise SpecError(f"{address} has no network of its own.", "Name one: --model network.tflite.")
    from edgerig.suites.mlperf_tiny.emulated import open_emulated

    board = open_emulated(address, model, benchmark)
    return OpenedDevice(board.link, board.kind, real_time=False, clock=board.clock, board=board)
