"""``edgerig gate``."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgerig.cli.console import ConsoleProgress, echo, print_json, say

if TYPE_CHECKING:
    from edgerig.results.gate.judge import GateResult


@click.command(name="gate")
@click.argument("rig", type=click.Path(path_type=Path))
@click.option("--baseline", required=True, metavar="BUNDLE|NAME", help="The bundle to compare with, or its name.")
@click.option(
    "--out", metavar="DIRECTORY", type=click.Path(path_type=Path), help="The new bundle's folder.  [default: runs/gate]"
)
@click.option("--resume", is_flag=True, help="Go on with the unfinished run in --out.")
@click.option("--only", multiple=True, metavar="PATTERN", help="Only cells whose id matches, such as 'int8-*'.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change a value: --set 'gate.latency=5 %'.")
@click.option(
    "--inconclusive",
    type=click.Choice(["fail", "pass", "retry"]),
    default="fail",
    show_default=True,
    help="What is not certain: exit with 2, pass, or measure again in pairs and exit with 2 if that does not tell.",
)
@click.option("--no-confirm", is_flag=True, help="Do not measure in pairs what stored rounds call worse.")
@click.option("--junit", type=click.Path(path_type=Path), help="Write JUnit XML to this file.")
@click.option("--markdown", type=click.Path(path_type=Path), help="Write the table for a pull request to this file.")
@click.option("--annotations", is_flag=True, help="Print GitHub's annotations.  [default: in GitHub Actions]")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON document.")
def command(
    rig: Path,
    baseline: str,
    out: Path | None,
    resume: bool,
    only: tuple[str, ...],
    settings: tuple[str, ...],
    inconclusive: str,
    no_confirm: bool,
    junit: Path | None,
    markdown: Path | None,
    annotations: bool,
    as_json: bool,
) -> None:
    """Measure the rig file RIG and fail if it has become worse than a baseline.

    Exits with 0 if every limit is certainly kept, 1 if one is certainly exceeded, 2 if that cannot be told or nothing
    could be measured. The limits are the rig file's `gate`, as in

    \b
      gate: {latency: 5 %, accuracy: 0.5 points, ram: 0, flash: 1 kB, budgets: [latency < 20 ms]}

    and where it has none 5 % of latency and, of the task's main quality, half a point if it is a share, else 2 %. Times
    that stored rounds call worse are measured again, in pairs with the baseline's network, before they count.

    Metrics: latency, p50, p99, load (loading), first, peak_rss, failures; size, arena, flash, ram, constants,
    instructions, cycles; every quality of the task: accuracy, mean_iou, map, auc .. (1 point), mae, rmse .. (2 %, or
    0.1 °C), quality for the main one and quality_NAME for one of your own task's; energy (of an inference, where the
    device tells it: 5 %, 1 mJ, '< 5 mJ'); of the scenario streams throughput (5 % is at most so much less; '> 100 /s'),
    of the scenario server rate (the highest that holds the latency bound), of both p50_under_load, p90_under_load and
    p99_under_load.

    \b
    Examples:
      edgerig gate examples/mnist/rig.yaml --baseline runs/demo --out runs/gate --junit gate.xml
      edgerig gate rig.yaml --baseline main --inconclusive retry
      edgerig gate rig.yaml --baseline runs/main --set 'gate.latency=25 %' --only 'int8-*'
    """
    from edgerig.engine.api import plan as make
    from edgerig.engine.compare.gate import GateOptions, run_gate
    from edgerig.errors import EdgerigError, Interrupted
    from edgerig.results.history.store import History

    try:
        plan = make(rig, only=only, settings=settings)
        options = GateOptions(
            out=out if out is not None else Path("runs") / "gate",
            resume=resume,
            confirm=not no_confirm,
            retry=inconclusive == "retry",
            command=shlex.join(["edgerig", *sys.argv[1:]]),
        )
        result = run_gate(plan, History(Path("runs")).baseline(baseline), options, ConsoleProgress())
    except Interrupted:
        raise
    except EdgerigError as error:
        # 1 is for what has become worse, and for nothing else.
        error.exit_code = 2
        raise
    try:
        _write(result, inconclusive, junit, markdown)
    except EdgerigError as error:
        # What was measured is told all the same.
        _show(result, as_json, annotate=False)
        error.exit_code = 2
        raise
    _show(result, as_json, annotations or os.environ.get("GITHUB_ACTIONS") == "true")
    raise click.exceptions.Exit(exit_code(result, inconclusive))


def exit_code(result: GateResult, inconclusive: str) -> int:
    """What the process says to its CI."""
    from edgerig.results.gate.outcomes import EXIT

    may_pass = inconclusive == "pass" and not result.unmeasured
    return 0 if result.outcome == "inconclusive" and may_pass else EXIT[result.outcome]


def _write(result: GateResult, inconclusive: str, junit: Path | None, markdown: Path | None) -> None:
    """The files that were asked for, the report of the run, and the summary of a GitHub job."""
    from edgerig.errors import storing
    from edgerig.files import write_text
    from edgerig.report import write_reports
    from edgerig.report.comparison import render_gate
    from edgerig.results.gate.output import gate_junit, gate_markdown

    if junit is not None:
        write_text(junit, gate_junit(result, inconclusive != "pass"))
    if markdown is not None:
        write_text(markdown, gate_markdown(result))
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        with storing(summary), Path(summary).open("a") as file:
            file.write(gate_markdown(result))
    write_reports(Path(result.bundle))
    write_text(Path(result.bundle) / "gate.html", render_gate(result))


def _show(result: GateResult, as_json: bool, annotate: bool) -> None:
    from edgerig.cli.gate_view import show_gate
    from edgerig.results.gate.output import gate_annotations

    if as_json:
        print_json(result)
    else:
        show_gate(result)
        for what, name in (("Page", "gate.html"), ("Report", "report.html")):
            if (Path(result.bundle) / name).exists():
                echo(f"{what}: {Path(result.bundle) / name}")
    if annotate:
        for line in gate_annotations(result):
            (echo if as_json else say)(line)
