"""What the wire adds to one inference: a RUN's round trip beside a raw socket echo of the same bytes.

    python benchmarks/wire_round_trip.py [--json]

The network takes 5 microseconds. It comes in two kinds: one answers with as many bytes as it gets, the other with 40.
The raw peer is another process that receives as many bytes as a RUN sends, and sends back as many as RUN answers, with
nothing but ``sendall`` and ``recv_into`` on a TCP socket. Beside them stand the bare engine in this process, an echo
over gRPC if it is installed (`pip install grpcio`), and edgerig's worker: one RUN at the level of the wire, the same by
``Session.run`` with its checks and copies, and the stepwise exchange of DATA, PROCESS, OUTPUT and STATS.

Where host and device run decides what a raw round trip takes, and the scheduler changes its mind about it: so all of it
is measured twice, with both on one core and with each on a core of its own. In each round a few samples cross every
way, in turns.
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
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any, ClassVar

import grpc_echo
import msgspec
import numpy as np

from edgerig.artifact import Artifact, TensorSpec
from edgerig.files import sha256
from edgerig.measure.machine import observe
from edgerig.runtimes.base import Array, Calls, Runtime, RuntimeSettings
from edgerig.targets.remote.session import WireSession
from edgerig.targets.resolve import target_for

#: Bytes in -> how many times the raw exchange a RUN may take.
GOALS = {1_500: 3.0, 150_000: 2.0, 600_000: 1.5, 2_400_000: 1.5}
SMALL = 40
ROUNDS = 15
TRIPS = 20
NAME = "wire_round_trip:Echo"
RAW, BARE, JUDGED = "raw exchange", "bare engine", "RUN, TCP"
Way = Callable[[], object]


class EchoSettings(RuntimeSettings, frozen=True, kw_only=True):
    """How long it takes, and how much."""

    size: Annotated[int, msgspec.Meta(description="bytes in", ge=1)] = 1500
    answer: Annotated[int, msgspec.Meta(description="bytes out, at most as many as in", ge=1)] = 1500
    busy_ns: Annotated[int, msgspec.Meta(description="nanoseconds that an inference takes", ge=0)] = 5000


class Echo(Runtime):
    """Gives the beginning of its input back."""

    name = "echo"
    summary = "gives its input back"
    formats: ClassVar[frozenset[str]] = frozenset({"tflite"})
    Settings = EchoSettings
    settings: EchoSettings

    @classmethod
    def version(cls) -> str:
        return "1"

    def _load(self, path: Path) -> None:
        self.x: Array = np.zeros((1, self.settings.size), np.uint8)

    def _inputs(self) -> tuple[TensorSpec, ...]:
        return (TensorSpec("x", (1, self.settings.size), "uint8"),)

    def _outputs(self) -> tuple[TensorSpec, ...]:
        return (TensorSpec("y", (1, self.settings.answer), "uint8"),)

    def _calls(self) -> Calls:
        clock, busy = time.perf_counter_ns, self.settings.busy_ns
        x, y = self.x, self.x[:, : self.settings.answer]

        def set_inputs(sample: Sequence[Array]) -> None:
            x[...] = sample[0]

        def invoke() -> None:
            end = clock() + busy
            while clock() < end:
                pass

        return set_inputs, invoke, lambda: (y.copy(),)


def receive(connected: socket.socket, view: memoryview) -> bool:
    """Fill ``view``; False if the peer is gone."""
    got = 0
    while got < len(view):
        count = connected.recv_into(view[got:])
        if not count:
            return False
        got += count
    return True


def raw_exchange(stack: ExitStack, size: int, answer: int, cores: tuple[int, int]) -> Way:
    """``size`` bytes there and ``answer`` bytes back, with another process."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        pid = os.fork()
        if pid == 0:
            os.sched_setaffinity(0, {cores[1]})
            connected, _ = listener.accept()
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            view = memoryview(bytearray(size))
            while receive(connected, view):
                connected.sendall(view[:answer])
            os._exit(0)
    connected = socket.create_connection(("127.0.0.1", port))
    stack.callback(os.waitpid, pid, 0)
    stack.callback(connected.close)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    data, back = os.urandom(size), memoryview(bytearray(answer))

    def trip() -> None:
        connected.sendall(data)
        receive(connected, back)

    return trip


def bare_engine(size: int, answer: int, path: Path, sample: Array) -> Way:
    """Set, invoke and get in this process, with no edgerig around."""
    engine = Echo(EchoSettings(size=size, answer=answer))
    engine.load(path)
    set_inputs, invoke, get_outputs = engine._calls()

    def trip() -> None:
        set_inputs((sample,))
        invoke()
        get_outputs()

    return trip


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Processes that are started here run on that core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def start_agent(stack: ExitStack, *options: str) -> str:
    """An agent in a process of its own, ended with the stack; its address."""
    import subprocess

    words = [
        sys.executable,
        "-m",
        "edgerig",
        "agent",
        "--listen",
        "127.0.0.1:0",
        "--runtime",
        NAME,
        "--quiet",
        *options,
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    agent = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment, start_new_session=True
    )
    assert agent.stdout is not None
    address = agent.stdout.readline().split()[-1]

    def end() -> None:
        agent.terminate()
        agent.communicate()

    stack.callback(end)
    return address


