"""``edgerig pull``."""

from __future__ import annotations

from pathlib import Path

import click

from edgerig.cli.console import print_json, say
from edgerig.cli.data_options import credentials_option, fetched_option


@click.command(name="pull")
@click.argument("address", metavar="ADDRESS")
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder; it is made.  [default: the name in ADDRESS]",
)
@credentials_option
@fetched_option
def command(address: str, to: Path | None, credentials: str | None, as_json: bool) -> None:
    """Fetch a bundle, a model or a folder that `edgerig push` has put into a store; each file is checked.

    Files that are there with the same content stay, so that what was stopped goes on.

    \b
    Examples:
      edgerig pull s3://lab/runs/demo --to runs/demo
      edgerig pull s3://lab/models/street@3 --to build
    """
    from edgerig.cli.console import ConsoleProgress
    from edgerig.errors import Interrupted
    from edgerig.store import open_dataset
    from edgerig.store.transfer import download
    from edgerig.text import counted

    versions, number = open_dataset(address, credentials=credentials)
    version = versions.read(number)
    folder = to if to is not None else Path(versions.name)
    try:
        written = download(versions.store, version.entries, folder, ConsoleProgress())
    except KeyboardInterrupt:
        raise Interrupted("Stopped.", "The files that are there are whole: do it again to go on.") from None
    if as_json:
        exact = f"{versions.address}@{version.version}"
        print_json({"address": exact, "folder": str(folder), "count": len(version.entries), "written": written})
        return
    there = f", {len(version.entries) - written:,} were there" if written < len(version.entries) else ""
    say(f"{versions.address}@{version.version}: {counted(written, 'file')} written to {folder}{there}")
