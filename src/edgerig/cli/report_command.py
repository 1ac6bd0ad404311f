"""``edgerig report``."""

from __future__ import annotations

from pathlib import Path

import click

from edgerig.cli.console import echo, print_json


@click.command(name="report")
@click.argument("bundles", nargs=-1, required=True, metavar="BUNDLE...", type=click.Path(path_type=Path))
@click.option(
    "--out",
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
def command(bundles: tuple[Path, ...], out: Path | None, format_: str | None, open_: bool, as_json: bool) -> None:
    """Render one or more bundles as one report, side by side.

    A BUNDLE is a folder that `edgerig run` or `edgerig bench` made. The HTML report is one file that opens offline.
    A run that has not finished is shown as far as it is.

    \b
    Examples:
      edgerig report runs/demo
      edgerig report runs/demo runs/b1 --out report.html
      edgerig report runs/demo --out summary.md
      edgerig report runs/demo --format csv --out tables
      edgerig report runs/demo --json | jq .recommendation
    """
    from edgerig.engine.layers import keep_layer_maps
    from edgerig.report import FORMATS, build_report, format_of, load_bundle, write_report

    for bundle in bundles:
        keep_layer_maps(bundle)
    chosen = next((name for name in FORMATS if name == format_), None)
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
