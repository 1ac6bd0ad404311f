"""A grid as Markdown and as reStructuredText."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from edgerig.suites.conversion_grid.difference import Change
from edgerig.suites.conversion_grid.types import GOOD, SILENT, Grid
from edgerig.suites.conversion_grid.words import command, counts, export_word, source_of, word

TITLE, SWEEP = "ONNX conversions", "By exporter and opset"
LEGEND = (
    "A cell is equal where the importer computes what the exporting framework does, within a ten-thousandth of an "
    "output's spread and ten times the network's own rounding noise; the number is the largest error, in shares of the "
    "spread. No evidence: the network's own outputs do not depend on its inputs. -: not installed."
)


def rows(grid: Grid) -> Iterator[list[str]]:
    """The head of the table, and a row for each network."""
    yield ["exporter", "network", "opset", "exported", *grid.importers]
    for network in grid.networks:
        cells = [word(grid.cell(network.key, importer)) for importer in grid.importers]
        yield [network.exporter, network.name, str(network.opset), export_word(network), *cells]
    equal = [f"{good} of {tried}" if tried else "-" for good, tried in counts(grid).values()]
    exported = sum(network.status == "exported" for network in grid.networks)
    yield ["equal", "", "", f"{exported} of {len(grid.networks)}", *equal]


def sweep(grid: Grid) -> list[list[str]]:
    """How many networks of each exporter and opset (``torch@17``) were exported, and are equal in each importer, below
    a head; empty where no exporter was told several opsets."""
    sources = sorted({(network.exporter, network.opset) for network in grid.networks})
    if len({exporter for exporter, _ in sources}) == len(sources):
        return []
    table = [["exporter@opset", "exported", *grid.importers]]
    for exporter, opset in sources:
        own = [network for network in grid.networks if (network.exporter, network.opset) == (exporter, opset)]
        name = source_of(own[0])
        done = f"{sum(network.status == 'exported' for network in own)} of {len(own)}"
        equal = [f"{good} of {tried}" if tried else "-" for good, tried in counts(grid, name).values()]
        table.append([name, done, *equal])
    return table


def failures(grid: Grid) -> Iterator[tuple[str, str, str]]:
    """What failed: where, why, and the command that repeats it."""
    for network in grid.networks:
        if network.status not in ("exported", "missing"):
            yield f"{network.key}: export", network.message, command(network)
        for importer in grid.importers:
            cell = grid.cell(network.key, importer)
            if cell is not None and cell.status not in (*GOOD, *SILENT):
                yield f"{network.key} in {importer}", cell.message, command(network, importer)


def markdown(grid: Grid, changes: Sequence[Change] = ()) -> str:
    """The grid as a page of Markdown."""
    head, *others = [[text.replace("|", "\\|") for text in row] for row in rows(grid)]
    lines = [f"# {TITLE}", "", LEGEND, "", _row(head), _row(["---"] * len(head)), *map(_row, others)]
    if summary := sweep(grid):
        top, *body = [[text.replace("|", "\\|") for text in row] for row in summary]
        lines += ["", f"## {SWEEP}", "", _row(top), _row(["---"] * len(top)), *map(_row, body)]
    if changes:
        lines += ["", "## Changed", "", *(f"- {change}" for change in changes)]
    failed = list(failures(grid))
    if failed:
        lines += ["", "## What failed", ""]
        lines += [f"- **{where}**: {why}\n  `{again}`" for where, why, again in failed]
    lines += ["", "## Versions", "", *(f"- {name}: {text}" for name, text in versions(grid).items())]
    return "\n".join(lines) + "\n"


def rst(grid: Grid, changes: Sequence[Change] = ()) -> str:
    """The grid as a page of reStructuredText."""
    lines = [TITLE, "=" * len(TITLE), "", LEGEND, "", *_list_table(rows(grid))]
    if summary := sweep(grid):
        lines += ["", *_heading(SWEEP), *_list_table(summary)]
    if changes:
        lines += ["", *_heading("Changed"), *(f"- {_escaped(str(change))}" for change in changes)]
    failed = list(failures(grid))
    if failed:
        lines += ["", *_heading("What failed")]
        for where, why, again in failed:
            lines += [f"- **{where}**: {_escaped(why)}", "", f"  ``{again}``", ""]
    lines += ["", *_heading("Versions"), *(f"- {name}: {text}" for name, text in versions(grid).items())]
    return "\n".join(lines) + "\n"


def versions(grid: Grid) -> dict[str, str]:
    """Each framework's packages, as one line."""
    packages: dict[str, dict[str, str]] = {}
    for network in grid.networks:
        packages.setdefault(network.exporter, {}).update(network.versions)
    for cell in grid.cells:
        packages.setdefault(cell.importer, {}).update(cell.versions)
    return {name: ", ".join(f"{key} {value}" for key, value in each.items()) for name, each in packages.items() if each}


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _list_table(table: Iterable[list[str]]) -> list[str]:
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in table:
        first, *others = [_escaped(text) for text in row]
        lines += [f"   * - {first}".rstrip(), *(f"     - {text}".rstrip() for text in others)]
    return lines


def _heading(text: str) -> list[str]:
    return [text, "-" * len(text), ""]


def _escaped(text: str) -> str:
    return "".join(f"\\{letter}" if letter in "\\*`_|" else letter for letter in text)
