"""A column is declared once and stands in every format; the kinds of number are counted from the columns."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.results import loads

from edgerig.cli.finish import show_cells
from edgerig.engine.load.figures import under_load_of
from edgerig.measure.comparison import estimate, estimate_apart
from edgerig.measure.kinds import Measurement, ModelBand, Unavailable
from edgerig.report import build, terminal
from edgerig.report.columns import VARIANTS
from edgerig.report.load import Loaded
from edgerig.report.relative import relative_speed
from edgerig.report.rendering.html import render_html
from edgerig.report.rendering.json import render_json
from edgerig.report.rendering.markdown import render_markdown
from edgerig.report.row import Row
from edgerig.report.tables import Column, always, as_figure, if_any, if_known, make_table
from edgerig.report.views import kinds_of
from edgerig.results.types import CellResult, Repetition, Round
from edgerig.results.under_load import LoadRound
from edgerig.rig.types import Measure
from edgerig.views import Heading, Matrix, Table

PAGE = Path(__file__).parent.parent.parent / "docs" / "plugins" / "report-column.md"


@pytest.fixture
def cold(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more column, by the one line that its page in the documentation has."""
    example, _ = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    *imports, line = example.strip().splitlines()
    exec("\n".join(imports), names)
    column = eval(line, names)
    for module in (build, terminal):
        monkeypatch.setattr(module, "VARIANTS", (*VARIANTS, column))


@pytest.mark.usefixtures("cold")
def test_a_column_more_is_a_line_and_stands_everywhere(demo: Loaded, capfd: pytest.CaptureFixture[str]) -> None:
    report = build.build([demo])
    first = demo.result.cells[0].latency.first
    assert isinstance(first, Measurement)
    assert ">cold start</th>" in render_html(report)
    assert f'data-v="{first.value}"' in render_html(report)
    assert "| cold start |" in render_markdown(report)
    table = json.loads(render_json(report))["table"]
    (place,) = (n for n, heading in enumerate(table["headings"]) if heading["key"] == "cold start")
    assert table["lines"][0]["cells"][place]["value"] == first.value
    show_cells(demo.result)
    assert "cold start" in capfd.readouterr().err


def test_the_kinds_of_a_report_are_those_of_its_columns(demo: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    guess = Measurement(value=1.0, unit="J", kind="estimated", method="a rule", low=0.5, high=2.0, bounds="model")
    assert "estimated" not in build.build([demo]).kinds
    monkeypatch.setattr(build, "VARIANTS", (*VARIANTS, Column("energy", lambda row: guess)))
    report = build.build([demo])
    assert report.kinds == ("measured", "emulated", "estimated")
    assert "500 mJ–2.00 J" in render_markdown(report) or "0.50–2.00 J" in render_markdown(report)


def test_numbers_in_a_view_are_counted_among_the_kinds() -> None:
    guess = Measurement(value=0.5, unit="1", kind="estimated", method="m", low=0.1, high=0.9, bounds="model")
    assert kinds_of(Table("t", (Heading("AP", "1"),), ((guess,), (0.5,)))) == {"estimated"}
    assert kinds_of(Matrix("m", ("a",), ("a",), ((1,),))) == set()


@pytest.mark.parametrize(
    ("measure", "rounds", "columns"),
    [
        (loads.STREAMS, loads.streams([100.0, 102.0, 104.0]), {"throughput under load": ("102 /s", 102.0)}),
        (loads.BOUND, loads.searched([100.0, 102.0, 104.0]), {"highest rate within the bound": ("102 /s", 102.0)}),
        (loads.SET, loads.at_set_rate(0.02), {}),
    ],
)
def test_a_run_under_load_has_its_columns_and_no_other_run_has(
    demo: Loaded,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    measure: Measure,
    rounds: list[LoadRound],
    columns: dict[str, tuple[str, float]],
) -> None:
    names = {"throughput under load", "highest rate within the bound", "p50 under load", "p99 under load"}
    assert not names & {heading.label for heading in build.build([demo]).table.headings}
    first, *others = demo.result.cells
    load = under_load_of(rounds, measure, 1, "ticks")
    result = msgspec.structs.replace(demo.result, cells=(msgspec.structs.replace(first, under_load=load), *others))
    report = build.build([msgspec.structs.replace(demo, result=result)])
    table = json.loads(render_json(report))["table"]
    keys = [heading["key"] for heading in table["headings"]]
    assert names & set(keys) == {*columns, "p50 under load", "p99 under load"}
    assert isinstance(load.latency.p99, Measurement)
    assert table["lines"][0]["cells"][keys.index("p99 under load")]["value"] == load.latency.p99.value
    assert table["lines"][1]["cells"][keys.index("p99 under load")] is None
    # On a narrow terminal columns are left out.
    monkeypatch.setenv("COLUMNS", "250")
    show_cells(result)
    terminal_output = capfd.readouterr().err
    assert ("under load" in terminal_output, "highest rate" in terminal_output) == (True, measure is loads.BOUND)
    for key, (text, value) in columns.items():
        assert table["lines"][0]["cells"][keys.index(key)]["value"] == value
        assert text in terminal_output
        assert text.replace(" ", "") in render_markdown(report).replace("\u202f", "").replace(" ", "")


def test_the_page_names_every_field_of_a_column() -> None:
    text = PAGE.read_text()
    for field in Column.__struct_fields__:
        assert f"`{field}`" in text, field
    for field in Row.__struct_fields__:
        assert f"`row.{field}`" in text, field


def test_every_column_has_a_name_of_its_own() -> None:
    names = [column.name for column in VARIANTS]
    assert all(names)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("value", "text", "number"),
    [
        ("int8", "int8", None),
        (93_322, "93,322", 93_322),
        (0.985, "98.5 %", 0.985),
        (float("nan"), "–", None),
        (Unavailable("no clock"), "unavailable", None),
        (Measurement(value=1.5e-3, unit="s", kind="measured", method="m"), "1.50 ms", 1.5e-3),
    ],
)
def test_values_of_a_column_are_shown_by_what_they_are(value: Any, text: str, number: float | None) -> None:
    figure = as_figure(value)
    assert figure is not None
    assert (figure.text, figure.value) == (text, number)


