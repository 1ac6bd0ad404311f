"""The options of commands that serve a network, and their life: until Ctrl-C or SIGTERM."""

from __future__ import annotations

import gc
import logging
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edgerig.cli.access_options import access_options, read_token
from edgerig.cli.console import say
from edgerig.cli.device_options import runtime_settings, target_settings
from edgerig.cli.option_group import option_group
from edgerig.cli.options import FiniteRange, find_here, load_format, model_format_option, parse_options

if TYPE_CHECKING:
    from edgerig.serve import Server

_logger = logging.getLogger(__name__)
F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--name", metavar="NAME", help="What clients call the network.  [default: the file's name, no suffix]"
    ),
    click.option(
        "--target",
        default="local",
        show_default=True,
        metavar="ADDRESS",
        help="Where it runs: local, tcp://HOST:PORT, sim:stm32f746 ..",
    ),
    target_settings,
    click.option("--runtime", metavar="NAME", help="The engine there.  [default: the usual one of the file's format]"),
    runtime_settings,
    click.option(
        "--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Threads of each session."
    ),
    click.option(
        "--sessions",
        type=click.IntRange(1, 256),
        help="Sessions side by side, each a process with the network.  [default: one a core; on other targets 1]",
    ),
    click.option(
        "--in-process",
        is_flag=True,
        help="Run the network in the server's own process: a request to a small one takes a tenth to a quarter less "
        "time. One that crashes or hangs takes the server with it: for networks that you trust, with --target local.",
    ),
    click.option(
        "--batch",
        metavar="N",
        type=click.IntRange(min=1),
        default=64,
        show_default=True,
        help="Samples that a session runs at once.",
    ),
    click.option(
        "--queue",
        type=click.IntRange(min=1),
        default=8192,
        show_default=True,
        help="Samples that may wait; what comes beyond them is refused at once.",
    ),
    access_options("clients", "that show"),
    click.option(
        "--stop-within",
        type=FiniteRange(min=0),
        default=30.0,
        show_default=True,
        metavar="SECONDS",
        help="Time for accepted requests when it is stopped.",
    ),
    click.option(
        "--answer-within",
        "answer_seconds",
        type=FiniteRange(min=0, min_open=True),
        metavar="SECONDS",
        help="A session of this machine that takes longer for an answer counts as hung, and is begun anew.  "
        "[default: 20, or the target's setting timeout]",
    ),
    click.option(
        "--access-log",
        metavar="PATH",
        help="Write a line of JSON for each request: times of handler, queue and network; - for standard output.",
    ),
    model_format_option,
)


def serving_options(function: F) -> F:
    """The options of every command that serves; `start_server` takes them."""
    return option_group(*_OPTIONS)(function)


def start_server(
    model: Path,
    *,
    target_option: tuple[str, ...],
    runtime_option: tuple[str, ...],
    token_file: Path | None,
    threads: int,
    model_format: str | None,
    tls: Path | None,
    access_log: str | None,
    **options: Any,
) -> Server:
    """A server of the network ``model`` with these options and further arguments of `edgerig.serve.Server`."""
    from edgerig.serve import Server

    find_here(options["target"], *filter(None, [options["runtime"]]))
    load_format(model_format)
    return Server(
        model,
        target_options=parse_options(target_option, "--target-option"),
        options={
            **({"threads": threads} if threads != 1 else {}),
            **parse_options(runtime_option, "--runtime-option"),
        },
        tls=tls,
        token=read_token(token_file, tls),
        log=_opened(access_log),
        **options,
    )


def serve_until_stopped(start: Callable[[], Server], stop_within: float) -> None:
    """Serve until Ctrl-C or SIGTERM, then finish what was accepted."""

    _allow_descriptors()
    try:
        server: Server = start()
    except KeyboardInterrupt:
        return
    # What has been imported stays: the garbage collector need not look at it again and again.
    gc.collect()
    gc.freeze()
    try:
        for name, address in server.addresses.items():
            say(f"listening on {str(address).removeprefix('tcp://')} ({name})")
        page = next((way.page for way in server.ways if way.page is not None), None)
        if page is not None and "http" in server.addresses:
            _logger.info("the page: %s%s", _url_of(server), page)
        _logger.info("the network: %s", _name_of(server))
        server.wait()
    except KeyboardInterrupt:
        _logger.info("finishing the accepted requests")
    finally:
        server.stop(stop_within)
    _logger.info("server stopped")


def _name_of(server: Server) -> str:
    """What clients call the network, and where its metadata are."""
    from urllib.parse import quote

    name = server.service.name
    return f"{name}, {_url_of(server)}/v2/models/{quote(name, safe='')}" if "http" in server.addresses else name


def _url_of(server: Server) -> str:
    """The root of the HTTP port, for browsers."""
    scheme = "https" if server.access.tls is not None else "http"
    return f"{scheme}://{str(server.addresses['http']).removeprefix('tcp://')}"


def _opened(access_log: str | None) -> Any:
    """Where the lines of requests go: ``-`` is standard output."""
    if access_log is None:
        return None
    if access_log == "-":
        return sys.stdout
    from edgerig.errors import storing

    with storing(access_log):
        return Path(access_log).open("a")


def _allow_descriptors() -> None:
    """Each connection takes a file descriptor: as many as this user may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
