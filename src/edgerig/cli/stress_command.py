"""``edgerig stress``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from edgerig.cli.options import FiniteRange
from edgerig.serve.stress.load import HIGHEST_RATE, LONGEST_TIMEOUT, LOWEST_RATE

#: What may stand before an address, by protocol; and what of it is encrypted.
SCHEMES = {"digits": ("tcp", "tls"), "oip-http": ("http", "https"), "oip-grpc": ("grpc", "grpcs")}
ENCRYPTED = ("https", "grpcs", "tls")
#: Ports where an address has none, by protocol.
PORTS = {"digits": 32001, "oip-http": 8080, "oip-grpc": 8081}


@click.command(name="stress")
@click.argument("address", metavar="ADDRESS")
@click.option("--protocol", required=True, metavar="NAME", help="In which it is asked: digits, oip-http, oip-grpc.")
@click.option(
    "--connections", type=click.IntRange(min=1), default=1, show_default=True, help="How many are open at a time."
)
@click.option("--requests", type=click.IntRange(min=1), default=1, show_default=True, help="Requests of each of them.")
@click.option(
    "--rate",
    type=FiniteRange(LOWEST_RATE, HIGHEST_RATE),
    metavar="R",
    help="Requests per second of all together, at random times (Poisson), however slow the server is; latencies count "
    "from when a request was due.  [default: each connection asks again as soon as it was answered]",
)
@click.option("--reconnect", is_flag=True, help="A connection of its own for each request.")
@click.option(
    "--timeout",
    type=FiniteRange(0.0, LONGEST_TIMEOUT, min_open=True),
    default=10.0,
    show_default=True,
    metavar="S",
    help="Most seconds of a request.",
)
@click.option("--processes", type=click.IntRange(min=1), help="How many make the load.  [default: by load and CPUs]")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the arrivals of --rate.")
@click.option("--model", metavar="NAME", help="The network's name at the server, in oip-http and oip-grpc.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Show the token in this file.  [default: the variable EDGERIG_TOKEN]",
)
@click.option(
    "--ca",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="FILE",
    help="Certificates that the server's must come from, with TLS.  [default: those that this system trusts]",
)
@click.option(
    "--tls",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="DIR",
    help="Keys of `edgerig agent keys`, for a server that asks for a certificate.",
)
@click.option("--plot", type=click.Path(path_type=Path), metavar="FILE.svg", help="Draw the latencies into this file.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def command(
    address: str,
    protocol: str,
    connections: int,
    requests: int,
    rate: float | None,
    reconnect: bool,
    timeout: float,
    processes: int | None,
    seed: int,
    model: str | None,
    token_file: Path | None,
    ca: Path | None,
    tls: Path | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Load a server with requests, and tell throughput, latencies and failures.

    ADDRESS is HOST:PORT. With https://HOST:PORT, grpcs://HOST:PORT, tls://HOST:PORT, --ca or --tls the connections
    are encrypted. In oip-http and oip-grpc a server of a single network is asked for its name. A server that refuses
    all connections ends the load.

    The tool tells how busy and how late it was itself, and when the server may be better than the figures say.
    The exit code is 1 if a request failed.

    \b
    Examples:
      edgerig stress 127.0.0.1:32001 --protocol digits --connections 500 --requests 1
      edgerig stress 127.0.0.1:32001 --protocol digits --connections 50 --requests 2000 --rate 1000 --plot load.svg
      edgerig stress 127.0.0.1:32001 --protocol digits --connections 10 --requests 100 --reconnect --json
      edgerig stress 127.0.0.1:8080 --protocol oip-http --model mnist_int8 --connections 20 --requests 500
    """
    from edgerig.agent.address import parse_address
    from edgerig.cli.console import ConsoleProgress
    from edgerig.cli.signals import stop_on_termination
    from edgerig.errors import UnknownNameError, UsageError
    from edgerig.serve.stress.load import Load, usual_processes
    from edgerig.serve.stress.protocols import PROTOCOLS
    from edgerig.serve.stress.run import StoppedLoad, stress
    from edgerig.wire.ownership import load_token

    if protocol not in PROTOCOLS:
        raise UnknownNameError("protocol", protocol, PROTOCOLS)
    if plot is not None and plot.suffix != ".svg":
        raise UsageError(f"--plot {plot}: the picture is an SVG file.", "Give a name that ends in .svg.")
    scheme, bare = _scheme(address, protocol)
    server = parse_address(bare if _has_port(bare) else f"{bare}:{PORTS[protocol]}")
    load = Load(
        host=server.host,
        port=server.port,
        protocol=protocol,
        connections=connections,
        requests=requests,
        rate=rate,
        reconnect=reconnect,
        timeout=timeout,
        processes=processes or usual_processes(connections, rate),
        seed=seed,
        model=model,
        token=token.decode("latin-1") if (token := load_token(token_file)) is not None else None,
        tls=scheme in ENCRYPTED or ca is not None or tls is not None,
        ca=str(ca) if ca is not None else None,
        keys=str(tls) if tls is not None else None,
    )
    stop_on_termination()
    try:
        result = stress(load, ConsoleProgress())
    except StoppedLoad as stopped:
        if stopped.result is not None:
            _show(stopped.result, plot, as_json)
        raise
    _show(result, plot, as_json)
    if result.failed:
        sys.exit(1)


def _scheme(address: str, protocol: str) -> tuple[str, str]:
    """The scheme of an address, empty where it has none, and the rest.

    Raises:
        UsageError: It is one of another protocol.
    """
    from edgerig.errors import UsageError

    scheme, separator, rest = address.partition("://")
    if not separator:
        return "", address
    if scheme not in (*SCHEMES[protocol], "tcp", "tls"):
        known = ", ".join(f"{name}://" for name in SCHEMES[protocol])
        raise UsageError(f"{scheme}:// is no address of the protocol {protocol}.", f"Write HOST:PORT, or {known}.")
    return scheme, rest.rstrip("/")


def _has_port(address: str) -> bool:
    bare = address.removeprefix("tcp://")
    return bare.rpartition("]")[2].startswith(":") if bare.startswith("[") else ":" in bare


def _show(result: object, plot: Path | None, as_json: bool) -> None:
    from edgerig.cli.console import echo, print_json, say
    from edgerig.cli.stress_view import lines_of
    from edgerig.files import write_text
    from edgerig.serve.stress.plot import plot as drawn
    from edgerig.serve.stress.result import StressResult

    assert isinstance(result, StressResult)
    if plot is not None:
        write_text(plot, drawn(result))
        echo(f"Plot: {plot}")
    if as_json:
        print_json(result)
    else:
        for line in lines_of(result):
            say(line)
    for line in (*result.tool.limits, *result.warnings):
        echo(f"note: {line}")
