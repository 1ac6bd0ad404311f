"""``edgerig workflow show``."""

from __future__ import annotations

from pathlib import Path

import click

from edgerig.cli.console import print_json
from edgerig.cli.workflow_options import out_folder, out_option, read_workflow, workflow_options


@click.command(name="show")
@workflow_options
@out_option
@click.option("--json", "as_json", is_flag=True, help="Print the steps as one JSON document.")
def command(
    file: Path, parameters: tuple[str, ...], settings: tuple[str, ...], out: Path | None, as_json: bool
) -> None:
    """Show the steps of the workflow FILE in their order, and which of them a run would run.

    \b
    Examples:
      edgerig workflow show examples/vision/workflow.yaml
      edgerig workflow show workflow.yaml --param start=1 --json
    """
    from edgerig.cache import StageCache
    from edgerig.cli.workflow_view import show_steps, step_rows
    from edgerig.suites.workflow.outlook import outlook

    workflow = read_workflow(file, parameters, settings)
    states = outlook(workflow, StageCache(), out_folder(workflow, out))
    if as_json:
        print_json(step_rows(workflow, states))
    else:
        show_steps(workflow, states)
