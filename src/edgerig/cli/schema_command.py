"""``edgerig schema``."""

from __future__ import annotations

import click

from edgerig.cli.console import print_json


@click.command(name="schema")
def command() -> None:
    """Print the JSON Schema of rig files, for editors that complete and check as you type.

    \b
    Example:
      edgerig schema > rig.schema.json
      # and as the first line of a rig file:
      # yaml-language-server: $schema=rig.schema.json
    """
    from edgerig.rig.schema import rig_schema

    print_json(rig_schema())
