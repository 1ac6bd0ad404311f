"""``edgerig agent keys``."""

from __future__ import annotations

from pathlib import Path

import click

from edgerig.cli.console import echo, print_json


@click.command(name="keys")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="NAME_OR_IP",
    help="A name or address of the device, as its hosts call it; may be repeated.  "
    "[default: localhost, 127.0.0.1, ::1]",
)
@click.option(
    "--client",
    "clients",
    multiple=True,
    metavar="NAME",
    help="A host that may use devices; may be repeated.  [default: `host`, if there is none yet]",
)
@click.option(
    "--days", type=click.IntRange(1, 36500), default=825, show_default=True, help="Days that certificates are good for."
)
@click.option("--json", "as_json", is_flag=True, help="Print what was made as JSON.")
def command(folder: Path, hosts: tuple[str, ...], clients: tuple[str, ...], days: int, as_json: bool) -> None:
    """Make keys for TLS: a small CA for a lab, certificates for a device and for hosts.

    The first call makes the CA in DIR/ca, which stays where it is; later ones use it. Copy DIR/agent-NAME to the
    device, and DIR/client-NAME to the host.

    \b
    Examples:
      edgerig agent keys lab --host raspberrypi --host 192.168.1.20      # CA, one device, one host
      edgerig agent keys lab --host jetson                               # one more device
      edgerig agent keys lab --client ci --days 90                       # one more host
      edgerig agent --listen 0.0.0.0:7433 --tls agent-raspberrypi        # on the device
      EDGERIG_TLS=lab/client-host edgerig bench net.tflite --target tcp://raspberrypi:7433      # on the host
    """
    from edgerig.agent.keys import make_keys

    if not hosts and not clients:
        hosts = ("localhost", "127.0.0.1", "::1")
    if not clients and not any(folder.glob("client-*")):
        clients = ("host",)
    keys = make_keys(folder, hosts, clients, days)
    if as_json:
        print_json(keys)
        return
    echo(f"CA: {keys.ca} ({'new' if keys.new_ca else 'as before'}); keep it here, and keep it to yourself")
    for path in keys.agents:
        echo(f"device: {path}; copy it there, and start: edgerig agent --tls {Path(path).name} ...")
    for path in keys.clients:
        echo(f"host: {path}; name it in the target's setting `tls`, or in the variable EDGERIG_TLS")
    echo(f"good until {keys.expires}")
