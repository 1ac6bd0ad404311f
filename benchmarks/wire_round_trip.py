"""What the wire adds to one inference: a RUN's round trip beside a raw socket echo of the same bytes.

    python benchmarks/wire_round_trip.py [--json]

The network gives its input back after 5 microseconds, so that as many bytes come as go. In each round a few samples
cross every way, in turns: a raw TCP echo by another process, the bare engine in this process, and edgerig's worker over
a socket pair and over TCP, with and without a CRC-32 of the payload, in one RUN or in the stepwise exchange of DATA,
PROCESS, OUTPUT and STATS. The yardstick is the raw echo plus the bare engine: what the same work takes with nothing
between.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np

from edgerig.agent.server import Address
from edgerig.artifact import Artifact, TensorSpec
from edgerig.files import sha256
from edgerig.measure.machine import observe
from edgerig.runtimes.base import Array, Calls, Runtime, RuntimeSettings
from edgerig.targets.resolve import target_for

SIZES = (1_500, 150_000, 600_000, 2_400_000)
ROUNDS = 15
TRIPS = 20
NAME = "wire_round_trip:Echo"


class EchoSettings(RuntimeSettings, frozen=True, kw_only=True):
    """How long it takes, and how much."""

    size: Annotated[int, msgspec.Meta(description="bytes in and out", ge=1)] = 1500
    busy_ns: Annotated[int, msgspec.Meta(description="nanoseconds that an inference takes", ge=0)] = 5000


class Echo(Runtime):
    """Gives its input back."""

    name = "echo"
    summary = "gives its input back"
    formats: ClassVar[frozenset[str]] = frozenset({"tflite"})
    Settings = EchoSettings
    settings: EchoSettings

    @classmethod
    def version(cls) -> str:
        return "1"

    def _load(self, path: Path) -> None:
        self.spec = TensorSpec("x", (1, self.settings.size), "uint8")
        self.x: Array = np.zeros(self.spec.shape, np.uint8)

    def _inputs(self) -> tuple[TensorSpec, ...]:
        return (self.spec,)

    def _outputs(self) -> tuple[TensorSpec, ...]:
        return (self.spec,)

    def _calls(self) -> Calls:
        clock, busy = time.perf_counter_ns, self.settings.busy_ns

        def set_inputs(sample: Sequence[Array]) -> None:
            self.x[...] = sample[0]

        def invoke() -> None:
            end = clock() + busy
            while clock() < end:
                pass

        return set_inputs, invoke, lambda: (self.x.copy(),)


def echo_server() -> tuple[int, int]:
    """A child process that gives back what it gets; its id and its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        pid = os.fork()
        if pid == 0:
            connected, _ = listener.accept()
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            size = int.from_bytes(connected.recv(8), "little")
            view = memoryview(bytearray(size))
            while receive(connected, view):
                connected.sendall(view)
            os._exit(0)
    return pid, port


def receive(connected: socket.socket, view: memoryview) -> bool:
    """Fill ``view``; False if the peer is gone."""
    got = 0
    while got < len(view):
        count = connected.recv_into(view[got:])
        if not count:
            return False
        got += count
    return True


def raw_echo(stack: ExitStack, size: int) -> Callable[[], None]:
    """One raw round trip of ``size`` bytes each way."""
    pid, port = echo_server()
    connected = socket.create_connection(("127.0.0.1", port))
    stack.callback(os.waitpid, pid, 0)
    stack.callback(connected.close)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connected.sendall(size.to_bytes(8, "little"))
    data, view = os.urandom(size), memoryview(bytearray(size))

    def trip() -> None:
        connected.sendall(data)
        receive(connected, view)

    return trip


def bare_engine(size: int, path: Path, sample: Array) -> Callable[[], None]:
    """Set, invoke and get in this process, with no edgerig around."""
    engine = Echo(EchoSettings(size=size))
    engine.load(path)
    set_inputs, invoke, get_outputs = engine._calls()

    def trip() -> None:
        set_inputs((sample,))
        invoke()
        get_outputs()

    return trip


def measure(size: int, rounds: int, folder: Path) -> dict[str, float]:
    """Median seconds of one round trip by each way."""
    path = folder / "echo.tflite"
    path.write_bytes(b"echo")
    spec = TensorSpec("x", (1, size), "uint8")
    artifact = Artifact("echo", "tflite", sha256(b"echo"), 4, (spec,), (spec,), str(path))
    sample = np.frombuffer(os.urandom(size), np.uint8).reshape(1, size)
    with ExitStack() as stack:
        ways = {"raw echo": raw_echo(stack, size), "bare engine": bare_engine(size, path, sample)}
        for name, make in edgerig_ways(stack).items():
            session = stack.enter_context(make(artifact, size))
            ways[name] = lambda session=session: session.run([sample])
        for trip in ways.values():
            for _ in range(20):
                trip()
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(rounds):
            for name in sorted(ways, reverse=turn % 2 == 1):
                for _ in range(TRIPS):
                    start = time.perf_counter()
                    ways[name]()
                    seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def edgerig_ways(stack: ExitStack) -> dict[str, Callable[[Artifact, int], Any]]:
    """Name to a function that opens a session."""
    options: dict[str, dict[str, Any]] = {
        "RUN, TCP": {"checksum": False},
        "RUN, TCP, CRC-32": {"checksum": True},
        "stepwise, TCP": {"checksum": False, "protocol": "stepwise"},
    }
    ways: dict[str, Callable[[Artifact, int], Any]] = {
        "RUN, socket pair": lambda artifact, size: target_for("local").open(artifact, NAME, {"size": size})
    }
    for name, chosen in options.items():
        address = start_agent(stack)
        ways[name] = lambda artifact, size, address=address, chosen=chosen: target_for(address, chosen).open(
            artifact, NAME, {"size": size}
        )
    return ways


def start_agent(stack: ExitStack) -> str:
    """An agent in a process of its own, ended with the stack; its address."""
    import subprocess

    words = [sys.executable, "-m", "edgerig", "agent", "--listen", "127.0.0.1:0", "--runtime", NAME, "--quiet"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    agent = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment, start_new_session=True
    )
    assert agent.stdout is not None
    address = agent.stdout.readline().split()[-1]
    assert address.startswith(str(Address("127.0.0.1", 0))[:-1])

    def end() -> None:
        agent.terminate()
        agent.communicate()

    stack.callback(end)
    return address


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"rounds of {TRIPS} round trips by each way")
    options = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES:
            seconds = measure(size, options.rounds, Path(folder))
            yardstick = seconds["raw echo"] + seconds["bare engine"]
            ratios = {name: value / yardstick for name, value in seconds.items()}
            results.append({"bytes": size, "median_s": seconds, "ratio": ratios})
    state = observe()
    if options.json:
        document = {"results": results, "machine": state.cpu, "cores": state.cores}
        sys.stdout.write(json.dumps(document | {"load_1min": os.getloadavg()[0]}, indent=1) + "\n")
    else:
        print(
            f"{state.cpu}, {state.cores} cores, load {os.getloadavg()[0]:.1f}; us a round trip (ratio to echo + bare)"
        )
        print(f"{'way':<20}" + "".join(f"{size:>18,} B" for size in SIZES))
        for name in results[0]["median_s"]:
            cells = (f"{entry['median_s'][name] * 1e6:>12,.0f} ({entry['ratio'][name]:.2f})" for entry in results)
            print(f"{name:<20}" + "".join(f"{cell:>20}" for cell in cells))


if __name__ == "__main__":
    # The worker imports this file as a module, by the path that it is given.
    sys.path.insert(0, str(Path(__file__).parent))
    main()
