"""What a line is called: ``pty``, a port, or an address to listen on."""

from __future__ import annotations

import re
from pathlib import Path

from edgerig.agent.address import Address, check_port, parse_address
from edgerig.errors import SpecError, TargetError
from edgerig.suites.mlperf_tiny.device.line import HostLine, SerialPort
from edgerig.suites.mlperf_tiny.device.occupants import Occupant, occupants
from edgerig.suites.mlperf_tiny.device.pseudo_terminal import PseudoTerminal
from edgerig.suites.mlperf_tiny.device.tcp_line import TcpPort
from edgerig.wire.serial import DIRECT, SCHEME, SerialAddress, parse_serial

_HINT = "Write /dev/ttyGS0, serial:///dev/ttyTHS1?baud=115200 or tcp:127.0.0.1:7500; a device may also have pty."
_TCP_HINT = "Write tcp:HOST:PORT, or tcp:PORT for this machine alone, such as tcp:7500."
#: A TCP address without its scheme: HOST:PORT, or the port alone.
_PORT = re.compile(r"([^\s:/]+:)?[0-9]{1,5}", re.ASCII)


def open_line(text: str, *, baud: int, insecure: bool = False) -> HostLine:
    """The line ``text``: ``pty``, ``/dev/ttyGS0``, ``serial://..``, or ``tcp:HOST:PORT`` to listen on.

    Args:
        text: As the user writes it.
        baud: Bits a second of a serial port whose address does not say.
        insecure: Whether an address may be listened on that other machines reach.

    Raises:
        SpecError: It is none of these. UsageError: It must not or cannot be listened on.
        TargetError: A getty has the port; or there is none, or no permission, or another program has it.
    """
    if text == "pty":
        return PseudoTerminal()
    if text.startswith("tcp:"):
        return TcpPort(tcp_address(text), insecure=insecure)
    address = serial_address(text)
    if (path := port_path(address)) is not None:
        refuse_getty(path)
    return SerialPort(address, address.line({"baud": baud}))


def serial_address(text: str) -> SerialAddress:
    """A serial port by its path, which may have ``?baud=..`` behind it, or by a URL.

    Raises:
        SpecError: It is neither. UnknownNameError: It has a setting that there is not.
    """
    if text.startswith("/"):
        return parse_serial(SCHEME + text)
    if text.partition("://")[0] in (SCHEME.removesuffix("://"), *DIRECT):
        return parse_serial(text)
    near = f" Did you mean tcp:{text}?" if _PORT.fullmatch(text) else ""
    raise SpecError(f"{text!r} is no line." if text else "The line has no name.", _HINT + near)


def tcp_address(text: str) -> Address:
    """Host and port of ``tcp:HOST:PORT`` or ``tcp:PORT``.

    Raises:
        SpecError: It is neither.
    """
    address = loopback_by_default(text)
    check_port(text, address.rpartition(":")[2], _TCP_HINT)
    try:
        return parse_address(address)
    except SpecError as error:
        raise SpecError(f"{text!r} is no line.", _TCP_HINT) from error


def loopback_by_default(text: str) -> str:
    """``tcp://HOST:PORT`` of ``tcp:HOST:PORT``; without a host, that is this machine alone.

    >>> loopback_by_default("tcp:7500"), loopback_by_default("tcp::7500"), loopback_by_default("tcp:pi:7500")
    ('tcp://127.0.0.1:7500', 'tcp://127.0.0.1:7500', 'tcp://pi:7500')
    """
    where = text.removeprefix("tcp:").removeprefix("//").removeprefix(":")
    return f"tcp://127.0.0.1:{where}" if where.isdecimal() else f"tcp://{where}"


def port_path(address: SerialAddress) -> Path | None:
    """The file of a serial port of this machine; None of one behind a port server."""
    return Path(address.url) if "://" not in address.url else None


def refuse_getty(path: Path) -> None:
    """Refuse a line on which a login is offered.

    Raises:
        TargetError: Names the getty, and how to stop it.
    """
    gettys = [other for other in occupants(path) if other.is_getty]
    if gettys:
        raise getty_error(path, gettys)


def getty_error(path: Path, gettys: list[Occupant]) -> TargetError:
    """What is wrong with a line that ``gettys`` have, and how to stop them."""
    return TargetError(
        f"On {path} a login is offered by {', '.join(other.words for other in gettys)}: it would take the host's "
        "commands for user names.",
        f"Stop it: {'; '.join(dict.fromkeys(other.remedy for other in gettys))}.",
    )
