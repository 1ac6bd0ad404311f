"""The arguments of the process that holds one network."""

from __future__ import annotations

import argparse
import resource
import socket
from pathlib import Path

from edgerig.wire.layout import Limits
from edgerig.wire.link import PairLink, TcpLink
from edgerig.wire.pace import MESSAGE_SECONDS

#: Bytes that each file of a session may have at least, whatever its limits are.
LEAST_FILE = 64 * 1024**2


def argument_parser(description: str | None) -> argparse.ArgumentParser:
    """What ``python -m edgerig.agent.worker`` takes."""
    parser = argparse.ArgumentParser(prog="python -m edgerig.agent.worker", description=description)
    parser.add_argument("--fd", type=int, required=True, help="the inherited socket")
    parser.add_argument("--folder", type=Path, required=True, help="where to put the network's file")
    parser.add_argument("--idle", type=float, help="seconds without a request after which the session ends")
    parser.add_argument("--runtime", action="append", default=[], help="a runtime that may be asked for")
    parser.add_argument("--max-model", type=int, help="bytes of the largest network")
    parser.add_argument("--max-message", type=int, default=Limits().payload, help="bytes of the largest other message")
    parser.add_argument("--max-memory", type=int, help="bytes of address space of this process")
    parser.add_argument("--log-fd", type=int, help="an inherited pipe, for log records")
    parser.add_argument("--log-levels", type=int, nargs=2, help="of edgerig's records and of libraries'")
    parser.add_argument("--library", action="append", default=[], help="a file that settings may load code from")
    parser.add_argument("--any-library", action="store_true", help="settings and networks may be code of any file")
    parser.add_argument("--machine-code", action="append", default=[], help="a runtime that may run machine code")
    parser.add_argument("--engine", action="append", default=[], help="RUNTIME=PYTHON: an interpreter of its own")
    parser.add_argument("--handed-over", type=Path, help="what another interpreter has received of this session")
    return parser


def inherited_link(options: argparse.Namespace) -> PairLink | TcpLink:
    """The link to the host, over the inherited socket."""
    connected = socket.socket(fileno=options.fd)
    link = PairLink(connected) if connected.family == socket.AF_UNIX else TcpLink(connected)
    link.set_timeout(options.idle)
    # Without an idle limit, as on `local`, there is no minimum speed either.
    link.grace = min(options.idle, MESSAGE_SECONDS) if options.idle is not None else None
    return link


def limit_resources(options: argparse.Namespace) -> None:
    """Limit every file of a session, the engine's output included, so that it cannot fill the disk; and its memory."""
    largest = max(options.max_model or 0, options.max_message, LEAST_FILE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    if options.max_memory is not None:
        resource.setrlimit(resource.RLIMIT_AS, (options.max_memory, options.max_memory))
