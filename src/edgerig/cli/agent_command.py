"""``edgerig agent``."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import click
from click.core import ParameterSource

from edgerig import logs
from edgerig.cli.access_options import access_options, read_token
from edgerig.cli.console import say
from edgerig.cli.lazy_group import LazyCommands
from edgerig.cli.log_options import apply_log_options
from edgerig.cli.options import FiniteRange, find_here

if TYPE_CHECKING:
    from edgerig.agent.serial import SerialAgent
    from edgerig.agent.server import Agent


_logger = logging.getLogger(__name__)


class Size(click.ParamType[int]):
    """Bytes: ``1000000``, ``512K``, ``64M``, ``1.5G``; K is 1024."""

    name = "size"
    units: ClassVar[dict[str, int]] = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?)(?:i?B)?", str(value).strip(), re.IGNORECASE)
        size = int(float(match[1]) * self.units[match[2].upper()]) if match else 0
        if size < 1:
            self.fail(f"{value!r} is no size; write 64M or 1.5G.", param, ctx)
        return size


#: Options that do not apply to a serial line, which has exactly one host and no authentication.
SOCKETS_ONLY = ("tls", "token_file", "insecure", "sessions", "streams", "lease")


@click.group(
    name="agent",
    cls=LazyCommands,
    table={
        "keys": (
            "agent_keys",
            "command",
            "Make keys for TLS: a small CA for a lab, certificates for a device and its hosts.",
        )
    },
    invoke_without_command=True,
)
@click.option(
    "--listen",
    default="127.0.0.1:7433",
    show_default=True,
    metavar="ADDRESS",
    help="Where to listen: HOST:PORT (port 0 takes a free one), unix:///PATH or serial:///dev/ttyGS0?baud=115200.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where networks are put while they are measured, and leases kept over restarts; this agent's alone.  "
    "[default: $STATE_DIRECTORY, as systemd sets it, else the temporary folder, where no lease is kept]",
    envvar="STATE_DIRECTORY",
)
@click.option(
    "--runtime",
    "runtimes",
    multiple=True,
    metavar="NAME",
    help="A runtime that clients may ask for, also my_module:Mine with the module in this folder; may be repeated.  "
    "[default: all installed, without those whose networks are machine code: iree, tvm]",
)
@click.option(
    "--library",
    "libraries",
    multiple=True,
    metavar="FILE",
    help="A library whose code clients may have loaded, such as a delegate of LiteRT: libedgetpu.so.1; may be "
    "repeated.  [default: none]",
)
@click.option(
    "--engine",
    "engines",
    multiple=True,
    metavar="RUNTIME=PYTHON",
    help="Interpreter, or folder of a virtual environment, in which networks of a runtime run: "
    "openvino=/opt/openvino; may be repeated.  [default: this one, or what `edgerig engines install` has made here]",
)
@click.option(
    "--idle",
    type=FiniteRange(min=0, min_open=True),
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="End a session after this long without a request.",
)
@access_options("hosts")
@click.option(
    "--sessions",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Runs that may use the device side by side; they disturb each other's times.",
)
@click.option(
    "--streams",
    metavar="N",
    type=click.IntRange(1, 256),
    default=8,
    show_default=True,
    help="Sessions, each a process, that a run may have open at once, as the scenario streams does.",
)
@click.option(
    "--lease",
    type=FiniteRange(1, 3600),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a run keeps the device when nothing is heard of it.",
)
@click.option("--max-model", type=Size(), default="1G", show_default=True, help="Largest network that is taken.")
@click.option("--max-message", type=Size(), default="256M", show_default=True, help="Largest other message.")
@click.option("--max-memory", type=Size(), help="Address space of a session's process.  [default: no limit]")
@click.option("--until-eof", is_flag=True, hidden=True, help="Stop when standard input ends.")
@click.pass_context
def command(ctx: click.Context, /, listen: str, until_eof: bool, **options: Any) -> None:
    """Serve this machine as a device under test, until Ctrl-C.

    One run at a time owns the device; each of its sessions gets a fresh process, so that a network that crashes takes
    nothing else down. Other addresses than loopback need --tls or --token-file. Once it listens, the line
    `listening on tcp://HOST:PORT` goes to standard output; everything else to standard error.

    \b
    Examples:
      edgerig agent
      edgerig agent --listen 127.0.0.1:0 --runtime litert
      edgerig agent --listen 0.0.0.0:7433 --token-file token
      edgerig agent keys lab --host raspberrypi                  # keys for --tls
      edgerig bench net.tflite --target tcp://127.0.0.1:7433     # in another terminal
    """
    if ctx.invoked_subcommand is not None:
        return
    apply_log_options(ctx, base=logs.VERBOSE)
    settings = _settings(**options)
    if listen.startswith("serial://"):
        _refuse_socket_options(ctx)
        _serve(_serial_agent(listen, settings), listen, until_eof)
        return
    agent = _socket_agent(listen, settings, **options)
    _serve(agent, str(agent.address), until_eof)


def _settings(
    *,
    folder: Path | None,
    runtimes: tuple[str, ...],
    libraries: tuple[str, ...],
    engines: tuple[str, ...],
    idle: float,
    max_model: int,
    max_message: int,
    max_memory: int | None,
    **_: Any,
) -> dict[str, Any]:
    """The arguments of an agent on a line as of one on a socket.

    Raises:
        UnknownNameError, SpecError, UsageError: There is no such runtime, or an engine cannot be run so.
    """
    from edgerig.agent.elsewhere import engines_named
    from edgerig.agent.worker_process import WorkerLimits
    from edgerig.plugins import find
    from edgerig.runtimes.base import Runtime

    find_here(*runtimes)
    for name in runtimes:
        find("runtime", name, Runtime)
    engines_named(engines)
    limits = WorkerLimits(max_model, max_message, max_memory, libraries, machine_code=runtimes, engines=engines)
    return {"folder": folder, "runtimes": runtimes, "idle": idle, "log": _log, "limits": limits}


def _refuse_socket_options(ctx: click.Context) -> None:
    from edgerig.errors import UsageError

    for name in SOCKETS_ONLY:
        if ctx.get_parameter_source(name) == ParameterSource.COMMANDLINE:
            raise UsageError(
                f"--{name.replace('_', '-')} means nothing on a serial line: whoever holds its other end is let in.",
                "Leave it out, or listen on an address: --listen 0.0.0.0:7433.",
            )


def _serial_agent(listen: str, settings: dict[str, Any]) -> SerialAgent:
    """An agent for the host at the other end of a serial line."""
    from edgerig.agent.serial import SerialAgent
    from edgerig.wire.serial import open_serial, parse_serial

    port = parse_serial(listen)
    link = open_serial(port, port.line())
    try:
        return SerialAgent(link, **settings)
    except BaseException:
        link.close()
        raise


def _socket_agent(
    listen: str,
    settings: dict[str, Any],
    *,
    tls: Path | None,
    token_file: Path | None,
    insecure: bool,
    sessions: int,
    streams: int,
    lease: float,
    **_: Any,
) -> Agent:
    """An agent for whoever may connect."""
    from edgerig.agent.server import Agent, parse_address
    from edgerig.wire.tls import device_context
    from edgerig.wire.unix import SCHEME, parse_unix

    return Agent(
        parse_unix(listen) if listen.startswith(SCHEME) else parse_address(listen),
        insecure=insecure,
        token=read_token(token_file, tls),
        tls=device_context(tls) if tls is not None else None,
        sessions=sessions,
        streams=streams,
        lease=lease,
        **settings,
    )


def _log(message: str) -> None:
    _logger.info("%s", message)


def _serve(agent: Agent | SerialAgent, where: str, until_eof: bool) -> None:

    if until_eof:
        _stop_at_eof(agent.stop)
    try:
        say(f"listening on {where}")
        agent.serve()
    except KeyboardInterrupt:
        pass
    finally:
        agent.close()
    _log("agent stopped")


def _stop_at_eof(stop: Callable[[], None]) -> None:
    """Call ``stop`` when standard input ends, as when the parent process has died."""
    import os
    import threading

    def wait() -> None:
        while os.read(0, 4096):
            pass
        stop()

    threading.Thread(target=wait, daemon=True).start()
