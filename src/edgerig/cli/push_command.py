"""``edgerig push``."""

from __future__ import annotations

from pathlib import Path

import click

from edgerig.cli.console import print_json, say
from edgerig.cli.data_options import credentials_option, made_option, note_option


@click.command(name="push")
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("address", metavar="ADDRESS")
@note_option
@credentials_option
@made_option
def command(source: Path, address: str, note: str, credentials: str | None, as_json: bool) -> None:
    """Put a bundle, a model or a folder into a store, as a new version of ADDRESS.

    SOURCE is the folder of a finished run, a model file (with the files that it refers to and its description), or any
    file or folder. It lies there as datasets do: contents by their hash, what is there is not sent again, and every
    version stays. ADDRESS is STORE/NAME; `edgerig pull` brings it back, `edgerig data log` lists the versions.

    \b
    Examples:
      edgerig push runs/demo s3://lab/runs/demo
      edgerig push build/street_int8.tflite s3://lab/models/street --note "after pruning"
    """
    from edgerig.cli.console import ConsoleProgress
    from edgerig.errors import UsageError
    from edgerig.results.shared_files import shared_files
    from edgerig.store import open_dataset
    from edgerig.store.adding import add_files

    shared = shared_files(source)
    versions, number = open_dataset(address, writing=True, credentials=credentials)
    if number is not None:
        raise UsageError(f"{address} names a version, and a new one gets the next number.", f"Give {versions.address}.")
    newest = versions.latest()
    if newest is not None and (kind := versions.header(newest).kind) != shared.kind:
        raise UsageError(
            f"{versions.address} is of the kind {kind!r}, {source} of {shared.kind!r}.", "Take another name."
        )
    added = add_files(versions, shared.files, (), ConsoleProgress(), replace=True, note=note, kind=shared.kind)
    print_json(added.document()) if as_json else say(added.text())
