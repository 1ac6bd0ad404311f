"""Devices that answer the digits' protocol, by address: a server, a board on a serial port, a simulated board."""

from __future__ import annotations

from pathlib import Path

import msgspec

from edgerig.errors import SpecError, UsageError
from edgerig.measure.kinds import Kind
from edgerig.wire.digits.client import ANSWER_SECONDS, BAUD, Client
from edgerig.wire.digits.messages import PORT

SCHEME = "digits://"


class DigitsDevice(msgspec.Struct, frozen=True):
    """A device that answers, and what its times are.

    Attributes:
        kind: Of the time that a reply names.
        method: How that time was had.
    """

    client: Client
    kind: Kind
    method: str


def open_digits(address: str, model: Path | None = None, timeout: float = ANSWER_SECONDS) -> DigitsDevice:
    """The device at ``digits://HOST:PORT``, ``serial:///dev/ttyUSB0`` or ``sim:stm32f746``.

    Args:
        model: The network of a simulated board, which starts empty; the others have theirs.

    Raises:
        SpecError, UnknownNameError: ``address`` is none of these. UsageError: ``model`` lacks, or is one too many.
        IncompatibleError, CompileError: The network does not answer digits, or does not fit the board.
    """
    if address.startswith("sim:"):
        if model is None:
            raise UsageError(f"{address} starts empty: it needs a network.", "Give one: --model mnist_int8.tflite")
        return _simulated(address, model, timeout)
    if model is not None:
        raise UsageError(f"{address} has its network; --model is for sim:.", "Leave --model out.")
    says = "the device's own timer, as its reply says"
    if address.startswith(SCHEME):
        host, port = _host_and_port(address)
        return DigitsDevice(Client.tcp(host, port, timeout), "measured", says)
    if address.startswith("serial://"):
        return DigitsDevice(_serial(address, timeout), "measured", says)
    raise SpecError(
        f"{address!r} is no device that answers digits.",
        "Write digits://HOST:PORT, serial:///dev/ttyUSB0 or sim:stm32f746.",
    )


def _host_and_port(address: str) -> tuple[str, int]:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise SpecError(f"{address!r}: {error}.", f"Write {SCHEME}HOST:PORT.") from error
    if not host or port == 0 or parts.username or parts.path.strip("/") or parts.query or parts.fragment:
        raise SpecError(f"{address!r} does not say where to connect to.", f"Write {SCHEME}HOST:PORT.")
    return host, port or PORT


def _serial(address: str, timeout: float) -> Client:
    from edgerig.wire.serial import open_serial, parse_serial

    port = parse_serial(address)
    line = port.line({"baud": BAUD})
    return Client(lambda: open_serial(port, line), address, timeout)


def _simulated(address: str, model: Path, timeout: float) -> DigitsDevice:
    from edgerig.boards.build import build_firmware
    from edgerig.boards.firmware import BuildSettings
    from edgerig.boards.network import network_of
    from edgerig.models.files import open_artifact
    from edgerig.simulator.cycles import cycle_model
    from edgerig.simulator.simulator import DIGITS, Simulator
    from edgerig.targets.emulated.base import board_of
    from edgerig.targets.emulated.simulator_link import SimulatorLink

    board, settings = board_of(address, "unicorn"), BuildSettings(digits=True)
    firmware = build_firmware(board, network_of(open_artifact(model), board, settings), None, settings)
    simulator = Simulator(firmware.elf, board)
    simulator.run()
    client = Client(lambda: SimulatorLink(simulator, DIGITS), address, timeout)
    method = f"the firmware's clock, {cycle_model(board.cycles.core).short}" if board.cycles else "instructions"
    return DigitsDevice(client, "modelled", method)
