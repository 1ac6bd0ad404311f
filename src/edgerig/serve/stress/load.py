"""What a server is to be loaded with."""

from __future__ import annotations

import math
import os

import msgspec

from edgerig.errors import UsageError

#: Most connections, and most requests together: each request's times are kept, 40 bytes.
MOST_CONNECTIONS, MOST_REQUESTS = 50_000, 50_000_000
#: Requests per second, and seconds of one request.
LOWEST_RATE, HIGHEST_RATE, LONGEST_TIMEOUT = 0.001, 1e6, 3600.0
#: What one process of the tool can do without being the limit, by the measurements in docs/stress.md.
CONNECTIONS_A_PROCESS, RATE_A_PROCESS = 2500, 5000.0


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """A load, or the part of it that one process makes.

    Attributes:
        host, port: The server's.
        protocol: In which it is asked; `edgerig.serve.stress.protocols.PROTOCOLS`.
        connections: How many are open at the same time.
        requests: How many each of them makes.
        rate: Requests per second, all connections together, whose arrivals are a Poisson process; None for a closed
            loop, in which each connection asks again as soon as it was answered.
        reconnect: Whether each request has a connection of its own.
        timeout: Seconds that a request may take, from when it was begun.
        processes: How many make the load.
        seed: Of the arrivals.
        model: The network's name, for protocols that have one.
        token: Shown to servers that ask for one.
        tls: Whether connections are encrypted. ca: File with the certificates that the server's must come from; those
            that this system trusts by default. keys: Folder with our own certificate, as ``edgerig agent keys`` makes
            it, for servers that ask for one; its CA is trusted, too.
    """

    host: str
    port: int
    protocol: str
    connections: int = 1
    requests: int = 1
    rate: float | None = None
    reconnect: bool = False
    timeout: float = 10.0
    processes: int = 1
    seed: int = 0
    model: str | None = None
    token: str | None = None
    tls: bool = False
    ca: str | None = None
    keys: str | None = None

    @property
    def total(self) -> int:
        """Requests of all connections."""
        return self.connections * self.requests

    def check(self) -> None:
        """Check that it can be made.

        Raises:
            UsageError: A number is out of its range.
        """
        if not 1 <= self.connections <= MOST_CONNECTIONS:
            raise UsageError(f"There are 1 to {MOST_CONNECTIONS:,} connections, not {self.connections}.")
        if self.requests < 1 or self.total > MOST_REQUESTS:
            raise UsageError(f"There are 1 to {MOST_REQUESTS:,} requests in all, not {self.total}.")
        if self.rate is not None and not (math.isfinite(self.rate) and LOWEST_RATE <= self.rate <= HIGHEST_RATE):
            raise UsageError(
                f"A rate is from {LOWEST_RATE} to {HIGHEST_RATE:,.0f} requests per second, not {self.rate:g}."
            )
        if not (math.isfinite(self.timeout) and 0 < self.timeout <= LONGEST_TIMEOUT):
            raise UsageError(f"A request may take up to {LONGEST_TIMEOUT:.0f} s, not {self.timeout:g}.")
        if not 1 <= self.processes <= self.connections:
            raise UsageError(f"{self.connections} connections are made by 1 to as many processes: {self.processes}.")

    def shares(self) -> list[Load]:
        """The part of each process. Poisson processes add up to one."""
        whole, more = divmod(self.connections, self.processes)
        counts = [whole + (index < more) for index in range(self.processes)]
        return [
            msgspec.structs.replace(
                self,
                connections=count,
                rate=None if self.rate is None else self.rate * count / self.connections,
                processes=1,
                seed=self.seed + index,
            )
            for index, count in enumerate(counts)
        ]


def usual_processes(connections: int, rate: float | None) -> int:
    """How many processes make a load where nobody says it: as few as can, since they take the server's CPUs, too."""
    wanted = max(math.ceil(connections / CONNECTIONS_A_PROCESS), math.ceil((rate or 0) / RATE_A_PROCESS))
    return max(1, min(wanted, os.cpu_count() or 1, connections))
