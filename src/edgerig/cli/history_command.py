"""``edgerig history``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgerig.cli.console import echo, print_json, say, terminal_width
from edgerig.cli.history_tests import export, import_, runs_option, send, tests_option, updated
from edgerig.cli.lazy_group import Commands

if TYPE_CHECKING:
    from edgerig.results.history.entries import RunEntry
    from edgerig.results.history.store import History, Series

_RIG = click.option("--rig", metavar="NAME", help="Only runs of the rig of that name.")


@click.group(name="history", cls=Commands)
def command() -> None:
    """What many runs say over time, by rig, device, commit and date.

    The history is an index of the bundles in a folder: every command first takes up what is new there. It is a SQLite
    file beside them that holds nothing of its own, and can be made anew. Nothing leaves this machine.

    Beside bundles it takes up what `edgerig test` recorded in RUNS/tests and where --tests says.

    \b
    Examples:
      edgerig history list
      edgerig history series --tests s3://lab/tests --metric similarity
      edgerig history export tests.json --tests data/tests
      edgerig history page --out history.html
      edgerig history name main runs/demo
      edgerig gate rig.yaml --baseline main
    """


@command.command("list")
@runs_option
@tests_option
@_RIG
@click.option("--json", "as_json", is_flag=True, help="Print the runs as one JSON document.")
def list_(runs: Path, tests: tuple[str, ...], rig: str | None, as_json: bool) -> None:
    """List the runs and recorded tests, the latest first, and the baselines.

    \b
    Examples:
      edgerig history list
      edgerig history list --rig mnist --json
    """
    from edgerig.cli.tables import Column, render_table

    history = updated(runs, tests)
    names: dict[str, list[str]] = {}
    for name, bundle in history.baselines().items():
        names.setdefault(bundle, []).append(name)
    entries = history.runs(rig)
    if as_json:
        rows = [
            {
                "rig": run.rig,
                "created": run.created,
                "commit": run.commit,
                "edgerig": run.edgerig,
                "dataset": run.dataset,
                "bundle": run.bundle,
                "there": _is_there(run),
                "baselines": names.get(run.bundle, []),
            }
            for run in entries
        ]
        print_json({"runs": rows, "baselines": history.baselines()})
        return
    columns = (
        Column("rig", right=False),
        Column("date", right=False),
        Column("commit", right=False, rank=1),
        Column("dataset", right=False, rank=2),
        Column("baseline", right=False),
        Column("bundle", right=False),
    )
    cells = [
        [
            run.rig,
            run.created,
            run.commit[:12] or "-",
            run.dataset,
            ", ".join(names.get(run.bundle, [])) or "-",
            run.bundle + ("" if _is_there(run) else " (gone)"),
        ]
        for run in entries
    ]
    if not cells:
        say(f"No finished run and no test is in {runs} yet.")
        return
    for line in render_table(columns, cells, terminal_width(sys.stdout)):
        say(line)


def _series(history: History, rig: str | None, metric: str | None) -> list[Series]:
    """The series of a rig and a metric.

    Raises:
        UnknownNameError: No series is of that rig, or none is of that metric.
    """
    from edgerig.errors import UnknownNameError

    chosen = history.series(rig, metric)
    everything = [] if chosen else history.series()
    for what, name, known in (
        ("rig in the history", rig, {each.rig for each in everything}),
        ("metric in the history", metric, {each.metric for each in everything}),
    ):
        if name is not None and known and name not in known:
            raise UnknownNameError(what, name, known)
    return chosen


@command.command("series")
@runs_option
@tests_option
@_RIG
@click.option("--metric", metavar="NAME", help="Only that metric, such as latency.")
@click.option("--json", "as_json", is_flag=True, help="Print the series as one JSON document.")
@click.option("--csv", "as_csv", is_flag=True, help="Print every point as a row of CSV, in SI units.")
def series(
    runs: Path, tests: tuple[str, ...], rig: str | None, metric: str | None, as_json: bool, as_csv: bool
) -> None:
    """Print each metric of each cell over time, and where its level changed.

    Metrics: latency, p99, load (loading), peak_rss, arena, flash, ram, size, instructions, cycles, energy (a series for
    each rail), throughput, rate, p50_under_load and its like, and those of quality, such as accuracy. Numbers of two
    kinds are two series.

    \b
    Examples:
      edgerig history series --metric latency
      edgerig history series --tests s3://lab/tests --metric similarity --csv > similarity.csv
    """
    from edgerig.errors import UsageError
    from edgerig.report.history import changes_of, history_csv
    from edgerig.text import counted

    if as_json and as_csv:
        raise UsageError("--json and --csv are two formats.", "Give one of them.")
    all_series = _series(updated(runs, tests), rig, metric)
    if as_csv:
        say(history_csv(all_series), nl=False)
        return
    if as_json:
        print_json(
            [{"series": each, "changes": [change.point.bundle for change in changes_of(each)]} for each in all_series]
        )
        return
    for each in all_series:
        runs_text = counted(len(each.points), "run")
        say(f"{each.rig} {each.cell} {each.metric}: {runs_text}, now {_latest(each)} ({each.device})")
        for change in changes_of(each):
            say(f"  {change.share:+.1%} from {change.before} to {change.after} in {change.point.bundle}", fg="yellow")


@command.command("page")
@runs_option
@tests_option
@_RIG
@click.option("--metric", metavar="NAME", help="Only that metric, such as latency.")
@click.option(
    "--out", metavar="FILE", type=click.Path(path_type=Path), help="The page.  [default: history.html in --runs]"
)
def page(runs: Path, tests: tuple[str, ...], rig: str | None, metric: str | None, out: Path | None) -> None:
    """Write a page with a chart for each series, changes of level marked.

    \b
    Example:
      edgerig history page --out history.html
    """
    from edgerig.files import write_text
    from edgerig.report.history import render_history

    path = out if out is not None else runs / "history.html"
    write_text(path, render_history(_series(updated(runs, tests), rig, metric)))
    echo(f"Page: {path}")


@command.command("name")
@runs_option
@click.argument("name")
@click.argument("bundle", type=click.Path(path_type=Path))
def name_(runs: Path, name: str, bundle: Path) -> None:
    """Let NAME stand for BUNDLE, as in `edgerig gate --baseline NAME`.

    \b
    Examples:
      edgerig history name main runs/demo
      edgerig gate rig.yaml --baseline main
    """
    from edgerig.results.history.store import History

    History(runs).name(name, bundle)
    echo(f"{name} is {bundle}")


@command.command("add")
@runs_option
@click.argument("bundles", metavar="BUNDLE...", nargs=-1, required=True, type=click.Path(path_type=Path))
def add(runs: Path, bundles: tuple[Path, ...]) -> None:
    """Take up bundles that lie elsewhere.

    \b
    Example:
      edgerig history add /media/stick/runs/demo
    """
    from edgerig.results.history.store import History

    for bundle in bundles:
        History(runs).add(bundle)


@command.command("mlflow")
@runs_option
@click.option("--to", required=True, metavar="URI", help="http://host:5000, or sqlite:///mlflow.db.")
@click.option("--experiment", metavar="NAME", help="MLflow's experiment.  [default: the name of each run's rig]")
@click.argument("bundles", metavar="[BUNDLE]...", nargs=-1, type=click.Path(path_type=Path))
def mlflow(runs: Path, to: str, experiment: str | None, bundles: tuple[Path, ...]) -> None:
    """Copy finished runs to MLflow, by default all of the history that are not there yet.

    Each becomes a run with its report, and each of its cells a run below it with its figures, their bounds, kinds and
    units. Nothing is sent to anybody else.

    \b
    Examples:
      edgerig history mlflow --to sqlite:///mlflow.db
      edgerig history mlflow --to http://mlflow:5000 --experiment keywords runs/demo
    """
    from edgerig.results.history.mlflow import export_bundles

    if not bundles:
        entries = reversed(updated(runs).runs())
        bundles = tuple(path for entry in entries if (path := Path(entry.bundle)).is_dir())
    exported = export_bundles(bundles, to, experiment, echo)
    echo(f"{exported.copied} copied to {to}, {exported.present} were there")


@command.command("rebuild")
@runs_option
def rebuild(runs: Path) -> None:
    """Make the index anew out of the bundles that are there.

    \b
    Example:
      edgerig history rebuild --runs runs
    """
    from edgerig.results.history.store import History

    count = History(runs).rebuild(echo)
    echo(f"{count} runs in {runs}")


def _latest(series: Series) -> str:
    """The last value with its kind, where that is not measured, and its bounds."""
    from edgerig.report.units import show, show_interval

    point, kind = series.points[-1], "" if series.kind == "measured" else f" {series.kind}"
    text = f"{show(point.value, series.unit)}{kind}"
    if point.low is None or point.high is None:
        return text
    return f"{text}, {show_interval(point.low, point.high, series.unit, point.value)}"


def _is_there(run: RunEntry) -> bool:
    """Whether a run's bundle is on this machine, or it is a test, whose file is never removed."""
    from edgerig.results.history.tests import is_test

    return is_test(run) or Path(run.bundle).is_dir()


for _command in (export, import_, send):
    command.add_command(_command)
