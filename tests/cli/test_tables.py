import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerig.boards.sizes import Sizes, Symbol, table
from edgerig.cli.finish import warning_lines
from edgerig.cli.tables import Column, render_table

COLUMNS = (Column("cell", right=False), Column("quality"), Column("same as float", rank=2), Column("size", rank=1))
ROWS = (("int8-litert-local", "98.00%", "100.00%", "103,600 B"), ("float32", "9.10%", "-", "1,234,567,890 B"))


def test_everything_is_shown_where_there_is_room() -> None:
    lines = render_table(COLUMNS, ROWS, 80)
    assert lines == [
        "cell               quality  same as float             size",
        "int8-litert-local   98.00%        100.00%        103,600 B",
        "float32              9.10%              -  1,234,567,890 B",
    ]


def test_the_highest_rank_goes_first_and_what_is_missing_is_named() -> None:
    lines = render_table(COLUMNS, ROWS, 50)
    assert lines[0] == "cell               quality             size"
    assert lines[-1] == "(not shown for want of width: same as float)"


def test_rows_become_blocks_where_not_even_the_first_columns_fit() -> None:
    assert render_table(COLUMNS, ROWS[:1], 20) == [
        "int8-litert-local",
        "  quality        98.00%",
        "  same as float  100.00%",
        "  size           103,600 B",
    ]


@given(
    figures=st.lists(st.integers(0, 10**12), min_size=1, max_size=5),
    width=st.integers(1, 120),
    ranks=st.lists(st.integers(0, 3), min_size=1, max_size=5),
)
def test_no_figure_is_ever_cut(figures: list[int], width: int, ranks: list[int]) -> None:
    columns = [Column("name", right=False), *(Column(f"c{i}", rank=rank) for i, rank in enumerate(ranks))]
    row = ["x", *(f"{figures[i % len(figures)]:,}" for i in range(len(ranks)))]
    lines = render_table(columns, [row], width)
    left_out = lines[-1] if lines[-1].startswith("(") else ""
    words = " ".join(lines).split()
    for column, cell in zip(columns, row, strict=True):
        assert cell in words or column.name in left_out
    if lines[0] != "x":  # a table, not blocks
        assert all(len(line) <= width for line in lines if not line.startswith("("))


class FakeCell:
    def __init__(self, id_: str, *warnings: str) -> None:
        self.id, self.warnings = id_, warnings


@pytest.mark.parametrize(
    ("cells", "lines"),
    [
        ([FakeCell("a"), FakeCell("b")], []),
        ([FakeCell("a", "Hot."), FakeCell("b")], ["(!) a: Hot."]),
        ([FakeCell("a", "Hot.", "Hot."), FakeCell("b", "Hot.", "Busy.")], ["(!) all: Hot.", "(!) b: Busy."]),
        ([FakeCell("a", "Hot.")], ["(!) a: Hot."]),
    ],
)
def test_a_warning_stands_once_with_the_cells_it_is_about(cells: list[FakeCell], lines: list[str]) -> None:
    assert warning_lines(cells) == lines  # type: ignore[arg-type]


SIZES = Sizes(
    flash=20_520,
    ram=7_544,
    flash_limit=1_048_576,
    ram_limit=327_680,
    stack=0,
    groups={"flash": {"weights": 7_904, "a group with a long name of its own": 12}, "ram": {"board": 7_544}},
    code={"weights": 4_970},
    symbols=(Symbol("model_l0_blocks_of_a_long_name", "flash", 6_304, "weights"),),
)


@pytest.mark.parametrize("width", [30, 40, 60, 200])
def test_the_sizes_of_a_firmware_fit_the_terminal_and_no_figure_is_cut(width: int) -> None:
    text = table(SIZES, width=width)
    assert max(map(len, text.splitlines())) <= max(width, 40)
    for figure in ("20,520 B", "1,048,576 B", "(2.0%)", "7,904 B", "4,970 B", "12 B", "7,544 B", "6,304 B"):
        assert figure in " ".join(text.split())
    if width == 200:
        assert text == table(SIZES)


def run(words: list[str], folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "edgerig", *words],
        cwd=folder,
        env={**os.environ, "COLUMNS": "40"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_a_plan_and_the_sizes_of_what_was_compiled_fit_forty_columns(digit_net: Path, tmp_path: Path) -> None:
    rig = {"name": "x", "model": str(digit_net), "dataset": "mnist", "matrix": [{"runtimes": ["litert", "tflm"]}]}
    (tmp_path / "rig.yaml").write_text(json.dumps(rig))
    plan = run(["run", "rig.yaml", "--dry-run"], tmp_path).splitlines()[1:]
    assert plan[:4] == ["  digits-litert-local", "    network  digits", "    runtime  litert", "    target   local"]
    sizes = run(["compile", str(digit_net), "--to", "c-array", "--out", "build"], tmp_path)
    assert "original (tflite)\n  Size (bytes)  " in sizes
    assert "c-array\n  Size (bytes)  " in sizes
    assert max(map(len, sizes.splitlines()[1:])) <= 40
