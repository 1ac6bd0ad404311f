"""``edgerig serve``."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgerig import logs
from edgerig.cli.console import say
from edgerig.cli.log_options import apply_log_options
from edgerig.cli.options import FiniteRange, find_here, format_option, load_format, parse_options

if TYPE_CHECKING:
    from edgerig.serve import Server

_logger = logging.getLogger(__name__)


@click.command(name="serve")
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--listen",
    default="127.0.0.1:8080",
    show_default=True,
    metavar="HOST:PORT",
    help="Where to listen for HTTP; port 0 takes a free one.",
)
@click.option("--name", metavar="NAME", help="What clients call the network.  [default: the file's name, no suffix]")
@click.option("--target", default="local", show_default=True, help="Where it runs: local, tcp://HOST:PORT, sim:...")
@click.option("--target-option", multiple=True, metavar="KEY=VALUE", help="A setting of the target; may be repeated.")
@click.option("--runtime", metavar="NAME", help="The engine there.  [default: the usual one of the file's format]")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Threads of each session.")
@click.option(
    "--sessions",
    type=click.IntRange(1, 256),
    help="Sessions side by side, each a process with the network.  [default: one a core; on other targets 1]",
)
@click.option(
    "--batch", type=click.IntRange(min=1), default=64, show_default=True, help="Samples that a session runs at once."
)
@click.option(
    "--queue",
    type=click.IntRange(min=1),
    default=8192,
    show_default=True,
    help="Samples that may wait; what comes beyond them is refused at once.",
)
@click.option(
    "--page-target",
    "page_targets",
    multiple=True,
    metavar="TARGET",
    help="A further target that the page to draw digits on offers, such as sim:stm32f746; may be repeated.",
)
@click.option(
    "--tls",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Speak TLS 1.3 only, with the keys in DIR, and let in only clients with a certificate of the same CA.",
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Let in only clients that show the token in this file.  [default: the variable EDGERIG_TOKEN]",
)
@click.option("--insecure", is_flag=True, help="Listen on other addresses than loopback, open to everybody there.")
@click.option(
    "--stop-within",
    type=FiniteRange(min=0),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="Time for accepted requests when it is stopped.",
)
@format_option
def command(model: Path, stop_within: float, **options: Any) -> None:
    """Let others ask the network MODEL, until Ctrl-C.

    Clients speak the Open Inference Protocol (KServe v2), over HTTP at --listen and over gRPC at the next port; for a
    network of digits there is a page to draw on at http://HOST:PORT/. Other addresses than loopback need --tls or
    --token-file. Once it listens, a line `listening on ADDRESS` for each port goes to standard output; everything else
    to standard error.

    \b
    Examples:
      edgerig serve mnist_int8.tflite
      edgerig serve net.tflite --listen 127.0.0.1:8080 --sessions 4
      edgerig serve net.onnx --target tcp://raspberrypi:7433
      edgerig serve net.tflite --listen 0.0.0.0:8080 --token-file token
    """
    apply_log_options(click.get_current_context(), base=logs.VERBOSE)
    _run(lambda: _server(model, **options), stop_within)


def _server(
    model: Path,
    *,
    target_option: tuple[str, ...],
    token_file: Path | None,
    threads: int,
    format_: str | None,
    page_targets: tuple[str, ...],
    tls: Path | None,
    **options: Any,
) -> Server:
    from edgerig.serve import Server
    from edgerig.serve.server import default_ways
    from edgerig.wire.ownership import load_token, others_may_read
    from edgerig.wire.tls import KEY

    find_here(options["target"], *page_targets, *filter(None, [options["runtime"]]))
    load_format(format_)
    token = load_token(token_file)
    for secret in (token_file, tls / KEY if tls is not None else None):
        if secret is not None and others_may_read(secret):
            _logger.warning("every user of this machine may read %s: chmod 600 %s", secret, secret)
    return Server(
        model,
        target_options=parse_options(target_option, "--target-option"),
        options={"threads": threads} if threads != 1 else {},
        ways=default_ways(page_targets),
        tls=tls,
        token=token,
        **options,
    )


def _run(start: Any, stop_within: float) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    from edgerig.cli.signals import stop_on_termination

    stop_on_termination()
    try:
        server: Server = start()
    except KeyboardInterrupt:
        return
    try:
        for name, address in server.addresses.items():
            say(f"listening on {str(address).removeprefix('tcp://')} ({name})")
        server.wait()
    except KeyboardInterrupt:
        _logger.info("finishing the accepted requests")
    finally:
        server.stop(stop_within)
    _logger.info("server stopped")