def an_artifact(path: Path, size: int, answer: int) -> Artifact:
    """A file that `Echo` takes as its network."""
    path.write_bytes(b"echo")
    x, y = (TensorSpec(name, (1, length), "uint8") for name, length in (("x", size), ("y", answer)))
    return Artifact("echo", "tflite", sha256(b"echo"), 4, (x,), (y,), str(path))


def edgerig_ways(stack: ExitStack, artifact: Artifact, options: dict[str, Any], sample: Array) -> dict[str, Way]:
    """Round trips by edgerig over several links. Devices start on the core that this process is on now."""

    def session(address: str, **settings: Any) -> WireSession:
        target = target_for(address, settings)
        stack.callback(target.close)
        opened = target.open(artifact, NAME, options)
        assert isinstance(opened, WireSession)
        return opened

    view = [sample.data.cast("B")]
    pair, tcp = session("local"), session(start_agent(stack), checksum=False)
    checked = session(start_agent(stack), checksum=True)
    steps = session(start_agent(stack), checksum=False, protocol="stepwise")
    return {
        "RUN, socket pair": lambda: pair.client.run(view, 1),
        JUDGED: lambda: tcp.client.run(view, 1),
        "RUN, TCP, CRC-32": lambda: checked.client.run(view, 1),
        "Session.run, TCP": lambda: tcp.run([sample]),
        "stepwise, TCP": lambda: steps.run([sample]),
    }


def measure(size: int, answer: int, cores: tuple[int, int], rounds: int, folder: Path) -> dict[str, float]:
    """Median seconds of one round trip by each way, host and device on the given cores."""
    artifact = an_artifact(folder / "echo.tflite", size, answer)
    sample = np.frombuffer(os.urandom(size), np.uint8).reshape(1, size)
    with ExitStack() as stack, on_core(cores[0]):
        ways = {RAW: raw_exchange(stack, size, answer, cores)}
        ways[BARE] = bare_engine(size, answer, Path(artifact.path), sample)
        with on_core(cores[1]):
            if grpc_echo.installed():
                ways["gRPC"] = grpc_echo.exchange(stack, size, answer)
            ways |= edgerig_ways(stack, artifact, {"size": size, "answer": answer}, sample)
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


def show(results: list[dict[str, Any]]) -> None:
    """One table for each kind of answer and each placement."""
    for title in dict.fromkeys((entry["answer"], entry["cores"]) for entry in results):
        entries = [entry for entry in results if (entry["answer"], entry["cores"]) == title]
        print(f"\nanswer: {title[0]}; host and device on {title[1]}; us a round trip (ratio to the raw exchange)")
        print(f"{'bytes in':<20}" + "".join(f"{entry['bytes']:>18,}" for entry in entries))
        for name in entries[0]["median_s"]:
            cells = (
                f"{entry['median_s'][name] * 1e6:,.0f} ({entry['median_s'][name] / entry['median_s'][RAW]:.2f})"
                for entry in entries
            )
            print(f"{name:<20}" + "".join(f"{cell:>18}" for cell in cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"rounds of {TRIPS} round trips by each way")
    options = parser.parse_args()
    if not grpc_echo.installed():
        print("gRPC is left out: pip install grpcio", file=sys.stderr)
    usable = sorted(os.sched_getaffinity(0))
    placements = {"one core": (usable[0], usable[0])}
    if len(usable) > 1:
        placements["two cores"] = (usable[0], usable[1])
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("as long", f"{SMALL} B"):
            for title, cores in placements.items():
                for size, goal in GOALS.items():
                    answer = size if kind == "as long" else SMALL
                    median = measure(size, answer, cores, options.rounds, Path(folder))
                    ratio = median[JUDGED] / median[RAW]
                    results.append(
                        {"bytes": size, "answer": kind, "cores": title, "median_s": median, "ratio": ratio,
                         "goal": goal, "reached": ratio <= goal}
                    )  # fmt: skip
    state = observe()
    if options.json:
        document = {"results": results, "machine": state.cpu, "cores": state.cores}
        sys.stdout.write(json.dumps(document | {"load_1min": os.getloadavg()[0]}, indent=1) + "\n")
    else:
        print(f"{state.cpu}, {state.cores} cores, load {os.getloadavg()[0]:.1f}")
        show(results)
    raise SystemExit(0 if all(entry["reached"] for entry in results) else 1)


if __name__ == "__main__":
    # The worker imports this file as a module, by the path that it is given.
    sys.path.insert(0, str(Path(__file__).parent))
    main()
