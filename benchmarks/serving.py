"""How much of a bare interpreter's throughput a server passes on, how it takes bursts, and what its latencies are.

    python benchmarks/serving.py [--json] [--quick] [--memory-requests 1000000]

The network is that of the digits (93,322 parameters, random weights), float32 and int8. ``bare`` is one process a core
that sets, invokes and gets; ``serve`` is `edgerig digits serve` with as many sessions, asked by a client on the same
cores, which takes its share of them (`serving_client.py`). Bare and served take turns in each round; ratios are taken
within a round. CPU times stand beside them, as they depend little on what else the machine does: of an inference in
the bare interpreter, and of a request in server and sessions.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import serving_echo

from edgerig.testing.networks.known_networks import digits

#: Goals: of the bare interpreter's throughput; seconds of 500 connections at once; p99 over the median; over an echo.
KEPT, ONE_EACH, BURST_500, TAIL, ECHO = 0.6, 0.25, 0.5, 10.0, 1.3
BURSTS = (10, 20, 500, 5000)
CLIENT = Path(__file__).with_name("serving_client.py")
#: Kind of client, connections.
LOADS = (("pipelined", 1), ("pipelined", 8), ("kept", 64), ("kept", 512), ("one-each", 64))


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def bare(path: str, seconds: float) -> None:
    """Print inferences a second and CPU time of one, in us, of an interpreter on one thread."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=path, num_threads=1)
    interpreter.allocate_tensors()
    into, out = interpreter.get_input_details()[0], interpreter.get_output_details()[0]["index"]
    x = np.random.default_rng(0).integers(0, 100, into["shape"]).astype(into["dtype"])
    count, start, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - start < seconds:
        interpreter.set_tensor(into["index"], x)
        interpreter.invoke()
        interpreter.get_tensor(out)
        count += 1
    took, used = time.perf_counter() - start, time.process_time() - cpu
    print(json.dumps({"rate": count / took, "cpu_us": used / count * 1e6}))


def all_bare(path: Path, seconds: float) -> dict[str, float]:
    """One interpreter a core, at once: inferences a second of all, CPU time of one."""
    words = [sys.executable, __file__, "--bare", str(path), str(seconds)]
    processes = [subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for _ in range(cores())]
    results = [json.loads(process.communicate()[0]) for process in processes]
    return {
        "rate": sum(result["rate"] for result in results),
        "cpu_us": statistics.mean(result["cpu_us"] for result in results),
    }


class Served:
    """`edgerig digits serve` of a network, with HTTP and gRPC beside it."""

    def __init__(self, process: subprocess.Popen[str], ports: dict[str, int]) -> None:
        self.process, self.ports = process, ports
        self._processes = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]

    def cpu_seconds(self) -> float:
        """CPU time of the server and its sessions so far."""
        times = [process.cpu_times() for process in self._processes]
        return sum(time.user + time.system for time in times)

    def resident(self) -> int:
        """Bytes of the server and its sessions in memory."""
        return sum(process.memory_info().rss for process in self._processes)

    def ask(self, kind: str, number: int, seconds: float, *more: float) -> dict[str, Any]:
        """What a client tells; with the CPU time a request of what serves, where it counts requests."""
        words = [sys.executable, str(CLIENT), str(self.ports["digits"]), kind, str(number), str(seconds)]
        before = self.cpu_seconds()
        done = subprocess.run([*words, *map(str, more)], stdout=subprocess.PIPE, check=True)
        result: dict[str, Any] = json.loads(done.stdout)
        if "requests" in result:
            result["server_cpu_us"] = (self.cpu_seconds() - before) / result["requests"] * 1e6
        return result


