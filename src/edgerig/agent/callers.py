"""Connections to an agent, bounded in number so that silent clients do not block others.

Every connection is accepted at first. If there are too many, the oldest one is closed, of the peer address
that has most: a host that knows the token has shown so long before. Those that have are the last to go.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import threading
from collections import Counter

from edgerig.wire import messages
from edgerig.wire.frame import Kind, encode
from edgerig.wire.messages import Failure, pack

#: Most connections without a lease: in total, and from one peer address.
MAX_STRANGERS = 64
MAX_OF_ADDRESS = 16
#: Connections of one owner beside the one in which its session runs.
MAX_OF_OWNER = 8


class Caller:
    """One connection, with what is needed to close it from outside.

    Attributes:
        who: The peer, for log lines.
        group: Peers of one group share a bound: those of one address, or of one network of IPv6 (64 bits).
        known: Whether it is authenticated.
        working: Whether its session runs.
        over: Set when it was closed from outside.
    """

    def __init__(self, connected: socket.socket, peer: object) -> None:
        address = str(peer[0]) if isinstance(peer, tuple) else ""
        self.who = f"{address}:{peer[1]}" if isinstance(peer, tuple) else "a local client"
        self.group = _group(address)
        self.known = self.working = False
        self.over = threading.Event()
        self._lock = threading.Lock()
        # TLS moves the descriptor into another socket object; the connection is shut down through this duplicate.
        self._socket = socket.socket(fileno=os.dup(connected.fileno()))

    def dismiss(self, last: bytes = b"") -> None:
        """Close the connection without blocking; ``last`` is sent if the peer accepts it at once."""
        self.over.set()
        with self._lock, contextlib.suppress(OSError):
            if last:
                self._socket.send(last, socket.MSG_DONTWAIT)
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Release the duplicate; the connection's own thread closes the connection."""
        with self._lock:
            self._socket.close()


class Callers:
    """All connections of an agent.

    Args:
        speaks: Whether an ERROR can be sent, unencrypted, to connections that are closed.
    """

    def __init__(self, speaks: bool) -> None:
        self._lock = threading.Lock()
        self._speaks = speaks
        self._strangers: list[Caller] = []
        self._owners: dict[int, list[Caller]] = {}

    @property
    def strangers(self) -> int:
        """Connections without a lease."""
        return len(self._strangers)

    def enter(self, caller: Caller) -> Caller | None:
        """Count ``caller`` among those without a lease; the one that was ended to make room for it."""
        with self._lock:
            gone = self._connection_to_close(caller.group)
            if gone is not None:
                self._strangers.remove(gone)
            self._strangers.append(caller)
        if gone is not None:
            gone.dismiss(_BUSY if self._speaks else b"")
        return gone

    def own(self, caller: Caller, fence: int) -> None:
        """``caller`` has lease number ``fence``; the owner's oldest connection is ended if it has too many."""
        with self._lock:
            if caller in self._strangers:
                self._strangers.remove(caller)
            others = self._owners.setdefault(fence, [])
            others.append(caller)
            waiting = [other for other in others if not other.working]
            gone = waiting[0] if len(waiting) > MAX_OF_OWNER else None
            if gone is not None:
                others.remove(gone)
        if gone is not None:
            gone.dismiss()

    def leave(self, caller: Caller) -> None:
        """``caller`` is gone."""
        with self._lock:
            if caller in self._strangers:
                self._strangers.remove(caller)
            for fence, callers in list(self._owners.items()):
                if caller in callers:
                    callers.remove(caller)
                if not callers:
                    del self._owners[fence]
        caller.close()

    def dismiss_all(self) -> None:
        """End all connections."""
        with self._lock:
            everybody = [*self._strangers, *(caller for callers in self._owners.values() for caller in callers)]
        for caller in everybody:
            caller.dismiss()

    def _connection_to_close(self, group: str) -> Caller | None:
        """The connection to close if one more of ``group`` arrives."""
        count = Counter(caller.group for caller in self._strangers)
        if count[group] < MAX_OF_ADDRESS:
            if len(self._strangers) < MAX_STRANGERS:
                return None
            group = count.most_common(1)[0][0]
        # Strangers are in order of arrival, so that `min` gives the oldest one.
        return min((caller for caller in self._strangers if caller.group == group), key=lambda caller: caller.known)


def _group(address: str) -> str:
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        # A host with one IPv6 address usually has its whole /64 network.
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)


_BUSY = b"".join(
    bytes(part)
    for part in encode(
        Kind.ERROR,
        0,
        pack(
            Failure(
                messages.BUSY,
                "Too many connections wait at the door of the agent, and this one has said too little.",
                "Try again.",
                (1.0,),
            )
        ),
    )
)
