"""The size table: the seed's own numbers come out as the seed prints them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerig.compilers.sizes import render_size_table, size_table

SEED = [("none", 375740), ("size", 99344), ("int8", 97424)]


def test_the_table_of_the_stm32_project() -> None:
    rows = size_table(("original", 780504), SEED)
    assert [row.name for row in rows] == ["original", "none", "size", "int8"]
    assert [round(row.saving * 100, 2) for row in rows[1:]] == [51.86, 87.27, 87.52]
    assert [row.ratio for row in rows[1:]] == pytest.approx([2.08, 7.86, 8.01], abs=0.005)
    assert (rows[0].ratio, rows[0].saving) == (1.0, 0.0)


def test_the_text_is_aligned() -> None:
    lines = render_size_table(size_table(("original", 780504), SEED)).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[0].split() == ["Size", "(bytes)", "Ratio", "Saving", "%"]
    assert lines[1].split() == ["original", "780504", "–", "–"]
    assert lines[3].split() == ["size", "99344", "7.86", "87.27"]


@given(st.integers(1, 10**9), st.integers(1, 10**9))
def test_ratio_and_saving_say_the_same(original: int, size: int) -> None:
    row = size_table(("o", original), [("v", size)])[1]
    assert row.ratio is not None
    assert row.ratio * (1 - row.saving) == pytest.approx(1)
    assert (row.saving < 0) == (size > original)


def test_what_takes_no_bytes_has_no_ratio_and_saves_all() -> None:
    rows = size_table(("original", 624), [("c", 0)])
    assert (rows[1].bytes, rows[1].ratio, rows[1].saving) == (0, None, 1.0)
    assert render_size_table(rows).splitlines()[2].split() == ["c", "0", "–", "100.00"]
