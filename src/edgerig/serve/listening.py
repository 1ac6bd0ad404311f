"""Where a server listens, and who may come there."""

from __future__ import annotations

import base64
import hmac
import logging
import socket
from pathlib import Path

from edgerig.agent.address import Address, listen
from edgerig.errors import UsageError
from edgerig.wire.tls import device_context

_logger = logging.getLogger(__name__)
#: Connections that wait to be accepted: a burst of thousands of clients must not lose any.
BACKLOG = 8192
#: Linux's own limit on that, which cuts every backlog.
SOMAXCONN = Path("/proc/sys/net/core/somaxconn")
#: A backlog that is worth a warning.
SMALL_BACKLOG = 1024


class Access:
    """Who may come in.

    Args:
        tls: A folder of keys (`edgerig.wire.tls`); None for no TLS.
        token: What HTTP and gRPC clients must show; None for none.
        insecure: Whether other addresses than loopback may be open to everybody.

    Attributes:
        context: TLS with those keys, which lets in only clients with a certificate of the same CA.

    Raises:
        SpecError: A key is missing, or certificate and key do not fit.
    """

    def __init__(self, *, tls: Path | None = None, token: bytes | None = None, insecure: bool = False) -> None:
        self.tls, self.token, self.insecure = tls, token, insecure
        self.context = device_context(tls) if tls is not None else None

    def admits(self, authorization: bytes | None) -> bool:
        """Whether a client that shows this ``Authorization`` knows the token, if there is one."""
        if self.token is None:
            return True
        return authorization is not None and hmac.compare_digest(authorization, b"Bearer " + self.token)

    def admits_browser(self, authorization: bytes | None) -> bool:
        """Whether a browser shows the token as the password that its user was asked for (RFC 7617), under any name."""
        if self.token is None or authorization is None or not authorization.startswith(b"Basic "):
            return False
        try:
            _, _, password = base64.b64decode(authorization[6:], validate=True).partition(b":")
        except ValueError:
            return False
        return hmac.compare_digest(password, self.token)

    def check(self, address: Address, *, takes_token: bool) -> None:
        """Check that not everybody may come to ``address`` by accident.

        Raises:
            UsageError: It can be reached from other machines, and nothing keeps strangers out.
        """
        if address.loopback or self.insecure or self.tls is not None or (takes_token and self.token is not None):
            return
        keep_out = "--tls or --token-file" if takes_token else "--tls"
        raise UsageError(
            f"{address.host} can be reached from other machines, and the server answers everybody who asks.",
            f"Give {keep_out} (docs/serving.md). Or listen on 127.0.0.1 and reach it through "
            f"`ssh -L {address.port}:127.0.0.1:{address.port} THIS-MACHINE`, or give --insecure if everybody on that "
            "network may ask.",
        )


def listen_at(wanted: Address) -> tuple[socket.socket, Address]:
    """A listening socket, and its address: with the port that it got where 0 was asked.

    Raises:
        UsageError: It cannot be listened on.
    """
    listener, address = listen(wanted, BACKLOG, "server")
    assert isinstance(address, Address)
    listener.setblocking(False)
    most = longest_backlog()
    if most is not None and most < SMALL_BACKLOG:
        _logger.warning(
            "this system lets %d connections wait (net.core.somaxconn): a burst of more clients loses some; "
            "set it with `sysctl net.core.somaxconn=%d`",
            most,
            SMALL_BACKLOG,
        )
    return listener, address


def longest_backlog() -> int | None:
    """The system's limit on waiting connections; None where it is not known."""
    try:
        return int(SOMAXCONN.read_text())
    except (OSError, ValueError):
        return None