def test_what_is_not_there_is_no_figure() -> None:
    assert as_figure(None) is None
    assert as_figure(msgspec.UNSET) is None


def test_a_column_is_shown_by_what_its_rows_have() -> None:
    def shown(*values: Any) -> list[bool]:
        figures = [as_figure(value) for value in values]
        return [when(figures) for when in (always, if_any, if_known)]

    assert shown(None, None) == [True, False, False]
    assert shown(None, Unavailable("no arena")) == [True, True, False]
    assert shown(None, 3) == [True, True, True]


def test_a_table_asks_each_column_once_a_row() -> None:
    asked: list[int] = []
    counting: Column[int] = Column("n", lambda row: asked.append(row) or row)  # type: ignore[func-returns-value]
    table = make_table((counting,), (4, 5), name="numbers", title="Numbers")
    assert asked == [4, 5]
    assert [line.cells[0].value for line in table.lines if line.cells[0]] == [4, 5]


def test_a_column_of_one_format_stays_out_of_the_others(demo: Loaded) -> None:
    report = build.build([demo])
    assert "warnings" not in [heading.label for heading in report.table.on("html").headings]
    assert "warnings" in [heading.label for heading in report.table.on("text").headings]


def test_speed_is_told_against_the_float_variant_of_the_device(demo: Loaded) -> None:
    cells = demo.result.cells
    medians = [cell.latency.steady.value for cell in cells if isinstance(cell.latency.steady, Measurement)]
    speeds = [relative_speed(cell, cells) for cell in cells]
    assert speeds[0] is not None
    assert (speeds[0].text, speeds[0].value) == ("baseline", 1.0)
    int8 = speeds[3]
    assert int8 is not None
    assert int8.value == pytest.approx(medians[0] / medians[3])
    assert (int8.unit, int8.kind) == ("times", "measured")
    assert int8.text == f"{medians[0] / medians[3]:.2f} times"
    assert speeds[7] is None, "nothing emulated is set against what was measured"


def test_the_interval_of_a_speed_is_that_between_rounds(make: Any) -> None:
    float32, int8 = make.run(rows=make.DEMO[:2]).result.cells
    cells = [with_rounds(float32, (200e-6, 202e-6, 201e-6)), with_rounds(int8, (100e-6, 100.5e-6, 101e-6))]
    speed = relative_speed(cells[1], cells)
    paired = estimate(np.log([2.0, 202 / 100.5, 201 / 101]))
    assert speed is not None
    assert (speed.low, speed.high) == pytest.approx((paired.low, paired.high))
    anew = with_rounds(int8, (100e-6, 100.5e-6, 101e-6), day=2)
    for other in (with_rounds(int8, (100e-6, 101e-6)), anew):
        apart = relative_speed(other, [cells[0], other])
        medians = [entry.steady.median for entry in other.rounds if entry.steady]
        unpaired = estimate_apart(medians, (200e-6, 202e-6, 201e-6))
        assert apart is not None
        assert (apart.low, apart.high) == pytest.approx((unpaired.low, unpaired.high))
    alone = relative_speed(with_rounds(int8, ()), [cells[0], with_rounds(int8, ())])
    assert alone is not None
    assert (alone.low, alone.high, alone.interval) == (None, None, None)


def with_rounds(cell: CellResult, medians: tuple[float, ...], day: int = 1) -> CellResult:
    assert cell.latency.distribution
    rounds = tuple(
        Round(
            number=number,
            started=f"2026-01-{day:02}T10:{number:02}:00",
            seconds=1.0,
            series="s",
            load=cell.latency.load,
            first=cell.latency.first,
            steady=msgspec.structs.replace(cell.latency.distribution, median=median),
            memory={},
            machine=cell.machine,
            machine_after=cell.machine_after,
        )
        for number, median in enumerate(medians, start=1)
    )
    repetition = Repetition(planned=3, complete=True, reason="r", within=0.01, between=0.02, half_width=0.05)
    return msgspec.structs.replace(cell, rounds=rounds, repetition=repetition)


def test_a_ratio_of_modelled_times_carries_the_error_of_both(make: Any) -> None:
    float32, int8 = (
        make.cell((v, "micro", "sim:x", 0.98, m, 1000, "modelled"))[0] for v, m in (("float32", 400.0), ("int8", 100.0))
    )
    band = ModelBand(0.5, 2.0, "m")
    cells = [
        msgspec.structs.replace(
            cell, latency=msgspec.structs.replace(cell.latency, steady=band.of(cell.latency.steady))
        )
        for cell in (float32, int8)
    ]
    speed = relative_speed(cells[1], cells)
    before, after = (cell.latency.steady.value for cell in cells)
    assert speed is not None
    assert (speed.kind, speed.bounds) == ("modelled", "model")
    assert (speed.low, speed.high) == pytest.approx((0.25 * before / after, 4 * before / after))
    assert speed.banded
