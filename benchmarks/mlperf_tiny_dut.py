"""What the device's program of MLPerf Tiny costs beside the line: its CPU time for each byte and each inference.

    python benchmarks/mlperf_tiny_dut.py [--model kws.tflite] [--samples 1000] [--json]

A whole accuracy run of keyword spotting against `edgerig mlperf-tiny dut` on a pseudo-terminal, by a host that sends
31 bytes a line and waits for each answer. Without a file the network is a small one of a single dense layer. CPU time
is that of the device's process, user and system. Goal: the line, not the program, is what takes the time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import tty
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from edgerig.datasets.mlperf_tiny.benchmarks import BENCHMARKS
from edgerig.suites.mlperf_tiny.grammar import DATA_BYTES, NEWLINE, READY, TERMINATOR
from edgerig.testing import networks

KWS = BENCHMARKS["kws01"]
#: Bits a second of usual lines; a byte takes 10 of them.
RATES = (9_600, 115_200, 921_600)
_ENDS = READY.encode() + NEWLINE


class Host:
    """Sends a command, waits for ``m-ready``, counts bytes."""

    def __init__(self, name: str) -> None:
        self.fd = os.open(name, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.fd)
        self.bytes = 0

    def ask(self, command: str) -> None:
        data = command.encode() + TERMINATOR
        os.write(self.fd, data)
        answer = b""
        while not answer.endswith(_ENDS):
            answer += os.read(self.fd, 4096)
        self.bytes += len(data) + len(answer)

    def load(self, sample: bytes) -> None:
        self.ask(f"db load {len(sample)}")
        for start in range(0, len(sample), DATA_BYTES):
            self.ask(f"db {sample[start : start + DATA_BYTES].hex()}")


def measure(model: Path, samples: int) -> dict[str, Any]:
    """Seconds and bytes of the run, and the device's CPU seconds."""
    command = [sys.executable, "-m", "edgerig", "mlperf-tiny", "dut", "--benchmark", KWS.name, "--model", str(model)]
    with subprocess.Popen([*command, "--line", "pty"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            host = Host(process.stdout.readline().strip())
            device, rng = psutil.Process(process.pid), np.random.default_rng(0)
            before, start = device.cpu_times(), time.perf_counter()
            for _ in range(samples):
                host.load(rng.integers(0, 256, KWS.input_bytes).astype(np.uint8).tobytes())
                host.ask("infer 1 0")
            seconds, after = time.perf_counter() - start, device.cpu_times()
        finally:
            process.terminate()
    cpu = after.user + after.system - before.user - before.system
    return {
        "samples": samples,
        "bytes": host.bytes,
        "seconds": seconds,
        "device_cpu_seconds": cpu,
        "device_cpu_us_a_byte": cpu / host.bytes * 1e6,
        "line_us_a_byte": {rate: 10 / rate * 1e6 for rate in RATES},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = arguments.model or networks.dense_tflite(Path(folder) / "kws.tflite", KWS.input_shape, KWS.outputs)
        figures = measure(model, arguments.samples)
    if arguments.json:
        print(json.dumps(figures, indent=1))
        return
    each = figures["device_cpu_us_a_byte"]
    print(f"{figures['samples']} samples, {figures['bytes']:,} bytes both ways, in {figures['seconds']:.2f} s")
    print(f"device: {figures['device_cpu_seconds']:.2f} s of CPU, {each:.2f} us a byte")
    for rate, wire in figures["line_us_a_byte"].items():
        print(f"a line of {rate:,} bits a second: {wire:.1f} us a byte, {wire / each:,.0f} times as long")


if __name__ == "__main__":
    main()
