"""Clients of `serving.py`, in a process of their own, which print JSON.

    python serving_client.py PORT REQUESTS REPLIES burst CONNECTIONS 0
    python serving_client.py PORT REQUESTS REPLIES open-loop CONNECTIONS SECONDS RATE

They send the digits' protocol with as little work of their own as Python allows: bytes that were made once, another
digit on each connection, and replies that are compared with what must come, but for their times. What keeps a server
busy is in C (`serving_client.c`): here it would take as much of the cores as the server.
"""

from __future__ import annotations

import json
import random
import resource
import select
import socket
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from edgerig.wire.digits import REPLY_SIZE

REQUEST_SIZE = 3180
#: Bytes of a reply that hold the inference's time, which no two have in common.
TIME = slice(48, 52)


class Digits:
    """Requests, and the reply that must come to each; connection n sends the n-th again and again."""

    def __init__(self, requests: str, replies: str) -> None:
        self._requests, self._replies = Path(requests).read_bytes(), Path(replies).read_bytes()
        self._kinds = len(self._requests) // REQUEST_SIZE

    def request(self, connection: int) -> bytes:
        """What connection ``connection`` sends."""
        first = connection % self._kinds * REQUEST_SIZE
        return self._requests[first : first + REQUEST_SIZE]

    def is_right(self, connection: int, reply: bytes) -> bool:
        """Whether ``reply`` is whole, and the one to that, but for its time."""
        first = connection % self._kinds * REPLY_SIZE
        return _timeless(reply) == _timeless(self._replies[first : first + REPLY_SIZE])


def _timeless(reply: bytes) -> bytes:
    return reply[: TIME.start] + bytes(TIME.stop - TIME.start) + reply[TIME.stop :]


def connect(port: int) -> socket.socket:
    """A connection that sends at once."""
    client = socket.create_connection(("127.0.0.1", port), 60)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def burst(port: int, digits: Digits, connections: int) -> dict[str, Any]:
    """So many connections at once, with one request each: seconds from the first to the last reply, and how many had
    none or a wrong one."""
    poll, waiting, failures = select.epoll(), dict[int, tuple[int, socket.socket]](), 0
    replies = list[tuple[int, bytes]]()
    start = time.perf_counter()
    for number in range(connections):
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(("127.0.0.1", port))
        waiting[client.fileno()] = number, client
        poll.register(client, select.EPOLLOUT)
    while waiting:
        for fd, event in poll.poll(60):
            number, client = waiting[fd]
            if event & select.EPOLLIN:
                replies.append((number, client.recv(REPLY_SIZE)))
            elif event & select.EPOLLOUT and not client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                client.sendall(digits.request(number))
                poll.modify(client, select.EPOLLIN)
                continue
            else:
                failures += 1
            poll.unregister(client)
            client.close()
            del waiting[fd]
    seconds = time.perf_counter() - start
    wrong = sum(not digits.is_right(number, reply) for number, reply in replies)
    return {"seconds": seconds, "failures": failures + wrong}


def open_loop(port: int, digits: Digits, connections: int, seconds: float, rate: float) -> dict[str, Any]:
    """Requests at random times (Poisson), whatever the server does; latencies from when each was due."""
    idle = [(number, connect(port)) for number in range(connections)]
    by_fd = {client.fileno(): (number, client) for number, client in idle}
    poll, due_of, latencies, late = select.epoll(), dict[int, float](), list[float](), list[float]()
    for _, client in idle:
        poll.register(client, select.EPOLLIN)
    draw = random.Random(0)
    start = due = time.perf_counter()
    while due - start < seconds or due_of:
        now = time.perf_counter()
        while due <= now and idle and due - start < seconds:
            number, client = idle.pop()
            due_of[client.fileno()] = due
            late.append(now - due)
            client.sendall(digits.request(number))
            due += draw.expovariate(rate)
        wait = max(0.0, min(due - time.perf_counter(), 0.05)) if due - start < seconds else 1.0
        for fd, _ in poll.poll(wait):
            number, client = by_fd[fd]
            reply = client.recv(REPLY_SIZE)
            latencies.append(time.perf_counter() - due_of.pop(fd))
            if not digits.is_right(number, reply):
                raise SystemExit("a reply is not whole, or to another request")
            idle.append((number, client))
    p50, p95, p99 = (float(value) * 1e3 for value in np.percentile(latencies, [50, 95, 99]))
    sent_late = float(np.percentile(late, 99)) * 1e3
    return {"rate": len(latencies) / seconds, "p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "late_p99_ms": sent_late}


def main() -> None:
    """Run one kind of client."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    port, digits, way, number, seconds = (
        int(sys.argv[1]),
        Digits(sys.argv[2], sys.argv[3]),
        sys.argv[4],
        int(sys.argv[5]),
        float(sys.argv[6]),
    )
    result = {
        "burst": lambda: burst(port, digits, number),
        "open-loop": lambda: open_loop(port, digits, number, seconds, float(sys.argv[7])),
    }[way]()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
