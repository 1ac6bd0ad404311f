"""The options that the commands of ``edgerig workflow`` have in common."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgerig.cli.option_group import option_group

if TYPE_CHECKING:
    from edgerig.suites.workflow.types import Workflow

#: The file, and what changes its values; `read_workflow` takes them.
workflow_options = option_group(
    click.argument("file", type=click.Path(path_type=Path)),
    click.option("--param", "parameters", multiple=True, metavar="NAME=VALUE", help="The value of a parameter."),
    click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUE",
        help="Change a value of the file, such as steps.train.retries=2.",
    ),
)

out_option = click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder of the results.  [default: runs/<name of the workflow>]",
)


def read_workflow(file: Path, parameters: tuple[str, ...], settings: tuple[str, ...]) -> Workflow:
    """The workflow of a file, with the commands checked that its steps are."""
    from edgerig.cli import COMMANDS
    from edgerig.suites.workflow.load import load_workflow

    return load_workflow(file, settings, parameters, COMMANDS)


def out_folder(workflow: Workflow, out: Path | None) -> Path:
    """The folder of the results."""
    return (out if out is not None else Path("runs") / workflow.name).absolute()
