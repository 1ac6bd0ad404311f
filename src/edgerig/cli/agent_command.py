"""``edgerig agent``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from edgerig.cli.console import echo


@click.command(name="agent")
@click.option(
    "--listen", default="127.0.0.1:7433", show_default=True, metavar="ADDRESS",
    help="Where to listen: HOST:PORT (port 0 takes a free one), unix:///PATH or serial:///dev/ttyGS0?baud=115200.",
)  # fmt: skip
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where networks are put while they are measured.  [default: the temporary folder]",
)
@click.option(
    "--runtime",
    "runtimes",
    multiple=True,
    metavar="NAME",
    help="A runtime that clients may ask for; may be repeated.  [default: all registered]",
)
@click.option(
    "--idle", type=click.FloatRange(min=0, min_open=True), default=600.0, show_default=True, metavar="SECONDS",
    help="End a session after this long without a request.",
)  # fmt: skip
@click.option("--insecure", is_flag=True, help="Listen on other addresses than loopback, open to everybody there.")
@click.option("--quiet", is_flag=True, help="Say nothing about sessions.")
@click.option("--until-eof", is_flag=True, hidden=True, help="Stop when standard input ends.")
def command(
    listen: str,
    folder: Path | None,
    runtimes: tuple[str, ...],
    idle: float,
    insecure: bool,
    quiet: bool,
    until_eof: bool,
) -> None:
    """Serve this machine as a device under test, until Ctrl-C.

    One session at a time; each gets a fresh process, so that a network that crashes takes nothing else down. Once it
    listens, the line `listening on tcp://HOST:PORT` goes to standard output; everything else to standard error.

    \b
    Examples:
      edgerig agent
      edgerig agent --listen 127.0.0.1:0 --runtime litert
      edgerig bench net.tflite --target tcp://127.0.0.1:7433     # in another terminal
    """
    from edgerig.agent.server import Agent, parse_address
    from edgerig.cli.signals import stop_on_termination
    from edgerig.plugins import find
    from edgerig.runtimes.base import Runtime
    from edgerig.wire.unix import SCHEME, parse_unix

    for name in runtimes:
        find("runtime", name, Runtime)
    if listen.startswith("serial://"):
        _serve_serial(listen, folder, runtimes, idle, (lambda _: None) if quiet else echo)
        return
    address = parse_unix(listen) if listen.startswith(SCHEME) else parse_address(listen)
    agent = Agent(
        address, folder=folder, runtimes=runtimes, insecure=insecure, idle=idle,
        log=(lambda _: None) if quiet else echo,
    )  # fmt: skip
    stop_on_termination()
    if until_eof:
        _stop_at_eof(agent.stop)
    try:
        click.echo(f"listening on {agent.address}")
        agent.serve()
    except KeyboardInterrupt:
        pass
    finally:
        agent.close()
    echo("agent stopped")


def _serve_serial(
    listen: str, folder: Path | None, runtimes: tuple[str, ...], idle: float, log: Callable[[str], None]
) -> None:
    """Serve the host at the other end of a serial line."""
    from edgerig.agent.serial import SerialAgent
    from edgerig.cli.signals import stop_on_termination
    from edgerig.wire.serial import open_serial, parse_serial

    place = parse_serial(listen)
    agent = SerialAgent(open_serial(place, place.line()), folder=folder, runtimes=runtimes, idle=idle, log=log)
    stop_on_termination()
    try:
        click.echo(f"listening on {listen}")
        agent.serve()
    except KeyboardInterrupt:
        pass
    finally:
        agent.close()
    echo("agent stopped")


def _stop_at_eof(stop: Callable[[], None]) -> None:
    """Call ``stop`` when whoever holds the other end of our standard input is gone."""
    import os
    import threading

    def wait() -> None:
        while os.read(0, 4096):
            pass
        stop()

    threading.Thread(target=wait, daemon=True).start()
