"""``edgerig digits serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgerig import logs
from edgerig.cli.log_options import apply_log_options
from edgerig.cli.serve_options import serve_until_stopped, serving_options, start_server


@click.command(name="serve")
@click.option(
    "--model",
    metavar="FILE",
    required=True,
    type=click.Path(path_type=Path),
    help="A network of 28x28 values, ten scores.",
)
@click.option(
    "--listen",
    default="127.0.0.1:32001",
    show_default=True,
    metavar="HOST:PORT",
    help="Where to listen for digits; port 0 takes a free one.",
)
@click.option(
    "--http",
    metavar="HOST:PORT",
    help="Listen for HTTP as well: a page to draw on, Open Inference Protocol, health, metrics.",
)
@click.option("--grpc", metavar="HOST:PORT", help="Listen for gRPC as well: Open Inference Protocol.")
@serving_options
def command(model: Path, listen: str, http: str | None, grpc: str | None, stop_within: float, **options: Any) -> None:
    """Answer clients that draw digits, until Ctrl-C.

    A request is 3180 bytes of FlatBuffers, its reply 96; one a connection or many, pipelined too. Clients have no
    token: other addresses than loopback need --tls or --insecure.

    \b
    Examples:
      edgerig digits serve --model mnist_int8.tflite --listen 127.0.0.1:32001
      edgerig digits serve --model mnist_int8.tflite --listen 0.0.0.0:32001 --insecure
      edgerig digits serve --model mnist_int8.tflite --http 127.0.0.1:8080
      edgerig digits serve --model mnist_int8.tflite --target sim:stm32f746
    """
    from edgerig.serve.ways.base import Way
    from edgerig.serve.ways.digits import Digits
    from edgerig.serve.ways.open_inference.grpc import OpenInferenceGrpc
    from edgerig.serve.ways.open_inference.http import OpenInferenceHttp
    from edgerig.serve.ways.page import Page

    apply_log_options(click.get_current_context(), base=logs.VERBOSE)
    ways: list[Way] = [Digits(listen)]
    ways += [OpenInferenceHttp(), Page()] if http is not None else []
    ways += [OpenInferenceGrpc(grpc)] if grpc is not None else []
    serve_until_stopped(lambda: start_server(model, listen=http, ways=ways, **options), stop_within)
