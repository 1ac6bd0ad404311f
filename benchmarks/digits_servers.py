"""Processor time of a digits server for each request: edgerig's, edgerig's without its code in C, and the one in C.

    python benchmarks/digits_servers.py [--model mnist_int8.tflite] [--requests 4000] [--json]

The question of who has served digits from Python: is Python the limit, and would C do better? Processor time answers
it, whatever else runs on the machine: of the server's processes, user and system, for each request; for inferences over
kept connections and over one connection each, and for statistics, which run no network. The network's own time, the
median of what the replies name, stands beside it: LiteRT's in edgerig's servers, that of portable C in the other.
edgerig looks after connections in C, and sessions of the network are processes in Python; with `--in-process` all is in
one, in Python.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil

from edgerig.boards.digits_program import build_digits_program
from edgerig.models.files import open_artifact
from edgerig.testing import networks
from edgerig.wire.digits import (
    REPLY_SIZE,
    STATS_REPLY_SIZE,
    STATS_REQUEST,
    InferenceReply,
    decode_reply,
    encode_inference_request,
)

WARM_UP, PIPELINED = 50, 10
Figures = dict[str, float]


@contextmanager
def running(words: list[str]) -> Iterator[tuple[psutil.Process, int]]:
    """A server's process, and the port that it names."""
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            address = next((word for word in line.split() if "127.0.0.1:" in word), None)
            if address is not None:
                yield psutil.Process(process.pid), int("".join(filter(str.isdigit, address.rpartition(":")[2])))
                break
        process.terminate()


def processor_seconds(process: psutil.Process) -> float:
    """User and system time of a process and its children so far."""
    tree = [process, *process.children(recursive=True)]
    return sum(sum(part.cpu_times()[:2]) for part in tree)


def receive(client: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        piece = client.recv(count - len(data))
        if not piece:
            raise ConnectionError("the server hung up")
        data += piece
    return bytes(data)


def kept(port: int, request: bytes, reply_size: int, count: int) -> list[bytes]:
    """The replies to ``count`` requests over one connection, ten of them on their way at a time."""
    replies = []
    with socket.create_connection(("127.0.0.1", port)) as client:
        for _ in range(count // PIPELINED):
            client.sendall(request * PIPELINED)
            data = receive(client, reply_size * PIPELINED)
            replies += [data[start : start + reply_size] for start in range(0, len(data), reply_size)]
    return replies


def reconnecting(port: int, request: bytes, reply_size: int, count: int) -> list[bytes]:
    """The same, over a connection for each."""
    replies = []
    for _ in range(count):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(request)
            replies.append(receive(client, reply_size))
    return replies


def measure(words: list[str], count: int) -> Figures:
    """Microseconds of the processor for each request."""
    inference = encode_inference_request(np.random.default_rng(0).random(784))
    cases = {
        "inference, kept": (kept, inference, REPLY_SIZE, count),
        "inference, connection each": (reconnecting, inference, REPLY_SIZE, count),
        # They take so little that the kernel's counting by hundredths of a second needs many.
        "statistics, kept": (kept, STATS_REQUEST, STATS_REPLY_SIZE, 20 * count),
    }
    figures: Figures = {}
    with running(words) as (process, port):
        for name, (way, request, size, number) in cases.items():
            way(port, request, size, WARM_UP)
            before = processor_seconds(process)
            replies = way(port, request, size, number)
            figures[name] = (processor_seconds(process) - before) / len(replies) * 1e6
            if name == "inference, kept":
                decoded = [decode_reply(reply) for reply in replies]
                times = [reply.timer_ms for reply in decoded if isinstance(reply, InferenceReply)]
                figures["network"] = statistics.median(times) * 1e3
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a .tflite file; by default one dense layer")
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = options.model or networks.dense_tflite_int8(Path(folder, "dense.tflite"), 784, 10)
        program = Path(folder, "server")
        build_digits_program(open_artifact(model), program)
        served = [sys.executable, "-m", "edgerig", "digits", "serve", "--model", str(model), "--listen", "127.0.0.1:0"]
        results = {
            "edgerig": measure(served, options.requests),
            "in Python": measure([*served, "--in-process"], options.requests),
            "C": measure([str(program), "127.0.0.1:0"], options.requests),
        }
    if options.json:
        print(json.dumps(results, indent=1))
        return
    print(f"{'us of the processor for each request':<40}" + "".join(f"{server:>10}" for server in results))
    for name in results["C"]:
        label = "of which the network, by the replies" if name == "network" else name
        print(f"{label:<40}" + "".join(f"{figures[name]:>10.1f}" for figures in results.values()))


if __name__ == "__main__":
    main()
