"""``edgerig data check``."""

from __future__ import annotations

import click

from edgerig.cli.console import say
from edgerig.cli.data_options import credentials_option


@click.command()
@click.argument("address", metavar="ADDRESS")
@click.option("--all", "every_version", is_flag=True, help="All versions.  [default: the one that ADDRESS names]")
@credentials_option
def check(address: str, every_version: bool, credentials: str | None) -> None:
    """Read every byte of a version and compare it with its hash; by default of the newest version.

    What is truncated, changed or missing is named, with the entries that need it, and the command fails.

    \b
    Examples:
      edgerig data check s3://lab/street@7
      edgerig data check data/street --all
    """
    from edgerig.cli.console import ConsoleProgress
    from edgerig.errors import StoreError
    from edgerig.store import open_dataset
    from edgerig.store.checking import check_contents
    from edgerig.text import counted

    versions, number = open_dataset(address, credentials=credentials)
    numbers = versions.numbers() if every_version else [number]
    checked = check_contents(versions.store, [versions.read(each) for each in numbers or [None]], ConsoleProgress())
    for damage in checked.damages:
        say(f"{damage.reason}\n  needed by {damage.users()}")
    summary = f"{counted(checked.objects, 'object')}, {checked.bytes:,} bytes"
    if checked.damages:
        raise StoreError(
            f"{len(checked.damages):,} of {summary} are not what they should be.",
            "Send them again from where they are whole: edgerig data import, or edgerig data push.",
        )
    say(f"{versions.address}: {summary}, all as they should be")
