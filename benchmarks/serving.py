"""How much of a bare interpreter's throughput a server passes on, how it takes bursts, and what its latencies are.

    python benchmarks/serving.py [--json] [--quick] [--memory-requests 1000000]

The network is that of the digits (93,322 parameters, random weights), float32 and int8. ``bare`` is one process a core
that sets, invokes and gets; ``edgerig`` is `edgerig digits serve` with as many sessions, and ``C`` the one program that
`edgerig digits build` makes, with as many workers and its own portable kernels; ``echo in C`` runs no network: its CPU
time, and the client's, are the kernel's share. A client in C (`serving_client.c`,
built with the system's compiler) asks them on the same cores and takes its share of these: one in Python takes as much
as a network. All take turns in each round; ratios are taken within a round. CPU times stand beside them, as they depend
little on what else the machine does: of an inference in the bare interpreter, of a request in server and sessions, and
in the client.
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
from serving_load import DIGITS, Load

from edgerig.testing.networks.known_networks import digits
from edgerig.wire.digits import encode_inference_reply

#: Goals: of the bare interpreter's throughput; seconds of 500 connections at once; p99 over the median; over an echo.
KEPT, ONE_EACH, BURST_500, TAIL, ECHO = 0.6, 0.25, 0.5, 10.0, 1.3
BURSTS = (10, 20, 500, 5000)
CLIENT = Path(__file__).with_name("serving_client.py")
#: What is said of figures of a network that runs in the server's process, by `--in-process`.
IN_PROCESS = " in process"
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
    """A digits server and its processes; ``ports`` by the names of the ways in. ``replies`` are what it answers, where
    that is nothing that a network says."""

    def __init__(
        self, process: subprocess.Popen[str], ports: dict[str, int], load: Load, replies: Path | None = None
    ) -> None:
        self.process, self.ports, self._load = process, ports, load
        self._replies = replies or load.replies(ports["digits"])
        self._processes = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]

    def cpu_seconds(self) -> float:
        """CPU time of the server and its sessions so far."""
        times = [process.cpu_times() for process in self._processes]
        return sum(time.user + time.system for time in times)

    def resident(self) -> int:
        """Bytes of the server and its sessions in memory."""
        return sum(process.memory_info().rss for process in self._processes)

    def busy(self, kind: str, connections: int, seconds: float) -> dict[str, Any]:
        """What it answers where it is kept busy; with its CPU time of a request, and the client's."""
        before = self.cpu_seconds()
        words = self._load.words(self.ports["digits"], self._replies, kind, connections, seconds)
        done = subprocess.run(words, stdout=subprocess.PIPE, check=True)
        result: dict[str, Any] = json.loads(done.stdout)
        result["server_cpu_us"] = (self.cpu_seconds() - before) / result["requests"] * 1e6
        return result

    def ask(self, kind: str, number: int, seconds: float, *more: float) -> dict[str, Any]:
        """What a client in Python tells."""
        files = [str(self._load.requests), str(self._replies)]
        words = [sys.executable, str(CLIENT), str(self.ports["digits"]), *files, kind, str(number), str(seconds)]
        done = subprocess.run([*words, *map(str, more)], stdout=subprocess.PIPE, check=True)
        result: dict[str, Any] = json.loads(done.stdout)
        return result


@contextmanager
def serving(path: Path, load: Load, *, in_process: bool = False) -> Iterator[Served]:
    """A server of ``path`` with a session for each core, and HTTP and gRPC beside the digits' protocol; or with the
    network in its own process."""
    words = [sys.executable, "-m", "edgerig", "digits", "serve", "--model", str(path), "--listen", "127.0.0.1:0"]
    words += ["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--quiet"]
    words += ["--in-process"] if in_process else ["--sessions", str(cores())]
    with listening(words, 3) as (process, ports):
        yield Served(process, ports, load)


@contextmanager
def serving_in_c(path: Path, load: Load) -> Iterator[Served]:
    """The server in C, with a worker for each core."""
    from edgerig.boards.digits_program import build_digits_program
    from edgerig.models.files import open_artifact

    program = path.with_suffix("")
    build_digits_program(open_artifact(path), program)
    with listening([str(program), "--workers", str(cores()), "127.0.0.1:0"], 1) as (process, ports):
        yield Served(process, ports, load)


