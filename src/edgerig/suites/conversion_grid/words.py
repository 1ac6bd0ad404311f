"""How cells are shown in a word, and the command that repeats one."""

from __future__ import annotations

import shlex

from edgerig.suites.conversion_grid.types import GOOD, Cell, Grid, Network

#: A word for each status, as in a cell of a table.
WORDS = {
    "equal": "equal",
    "different": "DIFFERENT",
    "vacuous": "no evidence",
    "not-run": "does not run",
    "not-imported": "not imported",
    "crashed": "CRASHED",
    "hung": "hung",
    "memory": "out of memory",
    "missing": "-",
    "not-exported": "",
}


def word(cell: Cell | None) -> str:
    """What stands in the cell of a table."""
    if cell is None:
        return ""
    if cell.status == "equal" and cell.error is not None:
        return f"equal ({cell.error:.0e})" if cell.error else "equal (0)"
    return WORDS[cell.status]


def export_word(network: Network) -> str:
    """How the export went."""
    return {"exported": "yes", "vacuous": "no evidence", "missing": "-"}.get(network.status, network.status)


def source_of(network: Network) -> str:
    """The exporter and the opset that it was told: ``torch@17``."""
    return f"{network.exporter}@{network.opset}"


def command(network: Network, importer: str | None = None) -> str:
    """The command that does this alone again."""
    words = ["edgerig", "grid", "--exporters", network.exporter, "--models", network.name]
    words += ["--opsets", str(network.opset)]
    if importer is not None:
        words += ["--importers", importer]
    return shlex.join([*words, "--fresh", "--out", "runs/grid-again"])


def counts(grid: Grid, source: str | None = None) -> dict[str, tuple[int, int]]:
    """For each importer how many cells are equal, and of how many networks that were exported and say something;
    of one ``source``, see `source_of`, where it is given."""
    exported = [network for network in grid.networks if network.status == "exported"]
    good = {network.key for network in exported if source in (None, source_of(network))}
    result = {}
    for importer in grid.importers:
        cells = [cell for cell in grid.cells if cell.importer == importer and cell.network in good]
        tried = [cell for cell in cells if cell.status != "missing"]
        result[importer] = sum(cell.status in GOOD for cell in tried), len(tried)
    return result
