"""``edgerig run``."""

from __future__ import annotations

from pathlib import Path

import click

from edgerig.cli.console import print_json
from edgerig.cli.options import rounds_option


@click.command(name="run")
@click.argument("rig", type=click.Path(path_type=Path))
@click.option(
    "--out",
    metavar="DIRECTORY",
    type=click.Path(path_type=Path),
    help="The bundle's folder.  [default: runs/<name of the rig>]",
)
@click.option("--dry-run", is_flag=True, help="Show the plan and stop.")
@click.option("--resume", is_flag=True, help="Go on with the unfinished run in --out.")
@click.option("--only", multiple=True, metavar="PATTERN", help="Only cells whose id matches, such as 'int8-*'.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change a value of the rig file.")
@click.option("--open", "open_page", is_flag=True, help="Open the report in the browser when all is measured.")
@rounds_option
@click.option("--json", "as_json", is_flag=True, help="Print the results as one JSON document.")
def command(
    rig: Path,
    out: Path | None,
    dry_run: bool,
    resume: bool,
    only: tuple[str, ...],
    settings: tuple[str, ...],
    open_page: bool,
    rounds: int | str | None,
    as_json: bool,
) -> None:
    """Run the rig file RIG: train, compile, deploy, measure, report.

    The file is checked as a whole and the plan is shown before anything starts. Training and compiling are cached:
    a second run measures anew and builds nothing. A run that was stopped or killed goes on with --resume.

    A file of several rigs (`parts`) runs them one after another, each into a folder of its own below --out, and ends
    in one table where a suite has one. --only names parts then: `kws01`, or `kws01/int8-*`.

    \b
    Examples:
      edgerig run examples/mnist/rig.yaml --dry-run
      edgerig run examples/mnist/rig.yaml --out runs/demo --open
      edgerig run examples/mnist/rig.yaml --out runs/demo --resume
      edgerig run examples/mnist/rig.yaml --only 'int8-*' --set measure.samples=200
    """
    from edgerig.cli.plan_view import plan_rows, show_plan
    from edgerig.engine.api import plan as make
    from edgerig.engine.api import plans as make_several

    if rounds is not None:
        settings = (*settings, f"measure.rounds={rounds}")
    several = make_several(rig, only=only, settings=settings)
    if several is not None:
        from edgerig.cli.run_parts import run_parts

        run_parts(rig.stem, several, out, resume=resume, dry_run=dry_run, as_json=as_json)
        return
    plan = make(rig, only=only, settings=settings)
    show_plan(plan)
    if dry_run:
        if as_json:
            print_json(plan_rows(plan))
        return
    from edgerig.cli.finish import run_plan

    run_plan(plan, out, resume=resume, as_json=as_json, open_page=open_page)