@contextmanager
def answering_at_once(folder: Path, load: Load) -> Iterator[Served]:
    """A server in C that does nothing but answer: what it takes is the kernel's."""
    program = folder / "stress_echo"
    subprocess.run(["cc", "-O2", "-o", program, Path(__file__).with_name("stress_echo.c")], check=True)
    reply = encode_inference_reply(np.full(10, 0.1), 1.0)
    (folder / "reply").write_bytes(reply)
    (folder / "same_replies").write_bytes(reply * len(DIGITS))
    process = subprocess.Popen([program, "server", folder / "reply"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Served(process, {"digits": int(process.stdout.readline())}, load, folder / "same_replies")
    finally:
        process.terminate()
        process.wait()


@contextmanager
def listening(words: list[str], count: int) -> Iterator[tuple[subprocess.Popen[str], dict[str, int]]]:
    """A server that tells ``count`` ports."""
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        ports = {}
        for _ in range(count):
            address, _, name = process.stdout.readline().removeprefix("listening on ").strip().partition(" ")
            ports[name.strip("()") or "digits"] = int(address.rpartition(":")[2])
        yield process, ports
    finally:
        process.terminate()
        process.wait()


def throughput(path: Path, servers: dict[str, Served], seconds: float, rounds: int) -> list[dict[str, Any]]:
    """For each load and server rates, ratios within rounds, and CPU times."""
    series: dict[tuple[str, int, str], list[tuple[dict[str, Any], dict[str, Any]]]] = {}
    for _ in range(rounds):
        for load in LOADS:
            alone = all_bare(path, seconds)
            for name, served in servers.items():
                series.setdefault((*load, name), []).append((alone, served.busy(*load, seconds)))
    return [
        {
            "load": kind,
            "connections": connections,
            "server": name,
            "bare_rate": statistics.median(alone["rate"] for alone, _ in pairs),
            "rate": statistics.median(asked["rate"] for _, asked in pairs),
            "ratio": statistics.median(asked["rate"] / alone["rate"] for alone, asked in pairs),
            "ratios": sorted(asked["rate"] / alone["rate"] for alone, asked in pairs),
            "bare_cpu_us": statistics.median(alone["cpu_us"] for alone, _ in pairs),
            "server_cpu_us": statistics.median(asked["server_cpu_us"] for _, asked in pairs),
            "client_cpu_us": statistics.median(asked["cpu_us"] for _, asked in pairs),
        }
        for (kind, connections, name), pairs in series.items()
    ]


def memory(served: Served, requests: int) -> dict[str, Any]:
    """Megabytes of what serves once so many requests were answered: 10,000, ten times as many and so on, and all."""
    marks = [number for number in (10_000, 100_000) if number < requests] + [requests]
    done, resident = 0.0, dict[str, float]()
    for mark in marks:
        while done < mark:
            done += served.busy("pipelined", 8, 0.5 if mark < requests else 5.0)["requests"]
        resident[f"after {done:,.0f}"] = served.resident() / 1e6
    return resident


def measure(dtype: str, quick: bool, memory_requests: int) -> dict[str, Any]:
    """All figures of one network."""
    seconds, rounds = (1.0, 1) if quick else (2.0, 5)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"digits_{dtype}.tflite"
        path.write_bytes(digits(dtype))
        load = Load(Path(folder), path)
        with serving(path, load) as served:
            result: dict[str, Any] = {"network": dtype, "cores": cores(), "load_before": os.getloadavg()[0]}
            with serving_in_c(path, load) as in_c, answering_at_once(Path(folder), load) as echo:
                servers = {"edgerig": served, "C": in_c, "echo in C": echo}
                result["throughput"] = throughput(path, servers, seconds, rounds)
            result["bursts"] = {count: served.ask("burst", count, 0) for count in BURSTS}
            saturated = next(row["rate"] for row in result["throughput"] if row["load"] == "kept")
            result["half"] = served.ask("open-loop", 256, 5 * seconds, saturated / 2)
            with serving(path, load, in_process=True) as trusted:
                ports = {"": served.ports, IN_PROCESS: trusted.ports}
                result["echo"] = serving_echo.compare(ports, path.stem, *_input(path))
            result["network_us"] = result["throughput"][0]["bare_cpu_us"]
            if memory_requests:
                result["memory"] = memory(served, memory_requests)
            result["load_after"] = os.getloadavg()[0]
    return result


def _input(path: Path) -> tuple[str, tuple[int, ...]]:
    from edgerig.models.files import open_artifact

    spec = open_artifact(path).inputs[0]
    return spec.name, spec.shape[1:]


def goals(result: dict[str, Any]) -> dict[str, bool]:
    """Whether each goal is reached."""
    rows = [row for row in result["throughput"] if row["server"] == "edgerig"]
    ratios = {load: [row["ratio"] for row in rows if row["load"] == load] for load, _ in LOADS}
    echo, network = result["echo"], result["network_us"]
    return {
        f"kept connections {KEPT:.0%}": min(ratios["kept"] + ratios["pipelined"]) >= KEPT,
        f"one connection a request {ONE_EACH:.0%}": min(ratios["one-each"]) >= ONE_EACH,
        "no failure in a burst": not any(burst["failures"] for burst in result["bursts"].values()),
        f"500 connections in {BURST_500} s": result["bursts"][500]["seconds"] <= BURST_500,
        f"p99 within {TAIL:g} medians at half the rate": result["half"]["p99_ms"] <= TAIL * result["half"]["p50_ms"],
    } | {
        f"{kind}{where} within {ECHO} echoes": echo[kind + where] <= ECHO * echo[f"{kind} echo"] + network
        for where in ("", IN_PROCESS)
        for kind in ("http", "grpc")
    }


def show(result: dict[str, Any]) -> None:
    """Tables for people."""
    loads = f"load by all programs {result['load_before']:.1f} before, {result['load_after']:.1f} after"
    print(f"\n{result['network']}, {result['cores']} cores, {loads}")
    for row in result["throughput"]:
        print(
            f"  {row['server']:>9} {row['load']:>9} x{row['connections']:<4} {row['rate']:8,.0f}/s of "
            f"{row['bare_rate']:8,.0f}/s bare: {row['ratio']:.2f} ({row['ratios'][0]:.2f} to {row['ratios'][-1]:.2f}); "
            f"CPU us: bare {row['bare_cpu_us']:.1f}, server {row['server_cpu_us']:.1f}, "
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
