"""``edgerig stress``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from edgerig.cli.options import FiniteRange
from edgerig.serve.stress.load import HIGHEST_RATE, LONGEST_TIMEOUT, LOWEST_RATE, Load

#: What may stand before an address and tells the protocol; before one of any protocol; and what of these is encrypted.
SCHEMES = {"digits": ("digits",), "oip-http": ("http", "https"), "oip-grpc": ("grpc", "grpcs")}
ANY = ("tcp", "tls")
ENCRYPTED = ("https", "grpcs", "tls")
#: Ports where an address has none, by protocol.
PORTS = {"digits": 32001, "oip-http": 8080, "oip-grpc": 8081}


@click.command(name="stress")
@click.argument("address", metavar="ADDRESS")
@click.option(
    "--protocol",
    metavar="NAME",
    help="In which it is asked: digits, oip-http, oip-grpc.  [default: as ADDRESS begins, else it must be given]",
)
@click.option(
    "--connections", type=click.IntRange(min=1), default=1, show_default=True, help="How many are open at a time."
)
@click.option("--requests", type=click.IntRange(min=1), default=1, show_default=True, help="Requests of each of them.")
@click.option(
    "--rate",
    type=FiniteRange(LOWEST_RATE, HIGHEST_RATE),
    metavar="RATE",
    help="Requests per second of all together, at random times (Poisson), however slow the server is; latencies count "
    "from when a request was due.  [default: each connection asks again as soon as it was answered]",
)
@click.option("--reconnect", is_flag=True, help="A connection of its own for each request.")
@click.option(
    "--timeout",
    type=FiniteRange(0.0, LONGEST_TIMEOUT, min_open=True),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
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
def command(address: str, protocol: str | None, plot: Path | None, as_json: bool, **options: Any) -> None:
    """Load a server with requests, and tell throughput, latencies and failures.

    ADDRESS is HOST:PORT with --protocol, or tells the protocol itself: digits://HOST:PORT, http://HOST:PORT,
    grpc://HOST:PORT. With https://HOST:PORT, grpcs://HOST:PORT, tls://HOST:PORT, --ca or --tls the connections are
    encrypted. In oip-http and oip-grpc a server of a single network is asked for its name. A server that refuses all
    connections ends the load.

    The tool tells how busy and how late it was itself, and when the server may be better than the figures say.
    The exit code is 1 if a request failed.

    \b
    Examples:
      edgerig stress digits://127.0.0.1:32001 --connections 500 --requests 1
      edgerig stress digits://127.0.0.1:32001 --connections 50 --requests 2000 --rate 1000 --plot load.svg
      edgerig stress digits://127.0.0.1:32001 --connections 10 --requests 100 --reconnect --json
      edgerig stress http://127.0.0.1:8080 --model mnist_int8 --connections 20 --requests 500
      edgerig stress 127.0.0.1:8081 --protocol oip-grpc --connections 20 --requests 500
    """
    from edgerig.cli.console import ConsoleProgress
    from edgerig.errors import UsageError
    from edgerig.serve.stress.run import StoppedLoad, stress

    if plot is not None and plot.suffix != ".svg":
        raise UsageError(f"--plot {plot}: the picture is an SVG file.", "Give a name that ends in .svg.")
    load = load_of(address, protocol, **options)
    try:
        result = stress(load, ConsoleProgress())
    except StoppedLoad as stopped:
        if stopped.result is not None:
            _show(stopped.result, plot, as_json)
        raise
    _show(result, plot, as_json)
    if result.failed:
        sys.exit(1)


def load_of(
    address: str,
    protocol: str | None,
    *,
    processes: int | None,
    token_file: Path | None,
    ca: Path | None,
    tls: Path | None,
    **options: Any,
) -> Load:
    """The load that the options describe.

    Raises:
        UnknownNameError: There is no such protocol. UsageError: The address is of another one, or none is told.
        SpecError: The address is none.
    """
    from edgerig.agent.address import parse_address
    from edgerig.serve.stress.load import usual_processes
    from edgerig.wire.ownership import load_token

    scheme, separator, bare = address.rpartition("://")
    protocol = _protocol(scheme, separator, protocol)
    server = parse_address(bare.rstrip("/"), PORTS[protocol])
    token = load_token(token_file)
    return Load(
        host=server.host,
        port=server.port,
        protocol=protocol,
        processes=processes or usual_processes(options["connections"], options["rate"]),
        token=token.decode("latin-1") if token is not None else None,
        tls=scheme in ENCRYPTED or ca is not None or tls is not None,
        ca=str(ca) if ca is not None else None,
        keys=str(tls) if tls is not None else None,
        **options,
    )


def _protocol(scheme: str, separator: str, protocol: str | None) -> str:
    """The protocol that was given, or that an address with such a scheme before its ``separator`` tells.

    Raises:
        UnknownNameError: There is no such protocol. UsageError: None is told, or another one.
    """
    from edgerig.errors import UnknownNameError, UsageError

    if protocol is not None and protocol not in SCHEMES:
        raise UnknownNameError("protocol", protocol, SCHEMES)
    by_scheme = next((name for name, schemes in SCHEMES.items() if scheme in schemes), None)
    if protocol is None and by_scheme is None:
        raise UsageError(
            "The address does not tell in which protocol the server is asked.",
            f"Write digits://HOST:PORT, http://HOST:PORT, grpc://HOST:PORT, or give --protocol: {', '.join(SCHEMES)}.",
        )
    if protocol is not None and separator and by_scheme != protocol and scheme not in ANY:
        known = ", ".join(f"{name}://" for name in SCHEMES[protocol])
        raise UsageError(f"{scheme}:// is no address of the protocol {protocol}.", f"Write HOST:PORT, or {known}.")
    return protocol or str(by_scheme)


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
