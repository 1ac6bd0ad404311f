"""Clients of `serving.py`, in a process of their own: `python serving_client.py PORT WAY NUMBER SECONDS`; prints JSON.

They send the digits' protocol with as little work of their own as Python allows: bytes that were made once, replies
that are counted and not looked at (a server's own tests do that). What keeps a server busy is in C
(`serving_client.c`): here it would take as much of the cores as the server.
"""

from __future__ import annotations

import json
import random
import resource
import select
import socket
import sys
import time
from typing import Any

import numpy as np

from edgerig.wire.digits import REPLY_SIZE, encode_inference_request

REQUEST = encode_inference_request(np.random.default_rng(0).random(784))


def connect(port: int) -> socket.socket:
    """A connection that sends at once."""
    client = socket.create_connection(("127.0.0.1", port), 60)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def burst(port: int, connections: int) -> dict[str, Any]:
    """So many connections at once, with one request each: seconds from the first to the last reply."""
    poll, waiting, failures = select.epoll(), dict[int, socket.socket](), 0
    start = time.perf_counter()
    for _ in range(connections):
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(("127.0.0.1", port))
        waiting[client.fileno()] = client
        poll.register(client, select.EPOLLOUT)
    while waiting:
        for fd, event in poll.poll(60):
            client = waiting[fd]
            if event & select.EPOLLIN:
                failures += len(client.recv(REPLY_SIZE)) != REPLY_SIZE
            elif event & select.EPOLLOUT and not client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                client.sendall(REQUEST)
                poll.modify(client, select.EPOLLIN)
                continue
            else:
                failures += 1
            poll.unregister(client)
            client.close()
            del waiting[fd]
    return {"seconds": time.perf_counter() - start, "failures": failures}


def open_loop(port: int, connections: int, seconds: float, rate: float) -> dict[str, Any]:
    """Requests at random times (Poisson), whatever the server does; latencies from when each was due."""
    idle = [connect(port) for _ in range(connections)]
    by_fd = {client.fileno(): client for client in idle}
    poll, due_of, latencies, late = select.epoll(), dict[int, float](), list[float](), list[float]()
    for client in idle:
        poll.register(client, select.EPOLLIN)
    draw = random.Random(0)
    start = due = time.perf_counter()
    while due - start < seconds or due_of:
        now = time.perf_counter()
        while due <= now and idle and due - start < seconds:
            client = idle.pop()
            due_of[client.fileno()] = due
            late.append(now - due)
            client.sendall(REQUEST)
            due += draw.expovariate(rate)
        wait = max(0.0, min(due - time.perf_counter(), 0.05)) if due - start < seconds else 1.0
        for fd, _ in poll.poll(wait):
            if len(by_fd[fd].recv(REPLY_SIZE)) != REPLY_SIZE:
                raise SystemExit("a reply is not whole")
            latencies.append(time.perf_counter() - due_of.pop(fd))
            idle.append(by_fd[fd])
    p50, p95, p99 = (float(value) * 1e3 for value in np.percentile(latencies, [50, 95, 99]))
    sent_late = float(np.percentile(late, 99)) * 1e3
    return {"rate": len(latencies) / seconds, "p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "late_p99_ms": sent_late}


def main() -> None:
    """Run one kind of client."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    port, way, number, seconds = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    result = {
        "burst": lambda: burst(port, number),
        "open-loop": lambda: open_loop(port, number, seconds, float(sys.argv[5])),
    }[way]()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
