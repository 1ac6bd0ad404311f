"""Rounds as the report shows them: how many, how they differ, and one after another."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.report.conftest import round_of

from edgerig.engine.rounds.figures import summed_up
from edgerig.report import build_report, render
from edgerig.report.load import load_bundle
from edgerig.report.terminal import terminal_columns
from edgerig.results.round_files import write_round_times
from edgerig.results.types import CellResult, Repetition
from edgerig.rig.types import Measure

COUNT = 4


def in_rounds(cell: CellResult, times: np.ndarray, count: int = COUNT) -> tuple[CellResult, list[np.ndarray]]:
    """``cell`` with rounds of ``times``, each a little slower than the one before."""
    series = [(times * (1 + 0.01 * number)).astype(np.int64) for number in range(count)]
    rounds = tuple(round_of(cell, part, number) for number, part in enumerate(series, 1))
    return summed_up(msgspec.structs.replace(cell, rounds=rounds), series, Measure(rounds=count)), series


@pytest.fixture
def folder(make: Any, tmp_path: Path) -> Path:
    """A bundle of a cell of four rounds, and of one of one."""
    run = make.run(rows=make.DEMO[:2])
    first, series = in_rounds(run.result.cells[0], run.samples[run.result.cells[0].id]["times_ns"])
    second, _ = in_rounds(run.result.cells[1], run.samples[run.result.cells[1].id]["times_ns"], 1)
    run = msgspec.structs.replace(run, result=msgspec.structs.replace(run.result, cells=(first, second)))
    saved: Path = make.save(run, tmp_path / "bundle")
    for number, times in enumerate(series[1:], 2):
        write_round_times(saved / "cells" / first.id, number, times)
    return saved


def test_the_raw_samples_are_those_of_all_rounds(folder: Path, make: Any) -> None:
    loaded = load_bundle(folder)
    several, single = loaded.result.cells
    assert len(loaded.samples[several.id]["times_ns"]) == COUNT * make.SAMPLES
    assert len(loaded.samples[single.id]["times_ns"]) == make.SAMPLES


def test_a_lost_round_costs_the_samples_and_is_named(folder: Path) -> None:
    several = load_bundle(folder).result.cells[0]
    (folder / "cells" / several.id / "rounds" / "0003.npz").unlink()
    loaded = load_bundle(folder)
    assert several.id not in loaded.samples
    assert any("0003.npz" in fault for fault in loaded.faults)


def test_the_table_tells_rounds_and_half_width(folder: Path) -> None:
    report = build_report([folder])
    table = report.table
    keys = [heading.label for heading in table.headings]
    several, single = (dict(zip(keys, line.cells, strict=True)) for line in table.lines)
    repetition = load_bundle(folder).result.cells[0].repetition
    assert isinstance(repetition, Repetition)
    assert (several["rounds"].value, single["rounds"].value) == (COUNT, 1)
    assert several["± between rounds"].value == repetition.half_width
    assert single["± between rounds"].reason == "one round has no interval"


def test_the_terminal_tells_the_half_width(folder: Path) -> None:
    cells = load_bundle(folder).result.cells
    (column,) = [column for column in terminal_columns(cells) if column.label == "median"]
    repetition = cells[0].repetition
    assert isinstance(repetition, Repetition)
    assert column.texts[0].endswith(f" us ±{repetition.half_width:.1%}")
    assert "±" not in column.texts[1]


def test_the_page_draws_the_rounds_one_after_another(folder: Path) -> None:
    several, single = build_report([folder]).variants
    assert single.rounds is None
    assert several.rounds is not None
    line = several.rounds.lines[0]
    assert line.x == (1.0, 2.0, 3.0, 4.0)
    assert list(line.y) == sorted(line.y)
    html = render([load_bundle(folder)], "html")
    assert html.count("<h5>Rounds</h5>") == 1
    assert "its 95 % interval" in html
    assert any("between rounds" in fact.label for fact in several.spread)
