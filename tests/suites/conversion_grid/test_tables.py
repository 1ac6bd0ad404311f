"""A grid in Markdown, reStructuredText and HTML, and what changed since the last one."""

from __future__ import annotations

from pathlib import Path

import docutils.core
import docutils.utils
import msgspec
import pytest

from edgerig.errors import UsageError
from edgerig.suites.conversion_grid.difference import changes, read_grid
from edgerig.suites.conversion_grid.page import render_grid
from edgerig.suites.conversion_grid.tables import failures, markdown, rst, sweep
from edgerig.suites.conversion_grid.types import Cell, Grid, Network
from edgerig.suites.conversion_grid.words import command, counts, word
from edgerig.suites.conversion_grid.write import write_grid

NETWORKS = (
    Network(exporter="torch", name="lstm", opset=18, about="a loop", status="exported", versions={"torch": "2.9"}),
    Network(exporter="torch", name="branch", opset=18, status="failed", message="exporting: Error: a|b <c> `d`*"),
    Network(exporter="mine:Own", name="constant", opset=17, status="vacuous", message="output 0 does not depend"),
)
CELLS = (
    Cell(network="torch/lstm@18", importer="onnxruntime", status="equal", error=2e-7, allowed=1e-4),
    Cell(network="torch/lstm@18", importer="openvino", status="different", error=0.2, allowed=1e-4, message="off <b>"),
    Cell(network="torch/branch@18", importer="onnxruntime", status="not-exported"),
    Cell(network="torch/branch@18", importer="openvino", status="not-exported"),
    Cell(network="mine:Own/constant@17", importer="onnxruntime", status="vacuous"),
    Cell(network="mine:Own/constant@17", importer="openvino", status="crashed", message="running: died of SIGSEGV"),
)
GRID = Grid(created="2026-01-02T03:04:05+00:00", networks=NETWORKS, importers=("onnxruntime", "openvino"), cells=CELLS)


def test_what_is_no_evidence_counts_neither_way() -> None:
    assert counts(GRID) == {"onnxruntime": (1, 1), "openvino": (0, 1)}


def test_failures_name_the_command_that_repeats_them() -> None:
    assert [where for where, _, _ in failures(GRID)] == [
        "torch/lstm@18 in openvino",
        "torch/branch@18: export",
        "mine:Own/constant@17: export",
        "mine:Own/constant@17 in openvino",
    ]
    assert command(NETWORKS[0], "openvino") == (
        "edgerig grid --exporters torch --models lstm --opsets 18 --importers openvino --fresh --out runs/grid-again"
    )


def test_markdown_has_a_row_for_each_network() -> None:
    lines = markdown(GRID).splitlines()
    assert "| torch | lstm | 18 | yes | equal (2e-07) | DIFFERENT |" in lines
    assert "| torch | branch | 18 | failed |  |  |" in lines
    assert "| mine:Own | constant | 17 | no evidence | no evidence | CRASHED |" in lines
    assert "| equal |  |  | 1 of 3 | 1 of 1 | 0 of 1 |" in lines
    assert any("exporting: Error: a|b <c> `d`*" in line for line in lines)
    assert word(None) == ""


def test_restructured_text_is_valid_and_has_the_same_cells() -> None:
    text = rst(GRID, tuple(changes(GRID, with_status("not-run"))))
    html = docutils.core.publish_string(
        text, writer="html5", settings_overrides={"halt_level": docutils.utils.Reporter.INFO_LEVEL, "report_level": 1}
    ).decode()
    for cell in ("equal (2e-07)", "DIFFERENT", "CRASHED", "a|b &lt;c&gt; `d`*", "does not run"):
        assert cell in html


def test_a_sweep_of_opsets_is_told_by_exporter_and_opset() -> None:
    older = msgspec.structs.replace(NETWORKS[0], opset=17)
    cells = (
        Cell(network="torch/lstm@17", importer="onnxruntime", status="equal", error=0.0, allowed=1e-4),
        Cell(network="torch/lstm@17", importer="openvino", status="missing"),
    )
    grid = msgspec.structs.replace(GRID, networks=(*NETWORKS, older), cells=(*CELLS, *cells))
    assert sweep(grid) == [
        ["exporter@opset", "exported", "onnxruntime", "openvino"],
        ["mine:Own@17", "0 of 1", "-", "-"],
        ["torch@17", "1 of 1", "1 of 1", "-"],
        ["torch@18", "1 of 2", "1 of 1", "0 of 1"],
    ]
    assert "| torch@18 | 1 of 2 | 1 of 1 | 0 of 1 |" in markdown(grid).splitlines()
    assert "<td>torch@18</td>" in render_grid(grid)
    assert "torch@18" in rst(grid)
    assert sweep(GRID) == []


def with_status(status: str) -> Grid:
    first = msgspec.structs.replace(CELLS[0], status=status)
    exported = msgspec.structs.replace(NETWORKS[1], status="exported", message="")
    return msgspec.structs.replace(GRID, cells=(first, *CELLS[1:]), networks=(NETWORKS[0], exported, NETWORKS[2]))


def test_changes_are_those_of_what_both_grids_have_the_worse_ones_first() -> None:
    found = list(changes(GRID, with_status("not-run")))
    assert [str(change) for change in found] == [
        "torch/lstm@18 in onnxruntime: equal before, does not run now",
        "torch/branch@18: export: failed before, exported now",
    ]
    assert [change.better for change in found] == [False, True]
    less = msgspec.structs.replace(GRID, cells=CELLS[:1], networks=NETWORKS[:1])
    assert list(changes(GRID, less)) == list(changes(less, GRID)) == list(changes(GRID, GRID)) == []


def test_a_folder_has_all_forms_and_the_page_loads_nothing(tmp_path: Path) -> None:
    write_grid(GRID, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"grid.html", "grid.md", "grid.rst", "grid.json"}
    assert read_grid(tmp_path / "grid.json") == GRID
    page = (tmp_path / "grid.html").read_text()
    assert "off &lt;b&gt;" in page
    assert "off <b>" not in page
    assert "http:" not in page.replace("http://www.w3.org", "")
    assert "<script" not in page
    for name in ("torch", "mine:Own", "openvino"):
        assert name in page


@pytest.mark.parametrize("content", [b"", b"{}", b'{"version": "x"}', None])
def test_what_is_no_grid_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "grid.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match="grid"):
        read_grid(path)
