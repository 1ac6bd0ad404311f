"""``edgerig report``."""

from __future__ import annotations

from pathlib import Path

import click

from edgerig.cli.console import echo, print_json


@click.command(name="report")
@click.argument("sources", nargs=-1, required=True, metavar="BUNDLE...")
@click.option(
    "--style",
    type=click.Choice(["report", "table"]),
    default="report",
    show_default=True,
    help="report: everything about each variant. table: software and hardware against accuracy, similarity and "
    "time, of bundles, histories of tests and exported tests.json.",
)
@click.option(
    "--all", "everything", is_flag=True, help="With --style table: a row for every test, not the latest alone."
)
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The file to write; as CSV also a folder, which gets a file for every table.  "
    "[default: <bundle>/report.html; report.html for several bundles]",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["html", "md", "rst", "csv", "json"]),
    help="The format.  [default: by --out's suffix]",
)
@click.option("--open", "open_", is_flag=True, help="Open the report in the browser when it is written.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print the report as one JSON document; a file is written with --out only."
)
def command(
    sources: tuple[str, ...],
    style: str,
    everything: bool,
    out: Path | None,
    format_: str | None,
    open_: bool,
    as_json: bool,
) -> None:
    """Render one or more bundles as one report, side by side.

    A BUNDLE is a folder that `edgerig run`, `edgerig bench` or `edgerig test` made; with --style table it may be a
    history of tests, too: a folder, or an address in a store. The HTML report is one file that opens offline.
    A run that has not finished is shown as far as it is.

    \b
    Examples:
      edgerig report runs/demo
      edgerig report runs/demo runs/b1 --out report.html
      edgerig report runs/demo --out summary.md
      edgerig report runs/demo --format csv --out tables
      edgerig report runs/demo --json | jq .recommendation
      edgerig report --style table data/tests s3://lab/tests --out results.md
    """
    from edgerig.engine.layers import keep_layer_maps
    from edgerig.report import FORMATS, build_report, format_of, load_bundle, write_report

    chosen = next((name for name in FORMATS if name == format_), None)
    if style == "table":
        from edgerig.cli.report_table import write_table

        write_table(sources, out, chosen, everything=everything, open_=open_, as_json=as_json)
        return
    if everything:
        from edgerig.errors import UsageError

        raise UsageError("--all is of tables of tests.", "Leave it out, or ask for one: --style table.")
    bundles = tuple(map(Path, sources))
    for bundle in bundles:
        keep_layer_maps(bundle)
    if out is not None or not as_json:
        file = out or _default(bundles, chosen or "html")
        chosen = chosen or format_of(file)
        write_report(bundles, file, chosen)
        for bundle in bundles:
            for fault in load_bundle(bundle).faults:
                echo(f"warning: {fault}")
        size = sum(path.stat().st_size for path in file.iterdir()) if file.is_dir() else file.stat().st_size
        echo(f"Report: {file} ({size / 1e3:,.0f} kB)")
        if open_:
            click.launch(str(file.resolve()))
    if as_json:
        print_json(build_report(bundles))


def _default(bundles: tuple[Path, ...], suffix: str) -> Path:
    name = f"report.{suffix}"
    return bundles[0] / name if len(bundles) == 1 else Path(name)
