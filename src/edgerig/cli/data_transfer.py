"""``edgerig data get`` and ``edgerig data push``."""

from __future__ import annotations

from pathlib import Path

import click

from edgerig.cli.console import print_json, say
from edgerig.cli.data_options import credentials_option, fetched_option, repair_option


@click.command()
@click.argument("address", metavar="ADDRESS")
@click.option("--to", required=True, type=click.Path(path_type=Path, file_okay=False), help="The folder; it is made.")
@click.option("--split", type=click.Choice(["train", "validation", "test"]), help="Only the files of that split.")
@credentials_option
@fetched_option
def get(address: str, to: Path, split: str | None, credentials: str | None, as_json: bool) -> None:
    """Fetch the files of a version into a folder, by default of the newest.

    Files that are there with the same content stay, so that what was stopped goes on; other files of the folder are
    left alone. Each file is checked before it is there.

    \b
    Examples:
      edgerig data get s3://lab/street@2 --to photos
      edgerig data get s3://lab/street --to photos --split test
    """
    from edgerig.cli.console import ConsoleProgress
    from edgerig.errors import Interrupted
    from edgerig.store import open_dataset
    from edgerig.store.transfer import download
    from edgerig.text import counted

    versions, number = open_dataset(address, credentials=credentials)
    version = versions.read(number)
    entries = [entry for entry in version.entries if split in (None, entry.split)]
    try:
        written = download(versions.store, entries, to, ConsoleProgress())
    except KeyboardInterrupt:
        raise Interrupted("Stopped.", "The files that are there are whole: do it again to go on.") from None
    if as_json:
        exact = f"{versions.address}@{version.version}"
        print_json({"address": exact, "folder": str(to), "count": len(entries), "written": written})
        return
    there = f", {len(entries) - written:,} were there" if written < len(entries) else ""
    say(f"{versions.address}@{version.version}: {counted(written, 'file')} written to {to}{there}")


@click.command()
@click.argument("source", metavar="SOURCE")
@click.option("--to", required=True, metavar="ADDRESS", help="The dataset's address in the other store.")
@repair_option
@credentials_option
@click.option("--json", "as_json", is_flag=True, help="Print which versions were copied as one JSON document.")
def push(source: str, to: str, repair: bool, credentials: str | None, as_json: bool) -> None:
    """Copy a dataset to another store: its versions with the same numbers and hashes, and what they hold.

    SOURCE@N copies the versions up to N. What is there whole is not sent again. Versions of its own that the other
    store has are never overwritten: then nothing is copied, and the first version that differs is named.

    \b
    Examples:
      edgerig data push data/street --to s3://lab/street
      edgerig data push s3://lab/street@7 --to /mnt/backup/street
    """
    from edgerig.cli.console import ConsoleProgress
    from edgerig.errors import Interrupted, UsageError
    from edgerig.store import open_dataset
    from edgerig.store.replicate import replicate
    from edgerig.text import counted

    versions, number = open_dataset(source, credentials=credentials)
    target, wanted = open_dataset(to, writing=True, credentials=credentials)
    if wanted is not None:
        raise UsageError(f"{to} names a version, and versions keep their numbers.", f"Give --to {target.address}.")
    try:
        copied = replicate(versions, target, number, ConsoleProgress(), repair=repair)
    except KeyboardInterrupt:
        raise Interrupted("Stopped.", "Each version that is there is whole: do it again to go on.") from None
    if as_json:
        print_json({"address": target.address, "versions": copied.versions, "sent": {"objects": copied.objects}})
        return
    what = counted(len(copied.versions), "version")
    say(f"{target.address}: {what} copied, {counted(copied.objects, 'object')} sent")