@contextmanager
def serving(path: Path) -> Iterator[Served]:
    """A server of ``path`` with a session for each core."""
    words = [sys.executable, "-m", "edgerig", "digits", "serve", "--model", str(path), "--listen", "127.0.0.1:0"]
    words += ["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--sessions", str(cores()), "--quiet"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        ports = {}
        for _ in range(3):
            address, _, name = process.stdout.readline().removeprefix("listening on ").strip().partition(" ")
            ports[name.strip("()")] = int(address.rpartition(":")[2])
        yield Served(process, ports)
    finally:
        process.terminate()
        process.wait()


def throughput(path: Path, served: Served, seconds: float, rounds: int) -> list[dict[str, Any]]:
    """For each load rates, ratios within rounds, and CPU times."""
    series: dict[tuple[str, int], list[tuple[dict[str, Any], dict[str, Any]]]] = {load: [] for load in LOADS}
    for _ in range(rounds):
        for load in LOADS:
            series[load].append((all_bare(path, seconds), served.ask(*load, seconds)))
    return [
        {
            "load": kind,
            "connections": connections,
            "bare_rate": statistics.median(alone["rate"] for alone, _ in pairs),
            "rate": statistics.median(asked["rate"] for _, asked in pairs),
            "ratio": statistics.median(asked["rate"] / alone["rate"] for alone, asked in pairs),
            "bare_cpu_us": statistics.median(alone["cpu_us"] for alone, _ in pairs),
            "server_cpu_us": statistics.median(asked["server_cpu_us"] for _, asked in pairs),
            "client_cpu_us": statistics.median(asked["cpu_us"] for _, asked in pairs),
        }
        for (kind, connections), pairs in series.items()
    ]


def memory(served: Served, requests: int) -> dict[str, Any]:
    """Megabytes of what serves once so many requests were answered: 10,000, ten times as many and so on, and all."""
    marks = [number for number in (10_000, 100_000) if number < requests] + [requests]
    done, resident = 0.0, dict[str, float]()
    for mark in marks:
        while done < mark:
            done += served.ask("pipelined", 8, 0.5 if mark < requests else 5.0)["requests"]
        resident[f"after {done:,.0f}"] = served.resident() / 1e6
    return resident


def measure(dtype: str, quick: bool, memory_requests: int) -> dict[str, Any]:
    """All figures of one network."""
    seconds, rounds = (1.0, 1) if quick else (2.0, 5)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"digits_{dtype}.tflite"
        path.write_bytes(digits(dtype))
        with serving(path) as served:
            result: dict[str, Any] = {"network": dtype, "cores": cores()}
            result["throughput"] = throughput(path, served, seconds, rounds)
            result["bursts"] = {count: served.ask("burst", count, 0) for count in BURSTS}
            saturated = next(row["rate"] for row in result["throughput"] if row["load"] == "kept")
            result["half"] = served.ask("open-loop", 256, 5 * seconds, saturated / 2)
            specs = (served.ports["http"], served.ports["oip-grpc"], path.stem)
            result["echo"] = serving_echo.compare(*specs, *_input(path))
            result["network_us"] = result["throughput"][0]["bare_cpu_us"]
            if memory_requests:
                result["memory"] = memory(served, memory_requests)
    return result


def _input(path: Path) -> tuple[str, tuple[int, ...]]:
    from edgerig.models.files import open_artifact

    spec = open_artifact(path).inputs[0]
    return spec.name, spec.shape[1:]


def goals(result: dict[str, Any]) -> dict[str, bool]:
    """Whether each goal is reached."""
    ratios = {load: [row["ratio"] for row in result["throughput"] if row["load"] == load] for load, _ in LOADS}
    echo, network = result["echo"], result["network_us"]
    return {
        f"kept connections {KEPT:.0%}": min(ratios["kept"] + ratios["pipelined"]) >= KEPT,
        f"one connection a request {ONE_EACH:.0%}": min(ratios["one-each"]) >= ONE_EACH,
        "no failure in a burst": not any(burst["failures"] for burst in result["bursts"].values()),
        f"500 connections in {BURST_500} s": result["bursts"][500]["seconds"] <= BURST_500,
        f"p99 within {TAIL:g} medians at half the rate": result["half"]["p99_ms"] <= TAIL * result["half"]["p50_ms"],
        f"HTTP within {ECHO} echoes": echo["http"] <= ECHO * echo["http echo"] + network,
        f"gRPC within {ECHO} echoes": echo["grpc"] <= ECHO * echo["grpc echo"] + network,
    }


def show(result: dict[str, Any]) -> None:
    """Tables for people."""
    print(f"\n{result['network']}, {result['cores']} cores")
    for row in result["throughput"]:
        print(
            f"  {row['load']:>9} x{row['connections']:<4} {row['rate']:8,.0f}/s of {row['bare_rate']:8,.0f}/s bare: "
            f"{row['ratio']:.2f}; CPU us: bare {row['bare_cpu_us']:.1f}, server {row['server_cpu_us']:.1f}, "
            f"client {row['client_cpu_us']:.1f}"
        )
    for count, burst in result["bursts"].items():
        print(f"  {count} connections at once: {burst['seconds'] * 1e3:.0f} ms, {burst['failures']} failures")
    print("  at half the rate of 64 connections: " + ", ".join(f"{k} {v:.3g}" for k, v in result["half"].items()))
    print("  Open Inference Protocol, median us: " + ", ".join(f"{k} {v:.0f}" for k, v in result["echo"].items()))
    if "memory" in result:
        print("  memory, MB: " + ", ".join(f"{key} {value:.0f}" for key, value in result["memory"].items()))
    for goal, reached in goals(result).items():
        print(f"  {'reached' if reached else 'MISSED':>8}: {goal}")


def main() -> None:
    """Measure, print, and exit with 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--network", choices=["float32", "int8"], action="append", help="only this one")
    parser.add_argument("--memory-requests", type=int, default=0, help="look at the memory over so many requests")
    parser.add_argument("--bare", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bare:
        bare(options.bare[0], float(options.bare[1]))
        return
    names = options.network or ["float32", "int8"]
    results = [measure(name, options.quick, options.memory_requests) for name in names]
    for result in results:
        result["goals"] = goals(result)
        if not options.json:
            show(result)
    if options.json:
        print(json.dumps(results, indent=1))
    sys.exit(0 if all(all(result["goals"].values()) for result in results) else 1)


if __name__ == "__main__":
    main()
