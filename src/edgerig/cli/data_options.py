"""Options of the commands that use a store."""

from __future__ import annotations

import logging

import click

_logger = logging.getLogger(__name__)


def _announce(context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """Let the processes that this one starts find the same file."""
    import os

    from edgerig.store.credentials import VARIABLE, split_source
    from edgerig.store.credentials_file import readable_by_others

    source = value or os.environ.get(VARIABLE)
    if source and not context.resilient_parsing:
        path, entry = split_source(source)
        if readable_by_others(path):
            _logger.warning("%s can be read by other users of this machine: chmod 600 %s", path, path)
        # These processes may work in other folders.
        os.environ[VARIABLE] = f"{path.absolute()}:{entry}" if entry is not None else str(path.absolute())
    return value


credentials_option = click.option(
    "--credentials",
    metavar="FILE[:ENTRY]",
    callback=_announce,
    help="A JSON file of keys for object storage, and which of its entries.  [default: EDGERIG_CREDENTIALS, or the "
    "variables AWS_.., or the profile in ~/.aws]",
)
note_option = click.option("--note", default="", metavar="TEXT", help="What is new, for those who read the log.")
made_option = click.option(
    "--json", "as_json", is_flag=True, help="Print the address of the version and what is in it as one JSON document."
)
fetched_option = click.option(
    "--json", "as_json", is_flag=True, help="Print which version was fetched, and where, as one JSON document."
)
repair_option = click.option(
    "--repair",
    is_flag=True,
    help="Read all of it that is in the store already, and send again what is damaged.  [default: what has the right "
    "number of bytes is taken for whole]",
)
