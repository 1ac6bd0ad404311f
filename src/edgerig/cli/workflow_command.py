"""``edgerig workflow``."""

from __future__ import annotations

import click

from edgerig.cli.lazy_group import Commands
from edgerig.cli.workflow_export import command as export
from edgerig.cli.workflow_run import command as run
from edgerig.cli.workflow_show import command as show


@click.group(name="workflow", cls=Commands)
def command() -> None:
    """Run steps that are edgerig commands, from data to a device: what did not change is not done again.

    A workflow file names the steps, what each reads and what it makes: docs/workflow.md. Several machines, or an engine
    that runs workflows, share the results through a store.

    \b
    Examples:
      edgerig workflow run examples/vision/workflow.yaml
      edgerig workflow run workflow.yaml --only test --param epochs=20
      edgerig workflow show workflow.yaml
      edgerig workflow export airflow workflow.yaml --out dags/
    """


command.add_command(run)
command.add_command(show)
command.add_command(export)
