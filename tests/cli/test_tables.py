import pytest
from hypothesis import given
from hypothesis import strategies as st

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
