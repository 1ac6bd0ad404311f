"""What `edgerig stress` itself can do: beside a client in C, and one of bare asyncio, all asking the same server in C.

The server answers at once, whatever it is asked; so what is reached is the client's limit, or the machine's. What the
tool's CPU time of a request allows is its ceiling where it has a CPU for itself. Needs `cc`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np

from edgerig.measure.kinds import Measurement
from edgerig.serve.stress.load import Load
from edgerig.serve.stress.run import stress
from edgerig.wire.digits import REPLY_SIZE, encode_inference_reply, encode_inference_request

REQUEST = encode_inference_request(np.zeros(784))


class Bare(asyncio.Protocol):
    """Asks again as soon as a reply is whole, and looks at nothing."""

    def __init__(self, requests: int, done: asyncio.Future[None]) -> None:
        self.left, self.done, self.have = requests, done, 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.have += len(data)
        if self.have < REPLY_SIZE:
            return
        self.have, self.left = 0, self.left - 1
        if self.left:
            self.transport.write(REQUEST)
        else:
            self.transport.close()
            self.done.set_result(None)


async def bare(port: int, connections: int, requests: int) -> float:
    """Replies per second of asyncio with nothing around it."""
    loop = asyncio.get_running_loop()
    clients = []
    for _ in range(connections):
        done = loop.create_future()
        _, client = await loop.create_connection(partial(Bare, requests, done), "127.0.0.1", port)
        clients.append(client)
    start = time.perf_counter()
    for client in clients:
        client.transport.write(REQUEST)
    await asyncio.gather(*(client.done for client in clients))
    return connections * requests / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    connections, requests = arguments.connections, arguments.requests
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program = folder / "stress_echo"
        subprocess.run(["cc", "-O2", "-o", program, Path(__file__).with_name("stress_echo.c")], check=True)
        (folder / "request").write_bytes(REQUEST)
        (folder / "reply").write_bytes(encode_inference_reply(np.full(10, 0.1), 1.0))
        server = subprocess.Popen([program, "server", folder / "reply"], stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            print(f"{connections} connections, {requests} requests each; load average {os.getloadavg()[0]:.1f}")
            print("replies per second: in C, bare asyncio, edgerig stress; its CPU time of a request, its ceiling")
            for _ in range(arguments.rounds):
                words = [str(program), "client", str(port), str(folder / "request"), str(connections), str(requests)]
                in_c = float(subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout)
                plain = asyncio.run(bare(port, connections, requests))
                load = Load(host="127.0.0.1", port=port, protocol="digits", connections=connections, requests=requests)
                result = stress(load)
                assert isinstance(result.throughput, Measurement)
                seconds = result.tool.cpu.value / result.throughput.value
                print(
                    f"{in_c:9,.0f} {plain:9,.0f} {result.throughput.value:9,.0f}   {seconds * 1e6:.0f} us, "
                    f"{1 / seconds:,.0f} per second and process",
                    flush=True,
                )
        finally:
            server.kill()
            server.wait()


if __name__ == "__main__":
    main()
