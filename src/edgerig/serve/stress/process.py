"""One process of a load: reads its part from standard input, hands over what it measured on standard output."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import resource
import sys
import time
from typing import Any

import msgspec

from edgerig.serve.stress.alarm import now
from edgerig.serve.stress.driver import ClosedLoop, Driver, OpenLoop
from edgerig.serve.stress.load import Load
from edgerig.serve.stress.protocols import protocol_of
from edgerig.serve.stress.protocols.base import StressProtocol
from edgerig.serve.stress.record import Part

#: Files that a process has open beside its connections.
OTHER_FILES = 64
#: Seconds between two words on how far it is.
WORD_SECONDS = 0.25
#: Thresholds of the garbage collector.
COLLECTOR = (50_000, 20, 100)


class Task(msgspec.Struct):
    """What a process is to do: its part of the load, and what the protocol learnt from the server."""

    load: Load
    state: Any


def allow_files(connections: int) -> int:
    """Raise the limit on open files as far as needed and allowed; how many connections fit under it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return connections if soft == resource.RLIM_INFINITY else soft - OTHER_FILES


def main() -> None:
    """Do the task whose MessagePack, in hexadecimal, is the first line of standard input.

    Lines on standard output: ``ready``; numbers of requests that are over; ``end``, after which a `Part` in MessagePack
    follows. Standard input goes on with the time to start, in ns of `time.monotonic_ns`; its end stops the load.
    """
    task = msgspec.msgpack.decode(bytes.fromhex(sys.stdin.buffer.readline().decode()), type=Task)
    allow_files(task.load.connections)
    protocol = protocol_of(task.load)
    protocol.restore(task.state)
    part = asyncio.run(_run(task.load, protocol))
    _say("end")
    sys.stdout.buffer.write(msgspec.msgpack.encode(part))
    sys.stdout.buffer.flush()


def _say(word: object) -> None:
    sys.stdout.buffer.write(f"{word}\n".encode())
    sys.stdout.buffer.flush()


async def _run(load: Load, protocol: StressProtocol) -> Part:
    driver: Driver = (ClosedLoop if load.rate is None else OpenLoop)(load, protocol.slot)
    await driver.prepare()
    # Nothing that lives on is in circles: the collector need not look at it, and pause the load.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTOR)
    _say("ready")
    orders = _orders()
    start = await orders.get()
    words = asyncio.create_task(_words(driver))
    stop = asyncio.create_task(orders.get())
    stop.add_done_callback(lambda _: driver.stop())
    if start is None:
        driver.stop()
        start = now()
    cpu = time.process_time_ns()
    await driver.run(start)
    end, cpu = now(), time.process_time_ns() - cpu
    for task in (words, stop):
        task.cancel()
    return Part(
        columns=driver.record.columns(),
        failures=dict(driver.record.failures),
        start=start,
        end=end,
        cpu=cpu,
        waited=driver.waited,
        gone=driver.gone,
    )


def _orders() -> asyncio.Queue[int | None]:
    """The lines of standard input as numbers, and None at its end."""
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[int | None]()

    def read() -> None:
        data = os.read(0, 4096)
        if not data:
            loop.remove_reader(0)
            queue.put_nowait(None)
        for line in data.split():
            queue.put_nowait(int(line))

    loop.add_reader(0, read)
    return queue


async def _words(driver: Driver) -> None:
    while True:
        await asyncio.sleep(WORD_SECONDS)
        _say(driver.handled)


if __name__ == "__main__":
    main()
