"""``edgerig grid``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgerig.cli.console import echo, print_json, say
from edgerig.cli.options import FiniteRange, find_here

if TYPE_CHECKING:
    from edgerig.suites.conversion_grid.plan import Plan
    from edgerig.suites.conversion_grid.types import Cell, Network


class Opsets(click.ParamType):  # type: ignore[type-arg]  # it is generic for the checker alone
    """Opsets: ``13-22``, ``13,17``, or one."""

    name = "opsets"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> list[int]:
        """The numbers."""
        try:
            spans = [[int(end) for end in part.split("-", 1)] for part in value.split(",")]
            numbers = [number for span in spans for number in range(span[0], span[-1] + 1)]
        except ValueError:
            self.fail(f"{value!r} is no list of opsets, such as 13-22 or 13,17", param, ctx)
        if not numbers or not 1 <= min(numbers) <= max(numbers) <= 99:
            self.fail(f"{value!r} names no opset", param, ctx)
        return numbers


def _names(context: click.Context, parameter: click.Parameter, value: str | None) -> list[str]:
    return [name for part in (value or "").split(",") if (name := part.strip())]


@click.command(name="grid")
@click.option("--exporters", metavar="NAME,..", callback=_names, help="Frameworks that export.  [default: all]")
@click.option("--models", metavar="NAME,..", callback=_names, help="Networks of these exporters.  [default: all]")
@click.option("--importers", metavar="NAME,..", callback=_names, help="Frameworks that run them.  [default: all]")
@click.option(
    "--opsets", type=Opsets(), default=None, metavar="13-22", help="Opsets to export.  [default: each exporter's own]"
)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("runs/grid"), show_default=True,
    help="Folder of the tables and the ONNX files.",
)  # fmt: skip
@click.option(
    "--against",
    type=click.Path(path_type=Path, dir_okay=False),
    help="An earlier grid.json, to show what changed.  [default: the one in --out]",
)
@click.option("--jobs", type=click.IntRange(1, 64), default=2, show_default=True, help="Processes at once.")
@click.option(
    "--timeout", type=FiniteRange(0.0, 86400.0, min_open=True), default=120.0, show_default=True, metavar="SECONDS",
    help="Most seconds of a cell.",
)  # fmt: skip
@click.option("--fresh", is_flag=True, help="Run again what is in the cache.")
@click.option("--json", "as_json", is_flag=True, help="Print the grid as JSON.")
def command(
    exporters: list[str],
    models: list[str],
    importers: list[str],
    opsets: list[int] | None,
    out: Path,
    against: Path | None,
    jobs: int,
    timeout: float,
    fresh: bool,
    as_json: bool,
) -> None:
    """Try which conversions by ONNX can be trusted.

    Every network of every exporter is written as ONNX and run in every
    importer; a cell says whether that computes the same. Each cell is a
    process of its own, so that a crash or an endless loop costs one; what was
    run before and is unchanged comes from the cache. grid.html, grid.md,
    grid.rst and grid.json are put into --out, beside the files; each failure
    names the command that repeats it.

    \b
    Examples:
      edgerig grid --exporters keras,torch --importers onnxruntime,openvino --out runs/grid
      edgerig grid --exporters torch --models lstm --opsets 13-22
      edgerig list conversions
    """
    import msgspec

    from edgerig.suites.conversion_grid.difference import changes, read_grid
    from edgerig.suites.conversion_grid.plan import plan
    from edgerig.suites.conversion_grid.process import Bounds
    from edgerig.suites.conversion_grid.run import run_grid
    from edgerig.suites.conversion_grid.words import counts
    from edgerig.suites.conversion_grid.write import JSON, write_grid

    for name in (*exporters, *importers):
        find_here(name)
    planned = plan(exporters, models, importers, opsets or [])
    absent = _absent(planned)
    earlier = against or (out / JSON if (out / JSON).is_file() else None)
    old = read_grid(earlier) if earlier else None
    grid = run_grid(planned, out, bounds=Bounds(seconds=timeout), jobs=jobs, fresh=fresh, tell=_tell)
    changed = tuple(changes(old, grid)) if old else ()
    write_grid(grid, out, changed)
    if as_json:
        print_json(msgspec.to_builtins(grid))
        return
    for change in changed:
        say(f"{'better' if change.better else 'WORSE'}: {change}")
    for importer, (good, tried) in counts(grid).items():
        why = "not installed" if importer in absent else "no network to run"
        say(f"{importer}: {good} of {tried} equal" if tried else f"{importer}: {why}")
    say(f"Grid: {out / 'grid.html'}")


def _absent(planned: Plan) -> set[str]:
    """The frameworks that cannot take part, each told with the reason.

    Raises:
        EngineError: No exporter, or no importer, is left.
    """
    from edgerig.errors import EngineError

    sources = list({wanted.exporter.name: wanted.exporter for wanted in planned.networks}.values())
    for frameworks, what in ((sources, "exporter"), (planned.importers, "importer")):
        if all(framework.missing for framework in frameworks):
            raise EngineError(
                f"No {what} of the grid is installed: {'; '.join(each.missing for each in frameworks)}",
                "Install one of them, or name others: `edgerig list conversions`.",
            )
    absent = {each.name: each.missing for each in (*sources, *planned.importers) if each.missing}
    for name, reason in absent.items():
        echo(f"{name} takes no part: {reason}")
    return set(absent)


def _tell(done: Network | Cell, number: int, total: int) -> None:
    from edgerig.suites.conversion_grid.types import GOOD, SILENT, Network
    from edgerig.suites.conversion_grid.words import export_word, word

    if isinstance(done, Network):
        text = f"{done.key}: export {export_word(done)}"
        failed = done.status not in ("exported", "missing")
    else:
        text = f"{done.network} in {done.importer}: {word(done) or 'nothing to import'}"
        failed = done.status not in (*GOOD, *SILENT)
    why = f" ({done.message[:160]})" if failed and done.message else ""
    echo(f"[{number}/{total}] {text}{why}")
