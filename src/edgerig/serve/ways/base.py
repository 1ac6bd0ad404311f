"""The base class of ways in: a protocol in which a served network can be asked."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from edgerig.serve.http_direct import DirectRequests
from edgerig.serve.listening import Access
from edgerig.serve.service import Service

if TYPE_CHECKING:
    from starlette.routing import BaseRoute


class Way:
    """A way in. It has routes on the server's HTTP port (`routes`), or a port of its own (`start`, `stop`), or both.

    Args:
        listen: ``HOST:PORT`` of its own port; by default the server's host and `default_port`.

    Class attributes:
        name: As it is called in metrics, logs and on the command line.
        listens: Whether it has a port of its own.
        page: The path of its page for people on the server's HTTP port, once `routes` was called; None without one.
        takes_token: Whether its clients can show a token; where they cannot, only TLS keeps strangers out.
    """

    name: ClassVar[str]
    listens: ClassVar[bool] = False
    takes_token: ClassVar[bool] = True
    page: str | None = None

    def __init__(self, listen: str | None = None) -> None:
        self.listen = listen

    def require(self) -> None:
        """Check that what it needs is installed.

        Raises:
            MissingExtraError: It is not.
        """

    def default_port(self, http_port: int | None) -> int:
        """Its own port where none was asked for, beside a server whose HTTP port is ``http_port``, if it has one."""
        return 0 if not http_port else http_port + 1

    def routes(self, service: Service) -> Sequence[BaseRoute]:
        """What it answers on the server's HTTP port; called once, before the server starts."""
        return ()

    def direct(self, service: Service, access: Access) -> DirectRequests | None:
        """Those of its requests on the HTTP port that it answers without the routes, where there are any."""
        return None

    def shares_sessions(self, access: Access) -> bool:
        """Whether it gives samples to the pool's sessions by itself, where these share memory with this process."""
        return False

    async def start(self, service: Service, listener: socket.socket, access: Access) -> None:
        """Begin to answer at its own port.

        Args:
            listener: A listening socket, not blocking; the way closes it.
            access: Who may come in: TLS and token.
        """

    async def stop(self, deadline: float) -> None:
        """Take no new requests, answer those that came, and hang up, within ``deadline`` seconds."""
