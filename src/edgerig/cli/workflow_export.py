"""``edgerig workflow export``."""

from __future__ import annotations

from pathlib import Path

import click

from edgerig.cli.console import echo, print_json
from edgerig.cli.workflow_options import read_workflow, workflow_options


@click.command(name="export")
@click.argument("engine", type=click.Choice(["airflow", "argo", "job"]))
@workflow_options
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="The folder of the exported files."
)
@click.option("--store", metavar="ADDRESS", help="Where the steps share results: s3://BUCKET/PREFIX, or a folder.")
@click.option(
    "--image",
    metavar="NAME",
    default="edgerig",
    show_default=True,
    help="Of argo and job: the container image of the steps.",
)
@click.option(
    "--file",
    "path",
    metavar="PATH",
    help="Where the workflow file lies for the steps.  [default: as here; in pods /workflow]",
)
@click.option(
    "--results", metavar="PATH", help="The output folder of the steps.  [default: runs/<name>; in pods /work/out]"
)
@click.option("--json", "as_json", is_flag=True, help="Print the names of the files as one JSON document.")
def command(
    engine: str,
    file: Path,
    parameters: tuple[str, ...],
    settings: tuple[str, ...],
    out: Path,
    store: str | None,
    image: str,
    path: str | None,
    results: str | None,
    as_json: bool,
) -> None:
    """Write the workflow FILE for an engine that runs it elsewhere: Airflow, Argo Workflows or Kubernetes Jobs.

    Each step becomes one task that calls `edgerig workflow run --only STEP`, with the file's parameters, conditions and
    retries. Tasks on several machines share their results in --store; its keys come from the environment of the tasks.

    \b
    Examples:
      edgerig workflow export airflow examples/vision/workflow.yaml --out dags/
      edgerig workflow export argo workflow.yaml --store s3://lab/results --image registry/edgerig:1 --out argo/
      edgerig workflow export job workflow.yaml --store s3://lab/results --image registry/edgerig:1 --out jobs/
    """
    from edgerig.suites.workflow.export import export_workflow

    workflow = read_workflow(file, parameters, settings)
    paths = export_workflow(
        workflow, engine, out, store=store, image=image, file=path, results=results, settings=settings
    )
    if as_json:
        print_json([str(each) for each in paths])
    for each in paths:
        echo(str(each))
