"""Where an agent listens."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket

import msgspec

from edgerig.errors import SpecError, UsageError
from edgerig.wire.unix import UnixAddress, listen_unix

PORT = 7433
LARGEST_PORT = 65535
#: The listen backlog: a burst of connections must not make the system drop those that come after it.
BACKLOG = 512


class Address(msgspec.Struct, frozen=True):
    """Host and port of a TCP socket."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether only this machine itself can connect there."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def parse_address(text: str, default: int = PORT) -> Address:
    """Host and port out of ``tcp://HOST:PORT``, ``HOST:PORT`` or ``HOST``; IPv6 addresses in brackets.

    Args:
        default: The port where the text has none.

    Raises:
        SpecError: It is none of these.
    """
    host, colon, port = text.removeprefix("tcp://").rpartition(":")
    if not colon or port.endswith("]"):
        host, port = text.removeprefix("tcp://"), str(default)
    bare = host.removeprefix("[").removesuffix("]")
    hint = f"Write tcp://HOST:PORT, such as tcp://raspberrypi:{default}."
    if bare:
        check_port(text, port, hint)
    # `isdecimal` alone would accept digits of other scripts.
    wrong_port = not (port.isascii() and port.isdecimal() and len(port) <= 20)
    if not bare or wrong_port or set(bare) & set("/@[] ") or (":" in bare and host == bare):
        raise SpecError(
            f"{text!r} is not an address of a device." if text else "An address of a device is empty.", hint
        )
    return Address(bare, int(port))


def check_port(text: str, port: str, hint: str) -> None:
    """That the ``port`` of the address ``text`` is no number beyond those that there are.

    Raises:
        SpecError: It is; ``hint`` follows on the range.
    """
    if port.isascii() and port.isdecimal() and len(port) <= 20 and int(port) > LARGEST_PORT:
        raise SpecError(f"{text!r} has the port {port}, and there is none.", f"Ports go up to {LARGEST_PORT}. {hint}")


def listen(
    address: Address | UnixAddress, backlog: int = BACKLOG, who: str = "agent"
) -> tuple[socket.socket, Address | UnixAddress]:
    """A listening socket, and where it listens: on a port of its own where port 0 was asked for.

    Args:
        backlog: Connections that wait to be accepted. who: What listens, for messages.

    Raises:
        UsageError: It cannot be listened on.
    """
    if isinstance(address, UnixAddress):
        return listen_unix(address), address
    try:
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        listener = socket.create_server((address.host, address.port), family=family, backlog=backlog)
    except OSError as error:
        # `create_server` adds the address once more to the system's words.
        known = error.errno is not None and error.errno > 0 and not isinstance(error, socket.gaierror)
        reason = os.strerror(error.errno or 0) if known else error.strerror or error
        raise UsageError(f"Cannot listen on {address}: {reason}.", _listen_hint(error, who)) from error
    return listener, Address(address.host, listener.getsockname()[1])


def _listen_hint(error: OSError, who: str) -> str:
    if error.errno in (errno.EACCES, errno.EPERM):
        return "Ports below 1024 are for the system's administrator: choose a higher one, or 0 for a free one."
    if error.errno == errno.EADDRNOTAVAIL or error.errno is None or isinstance(error, socket.gaierror):
        return "Take an address of this machine: 127.0.0.1 for itself alone, 0.0.0.0 for all of its networks."
    return f"Is another {who} running there? Choose another port, or 0 for a free one."
