"""What MLPerf Tiny's runner takes for a `db` line and for an inference, beside the bare serial line.

    python benchmarks/mlperf_tiny_line.py [--json]

Both send the same bytes over the same pseudo-terminal to the same device, a process of its own that answers each
command as soon as it is whole and computes nothing. The bare side writes a command and reads until the last bytes are
m-ready, without looking at any line; the runner writes its log, takes answers apart and checks them. They take turns
call by call, and a round's ratio is that of the times which a tenth of the calls stay below: what others on the machine
take is in the rest. Goal: at most 1.2 times the bare line for a `db` line, and for an inference with its sample of 490
bytes, as an accuracy run makes a thousand of. The `infer` alone is shown, too: on a line without a rate and a device
that takes no time, reading its eight lines is most of what there is. At 115,200 bits a second they take 15 ms.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import select
import statistics
import sys
import tempfile
import time
import tty
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from edgerig.suites.mlperf_tiny.runner.device import Device
from edgerig.suites.mlperf_tiny.runner.line import DeviceLine
from edgerig.suites.mlperf_tiny.runner.transcript import Transcript
from edgerig.wire.serial import Line, SerialLink, open_serial, parse_serial

SAMPLE = bytes(range(245)) * 2
DATA_BYTES = 31
LINES = [f"db {SAMPLE[start : start + DATA_BYTES].hex()}%".encode() for start in range(0, len(SAMPLE), DATA_BYTES)]
LOAD, INFER, READY = f"db load {len(SAMPLE)}%".encode(), b"infer 1 0%", b"m-ready\r\n"
RESULTS = ",".join(["0.083"] * 12)
ANSWERS = {
    LOAD[:-1]: f"m-[Expecting {len(SAMPLE)} bytes]\r\n".encode() + READY,
    INFER[:-1]: (
        b"m-warmup-start-0\r\nm-warmup-done\r\nm-infer-start-1\r\nm-lap-us-1000\r\nm-lap-us-2000\r\nm-infer-done\r\n"
        + f"m-results-[{RESULTS}]\r\n".encode()
        + READY
    ),
    LINES[-1][:-1]: b"m-load-done\r\n" + READY,
}
ROUNDS, CALLS = 15, 60
GOAL = 1.2
CORES = sorted(os.sched_getaffinity(0))


def serve(fd: int) -> None:
    """A device that answers at once."""
    os.sched_setaffinity(0, {CORES[-1]})
    pending = b""
    while True:
        *commands, pending = (pending + os.read(fd, 4096)).split(b"%")
        for command in commands:
            os.write(fd, ANSWERS.get(command, READY))


def started(fd: int) -> BaseProcess:
    process = multiprocessing.get_context("fork").Process(target=serve, args=(fd,), daemon=True)
    process.start()
    return process


class Bare:
    """The host's side without any protocol: bytes out, bytes in until m-ready."""

    def __init__(self, fd: int) -> None:
        self._fd, self._poll = fd, select.poll()
        self._poll.register(fd, select.POLLIN)

    def exchange(self, command: bytes) -> None:
        os.write(self._fd, command)
        answer = b""
        while not answer.endswith(READY):
            self._poll.poll()
            answer += os.read(self._fd, 65536)

    def load(self) -> None:
        self.exchange(LOAD)
        for line in LINES:
            self.exchange(line)

    def infer(self) -> None:
        self.exchange(INFER)


def low_us(plain: Callable[[], object], ours: Callable[[], object], divisor: int) -> tuple[float, float]:
    """Microseconds by ``divisor`` that a tenth of the calls stay below, of both ways, which take turns."""
    times: tuple[list[int], list[int]] = ([], [])
    for _ in range(CALLS):
        for call, results in zip((plain, ours), times, strict=True):
            start = time.perf_counter_ns()
            call()
            results.append(time.perf_counter_ns() - start)
    bare, runner = (sorted(results)[CALLS // 10] / 1e3 / divisor for results in times)
    return bare, runner


def measure(link: SerialLink, log: Path) -> list[dict[str, Any]]:
    """Rows of the table."""
    bare = Bare(link.fileno())
    with Transcript(log) as transcript:
        device = Device(DeviceLine(link, transcript))

        def infer() -> None:
            device.infer(1, 0, (12,), 10.0)

        def load() -> None:
            device.load(SAMPLE)

        def bare_sample() -> None:
            bare.load()
            bare.infer()

        def sample() -> None:
            load()
            infer()

        ways = {
            "db line": (bare.load, load, len(LINES) + 1, GOAL),
            "sample and inference": (bare_sample, sample, 1, GOAL),
            "infer alone": (bare.infer, infer, 1, None),
        }
        times: dict[str, list[tuple[float, float]]] = {what: [] for what in ways}
        for _ in range(ROUNDS):
            for what, (plain, ours, divisor, _goal) in ways.items():
                times[what].append(low_us(plain, ours, divisor))
    return [row_of(what, results, ways[what][3]) for what, results in times.items()]


def row_of(what: str, results: list[tuple[float, float]], goal: float | None) -> dict[str, Any]:
    ratios = [runner / bare for bare, runner in results]
    return {
        "what": what,
        "bare_us": statistics.median(bare for bare, _ in results),
        "runner_us": statistics.median(runner for _, runner in results),
        "ratio": statistics.median(ratios),
        "ratio_low": min(ratios),
        "ratio_high": max(ratios),
        "goal": goal,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    as_json = parser.parse_args().json
    os.sched_setaffinity(0, {CORES[0]})
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    process = started(ours)
    link = open_serial(parse_serial(f"serial://{os.ttyname(theirs)}"), Line(baud=4_000_000))
    try:
        with tempfile.TemporaryDirectory() as folder:
            rows = measure(link, Path(folder) / "log.txt")
    finally:
        process.kill()
        process.join()
        link.close()
    if as_json:
        print(json.dumps(rows, indent=1))
    else:
        print(f"{'':>20} {'bare us':>9} {'runner us':>10} {'ratio':>6}   lowest and highest of {ROUNDS} rounds")
        for row in rows:
            print(
                f"{row['what']:>20} {row['bare_us']:>9.1f} {row['runner_us']:>10.1f} {row['ratio']:>6.2f}"
                f"   {row['ratio_low']:.2f} to {row['ratio_high']:.2f}"
            )
    sys.exit(any(row["goal"] is not None and row["ratio"] > row["goal"] for row in rows))


if __name__ == "__main__":
    main()
