"""``edgerig schema``."""

from __future__ import annotations

import click

from edgerig.cli.console import print_json


@click.command(name="schema")
@click.argument("kind", type=click.Choice(["rig", "workflow"]), default="rig")
def command(kind: str) -> None:
    """Print the JSON Schema of rig files, or of workflow files, for editors that complete and check as you type.

    \b
    Examples:
      edgerig schema > rig.schema.json
      edgerig schema workflow > workflow.schema.json
      # and as the first line of a rig file:
      # yaml-language-server: $schema=rig.schema.json
    """
    if kind == "workflow":
        from edgerig.suites.workflow.schema import workflow_schema

        print_json(workflow_schema())
        return
    from edgerig.rig.schema import rig_schema

    print_json(rig_schema())
