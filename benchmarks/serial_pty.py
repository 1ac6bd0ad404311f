"""How much of what a pseudo-terminal carries as a bare pipe of bytes RUN carries over it.

    python benchmarks/serial_pty.py [--json]

Both ways of the same bytes over the same pseudo-terminal, one after the other: a bare partner that takes n bytes and
sends m, without looking at them; and a device that speaks the wire, both in the same process of this machine. The
network of the device copies its input, so what is compared is the protocol: frames, checksums, sequence numbers. The
client is the one of `serial://` targets, retransmission included. Goal: at least 90 %.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import select
import statistics
import time
import tty
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

from edgerig.wire import messages
from edgerig.wire.frame import Frame, Kind, encode
from edgerig.wire.lossy import LossyClient
from edgerig.wire.messages import Hello, pack
from edgerig.wire.scanner import Scanner
from edgerig.wire.serial import Line, SerialLink, open_serial, parse_serial

SIZES = (1_024, 16_384, 65_536, 262_144, 1_048_576)
SECONDS = 0.25
ROUNDS = 15
#: Where host and device run: what a terminal carries depends on it more than on anything else.
CORES = sorted(os.sched_getaffinity(0))


def terminal() -> tuple[int, int, str]:
    """Device's end, the other end kept open, and its path."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    os.set_blocking(ours, False)
    return ours, theirs, os.ttyname(theirs)


def put(fd: int, data: memoryview) -> None:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    while data:
        try:
            data = data[os.write(fd, data) :]
        except BlockingIOError:
            poll.poll()


def take(fd: int, view: memoryview) -> None:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    while view:
        # Asking first is faster than an exception for every time that nothing is there.
        poll.poll()
        view = view[os.readv(fd, [view]) :]


def bare_device(fd: int, size: int) -> None:
    """Takes ``size`` bytes, sends them back, for ever."""
    buffer = memoryview(bytearray(size))
    while True:
        take(fd, buffer)
        put(fd, buffer)


def wire_device(fd: int) -> None:
    """Answers RUN with its own input and no times worth mentioning."""
    poll, scanner, boot = select.poll(), Scanner(), 7
    poll.register(fd, select.POLLIN)
    own = pack(Hello(1, "copy", 60_000, 1 << 30, boot=boot))
    while True:
        found = scanner.next()
        if found is None:
            poll.poll()
            scanner.put(os.readv(fd, [scanner.space()]))
            while scanner.missing:
                poll.poll()
                scanner.put(os.readv(fd, [scanner.space()]))
        elif isinstance(found, Frame):
            for part in answer(found, own):
                put(fd, memoryview(part))


def answer(frame: Frame, own: bytes) -> list[bytes | memoryview]:
    if frame.kind == Kind.HELLO:
        state = {"host": "copy", "system": "", "architecture": "", "cpu": "", "cores": 1}
        return encode(Kind.OK, frame.request, own, [memoryview(pack(state))], sequence=frame.sequence)
    header = messages.pack_tensors(1, [frame.payload.nbytes])
    payload = [memoryview(bytes(8)), frame.payload]
    return encode(Kind.OK, frame.request, header, payload, sequence=frame.sequence)


def started(target: Callable[..., None], *words: Any) -> BaseProcess:
    process = multiprocessing.get_context("fork").Process(target=pinned, args=(target, *words), daemon=True)
    process.start()
    return process


def pinned(target: Callable[..., None], *words: Any) -> None:
    """``target`` on a core of its own, where there are two."""
    os.sched_setaffinity(0, {CORES[-1]})
    target(*words)


def rate(call: Callable[[], object], size: int) -> float:
    """Bytes a second, both ways together."""
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < SECONDS:
        call()
        count += 1
    return 2 * size * count / (time.perf_counter() - start)


def opened(path: str) -> SerialLink:
    return open_serial(parse_serial(f"serial://{path}"), Line(baud=4_000_000))


def bare(size: int) -> float:
    """One measurement with the bare partner."""
    device, kept, path = terminal()
    process, link = started(bare_device, device, size), opened(path)
    data, back = memoryview(os.urandom(size)), memoryview(bytearray(size))

    def exchange() -> None:
        put(link.fileno(), data)
        take(link.fileno(), back)

    try:
        return rate(exchange, size)
    finally:
        finish(process, link, device, kept)


def wire(size: int) -> float:
    """One measurement with the device that speaks the wire."""
    device, kept, path = terminal()
    process, link = started(wire_device, device), opened(path)
    client = LossyClient(link, who="the device", timeout=10, byte_seconds=1e-7)
    data = memoryview(os.urandom(size))
    try:
        client.hello()
        if bytes(client.run([data], 1).outputs[0]) != data:
            raise SystemExit("the device did not answer what it was sent")
        result = rate(lambda: client.run([data], 1), size)
        if client.faults.resent:
            raise SystemExit("something was sent twice on a line that loses nothing")
        return result
    finally:
        finish(process, link, device, kept)


def finish(process: BaseProcess, link: SerialLink, *fds: int) -> None:
    process.kill()
    process.join()
    link.close()
    for fd in fds:
        os.close(fd)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    as_json = parser.parse_args().json
    rows = []
    os.sched_setaffinity(0, {CORES[0]})
    for size in SIZES:
        pairs = [(bare(size), wire(size)) for _ in range(ROUNDS)]
        shares = [there / pipe for pipe, there in pairs]
        rows.append({
            "bytes": size, "bare_mb_s": statistics.median(pipe for pipe, _ in pairs) / 1e6,
            "run_mb_s": statistics.median(there for _, there in pairs) / 1e6,
            "share": statistics.median(shares), "share_low": min(shares), "share_high": max(shares),
        })  # fmt: skip
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    print(f"{'bytes':>10} {'bare MB/s':>10} {'RUN MB/s':>10} {'share':>7}   lowest and highest of {ROUNDS}")
    for row in rows:
        print(
            f"{row['bytes']:>10,} {row['bare_mb_s']:>10.1f} {row['run_mb_s']:>10.1f} {row['share']:>7.0%}"
            f"   {row['share_low']:.0%} to {row['share_high']:.0%}"
        )


if __name__ == "__main__":
    main()
