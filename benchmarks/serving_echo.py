"""The Open Inference Protocol beside a plain echo of the same stack: starlette on uvicorn, and grpcio.

The echo takes the same body, answers with a constant answer of the same size, and does nothing else. Triton's client
asks both, in turns.
"""

from __future__ import annotations

import asyncio
import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy as np

ROUNDS, REQUESTS = 11, 300


def serve_http() -> None:
    """Answer every body with a constant answer, until ended; prints its port."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    tensor = {"name": "y", "datatype": "FP32", "shape": [1, 10], "parameters": {"binary_data_size": 40}}
    head = json.dumps({"model_name": "net", "model_version": "1", "outputs": [tensor]}).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}

    async def echo(request: Request) -> Response:
        await request.body()
        return Response(head + bytes(40), headers=headers, media_type="application/octet-stream")

    app = Starlette(routes=[Route("/v2/models/net/infer", echo, methods=["POST"])])
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off")).run(sockets=[listener])


def serve_grpc() -> None:
    """Answer ModelInfer with a constant message, until ended; prints its port."""
    from grpc import aio
    from tritonclient.grpc import service_pb2 as messages
    from tritonclient.grpc import service_pb2_grpc

    answer = messages.ModelInferResponse(
        model_name="net", outputs=[{"name": "y", "datatype": "FP32", "shape": [1, 10]}], raw_output_contents=[bytes(40)]
    )

    class Echo(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
        async def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
            return answer

    async def run() -> None:
        server = aio.server()
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(Echo(), server)
        print(server.add_insecure_port("127.0.0.1:0"), flush=True)
        await server.start()
        await server.wait_for_termination()

    import uvloop

    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.run(run())


def echo_server(stack: ExitStack, kind: str) -> int:
    """The port of an echo in another process."""
    process = subprocess.Popen([sys.executable, __file__, kind], stdout=subprocess.PIPE)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    assert process.stdout is not None
    return int(process.stdout.readline())


def http_call(stack: ExitStack, port: int, model: str, input_name: str, x: Any) -> Callable[[], Any]:
    """One request of Triton's client over HTTP, with binary tensors."""
    import tritonclient.http as triton

    client = stack.enter_context(triton.InferenceServerClient(f"127.0.0.1:{port}"))
    tensor = triton.InferInput(input_name, list(x.shape), "FP32")
    tensor.set_data_from_numpy(x)
    return lambda: client.infer(model, [tensor])


def grpc_call(stack: ExitStack, port: int, model: str, input_name: str, x: Any) -> Callable[[], Any]:
    """One request of Triton's client over gRPC."""
    import tritonclient.grpc as triton

    client = stack.enter_context(triton.InferenceServerClient(f"127.0.0.1:{port}"))
    tensor = triton.InferInput(input_name, list(x.shape), "FP32")
    tensor.set_data_from_numpy(x)
    return lambda: client.infer(model, [tensor])


def medians(calls: dict[str, Callable[[], object]]) -> dict[str, float]:
    """The median time of each call in us, over rounds in which they take turns."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(ROUNDS):
        for name, call in calls.items():
            for _ in range(REQUESTS):
                start = time.perf_counter()
                call()
                if number:
                    times[name].append((time.perf_counter() - start) * 1e6)
    return {name: statistics.median(values) for name, values in times.items()}


def compare(
    servers: dict[str, dict[str, int]], model: str, input_name: str, shape: tuple[int, ...]
) -> dict[str, float]:
    """Median times in us of served networks and of the echoes, through Triton's client.

    Args:
        servers: The ports of each, by what is said behind its figures' names.
    """
    x = np.random.default_rng(0).random((1, *shape)).astype(np.float32)
    with ExitStack() as stack:
        calls = {}
        for kind, connect, port_name in (("http", http_call, "http"), ("grpc", grpc_call, "oip-grpc")):
            for name, ports in servers.items():
                calls[f"{kind}{name}"] = connect(stack, ports[port_name], model, input_name, x)
            calls[f"{kind} echo"] = connect(stack, echo_server(stack, kind), "net", input_name, x)
        return medians(calls)


if __name__ == "__main__":
    serve_http() if sys.argv[1] == "http" else serve_grpc()
