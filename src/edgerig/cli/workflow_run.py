"""``edgerig workflow run``."""

from __future__ import annotations

from pathlib import Path

import click

from edgerig.cli.console import ConsoleProgress, print_json
from edgerig.cli.data_options import credentials_option
from edgerig.cli.workflow_options import out_folder, out_option, read_workflow, workflow_options


@click.command(name="run")
@workflow_options
@click.option("--only", multiple=True, metavar="STEP", help="Run only this step; what it needs must have been run.")
@out_option
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Steps at once; those that measure run alone all the same.",
)
@click.option("--retries", type=click.IntRange(0, 100), help="Further attempts of every step, instead of the file's.")
@click.option("--store", metavar="ADDRESS", help="Share results with other machines: a folder, or s3://BUCKET/PREFIX.")
@credentials_option
@click.option("--exit-if-skipped", type=click.IntRange(1, 255), help="Exit with this code where all steps are skipped.")
@click.option("--json", "as_json", is_flag=True, help="Print what became of each step as one JSON document.")
def command(
    file: Path,
    parameters: tuple[str, ...],
    settings: tuple[str, ...],
    only: tuple[str, ...],
    out: Path | None,
    jobs: int,
    retries: int | None,
    store: str | None,
    credentials: str | None,
    exit_if_skipped: int | None,
    as_json: bool,
) -> None:
    """Run the workflow FILE: each step whose command, inputs and code are not those of an earlier run.

    Results are cached by what they depend on. A run that was stopped or killed goes on with the same command. Each
    step's outputs and log are copied to a folder of its name in --out; of a step that failed to STEP.failed.
    --credentials is for --store and for datasets of steps in object storage.

    \b
    Examples:
      edgerig workflow run examples/vision/workflow.yaml
      edgerig workflow run workflow.yaml --param epochs=20 --jobs 2
      edgerig workflow run workflow.yaml --only test --store s3://lab/results
    """
    from edgerig.cache import StageCache
    from edgerig.cli.workflow_view import result_rows, show_results
    from edgerig.suites.workflow.run import RunOptions, check_results, run_workflow

    workflow = read_workflow(file, parameters, settings)
    options = RunOptions(out=out_folder(workflow, out), only=only, jobs=jobs, retries=retries, store=store)
    results = run_workflow(workflow, options, ConsoleProgress(), StageCache())
    if as_json:
        print_json(result_rows(results))
    show_results(results, options.out)
    check_results(results)
    if exit_if_skipped is not None and all(result.state == "skipped" for result in results):
        raise click.exceptions.Exit(exit_if_skipped)
