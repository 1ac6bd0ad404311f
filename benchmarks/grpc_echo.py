"""An echo over gRPC, as a peer in other benchmarks: bytes there and back, with no message format around them."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

METHOD = "/edgerig.Echo/Exchange"


def installed() -> bool:
    """Whether gRPC is there."""
    return importlib.util.find_spec("grpc") is not None


def exchange(stack: ExitStack, size: int, answer: int) -> Callable[[], object]:
    """``size`` bytes there and ``answer`` bytes back, with another process over TCP."""
    import grpc

    server = subprocess.Popen([sys.executable, str(Path(__file__))], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(f"{answer}\n".encode())
    server.stdin.flush()
    port = int(server.stdout.readline())

    def end() -> None:
        server.terminate()
        server.communicate()

    stack.callback(end)
    channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=_options())
    stack.callback(channel.close)
    call, data = channel.unary_unary(METHOD), os.urandom(size)
    return lambda: call(data)


def _options() -> list[tuple[str, int]]:
    return [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


def serve(answer: int) -> None:
    """Answer every message with its first ``answer`` bytes, until ended."""
    from concurrent.futures import ThreadPoolExecutor

    import grpc

    server = grpc.server(ThreadPoolExecutor(1), options=_options())
    handler = grpc.unary_unary_rpc_method_handler(lambda data, _: data[:answer])
    service, method = METHOD[1:].split("/")
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    serve(int(sys.stdin.readline()))
