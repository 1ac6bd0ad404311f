"""``edgerig layers``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgerig.cli.console import ConsoleProgress, echo, print_json, say_raw

if TYPE_CHECKING:
    from edgerig.engine.layers import Selection


@click.command(name="layers")
@click.argument("sources", nargs=-1, required=True, metavar="A [B ...]")
@click.option("--only", multiple=True, metavar="PATTERN", help="Only cells whose id matches, of whole bundles.")
@click.option(
    "--errors",
    is_flag=True,
    help="How far each layer is from the float network: measured on 32 samples of the run, and kept in the bundle.",
)
@click.option(
    "--cut",
    is_flag=True,
    help="What each layer takes by timing the network cut off after it, on the cell's device; kept in the bundle.",
)
@click.option(
    "--cut-rounds",
    type=click.IntRange(min=3),
    metavar="N",
    help="Fresh processes of each cut, in turns.  [default: 5]",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "md", "rst", "csv"]),
    help="The format of the table.  [default: text, or by --out's suffix]",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the table to this file.")
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as one JSON document.")
def command(
    sources: tuple[str, ...],
    only: tuple[str, ...],
    errors: bool,
    cut: bool,
    cut_rounds: int | None,
    format_: str | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Show what each layer takes, in several cells side by side.

    A, B .. are bundles, or cells of bundles (BUNDLE#CELL). Rows are the layers of the network that the cells were made
    from, with their output shapes and MACs; columns what each takes in a cell: time, and instructions where an
    emulator counts them. Where it is not certain which layer an operator of a profile belongs to, it stands below, and
    what a profiler does not tell is unavailable, with the reason.

    --errors adds each layer's signal to noise against the float network (SQNR, in dB; higher is better), that of the
    layer alone on the float network's values (own SQNR), and the largest absolute error.

    --cut is for engines whose profilers tell no time of short or fused layers: the network is cut off after each layer,
    every cut is run in fresh processes on the cell's device, in turns (A B C, C B A), and a layer takes what two
    neighbouring cuts differ by. That takes about a second for each cut and round.

    \b
    Examples:
      edgerig layers runs/demo
      edgerig layers runs/demo --errors
      edgerig layers runs/demo --cut --only '*litert*'
      edgerig layers runs/demo --only '*onnx*'
      edgerig layers runs/demo#float32-litert-local runs/demo#int8-micro-sim-stm32f746
      edgerig layers runs/demo --format md --out layers.md
      edgerig layers runs/demo --json | jq '.rows[] | {name, macs}'
    """
    from edgerig.engine.layers import compare_layers
    from edgerig.engine.layers.cut_times import ROUNDS
    from edgerig.report.layer_table import layers_table
    from edgerig.report.rendering.csv import csv_table
    from edgerig.report.rendering.markdown import markdown_table
    from edgerig.report.rendering.rst import rst_table

    chosen = _format(format_, out, as_json)
    selections = [selection for text in sources for selection in _selections(text, only)]
    rounds = (cut_rounds or ROUNDS) if cut or cut_rounds else 0
    comparison = compare_layers(selections, errors, ConsoleProgress(), cut_rounds=rounds)
    if chosen != "text":
        render = {"md": markdown_table, "rst": rst_table, "csv": csv_table}[chosen]
        text = render(layers_table(comparison))
        if out is None:
            say_raw(text)
        else:
            from edgerig import files

            files.write_bytes(out, text.encode())
            echo(f"Table: {out}")
    if as_json:
        print_json(comparison)
    elif chosen == "text":
        from edgerig.cli.layers_view import show_layers

        show_layers(comparison)


def _format(format_: str | None, out: Path | None, as_json: bool) -> str:
    """The format of the table.

    Raises:
        UsageError: It does not go with --out or --json.
    """
    from edgerig.errors import UsageError

    suffix = out.suffix.removeprefix(".") if out is not None else ""
    chosen = format_ or (suffix if suffix in ("md", "rst", "csv") else "text")
    if out is not None and chosen == "text":
        raise UsageError(
            f"The format of {out} is not known.", "Give --format md, rst or csv, or a file with such a suffix."
        )
    if as_json and out is None and chosen != "text":
        raise UsageError("--json and --format both want standard output.", "Give a file for the table, by --out.")
    return chosen


def _selections(text: str, only: tuple[str, ...]) -> list[Selection]:
    """The cells that an argument names.

    Raises:
        UsageError: It is no bundle.
    """
    from edgerig.cli.compare_sources import read_source
    from edgerig.engine.layers import select_cells
    from edgerig.errors import UsageError

    source = read_source(text)
    if source.bundle is None:
        raise UsageError(
            f"{text} is no bundle: nothing is measured here.",
            f"Measure it first: edgerig bench {text} --out runs/it, then edgerig layers runs/it.",
        )
    return select_cells(source.bundle, source.cell, only)
