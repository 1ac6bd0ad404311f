"""The tables as CSV: exact, in SI units, with kinds and reasons."""

import csv
import io
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.report import write_report
from edgerig.report.build import build
from edgerig.report.load import Loaded
from edgerig.report.rendering.csv import render_csv, render_csv_files


def rows_of(text: str) -> list[dict[str, str]]:
    reader = csv.DictReader(io.StringIO(text))
    assert reader.fieldnames
    assert len(set(reader.fieldnames)) == len(reader.fieldnames)
    return list(reader)


def test_every_number_is_exact_and_in_si_units(demo: Loaded) -> None:
    rows = rows_of(render_csv(build([demo])))
    assert len(rows) == len(demo.result.cells)
    for row, cell in zip(rows, demo.result.cells, strict=True):
        steady = cell.latency.steady
        assert isinstance(steady, Measurement)
        assert float(row["median latency (s)"]) == steady.value
        assert float(row["median latency low"] or "nan") == pytest.approx(steady.low, nan_ok=True)
        assert row["median latency kind"] == steady.kind
        assert float(row["accuracy"]) == cell.quality.metrics[0].value
        assert row["size (B)"] == str(cell.artifact.size)


def test_what_is_not_known_is_empty_with_its_reason(demo: Loaded) -> None:
    first = rows_of(render_csv(build([demo])))[0]
    assert first["same as float"] == ""
    assert first["same as float unavailable because"] == "it is the float model itself"


def test_every_table_is_a_file(demo: Loaded, demo_folder: Path, make: Any, tmp_path: Path) -> None:
    report = build([demo, make.run(rows=make.DEMO[3:4], name="b1", seed=50)])
    texts = render_csv_files(report)
    of_the_report = {"variants", "runs", "sizes", "layers-compared", *(["errors"] if report.shared else [])}
    of_variants = {
        "layers",
        "latency",
        "memory",
        "metrics",
        "most-confused",
        "by-class",
        "confusion-rows-are-the-true-class-column",
        "samples-that-are-judged-differently",
    }
    assert set(texts) == {f"{name}.csv" for name in of_the_report | of_variants}
    confusion = rows_of(texts["confusion-rows-are-the-true-class-column.csv"])
    counts = [[int(row[str(digit)]) for digit in range(10)] for row in confusion[:10]]
    assert counts == [list(row) for row in demo.result.cells[0].quality.confusion]
    layers = rows_of(texts["layers.csv"])
    assert len(layers) == sum(len(variant.layers.rows) for variant in report.variants)
    compared = rows_of(texts["layers-compared.csv"])
    assert [row["layer"] for row in compared][:3] == ["conv2d", "pool", "conv2d_1"]
    heading = "float32 · litert · local of mnist: time (s)"
    first = demo.result.cells[0].layers
    assert not isinstance(first, Unavailable)
    assert [float(row[heading]) for row in compared] == [layer.time.value for layer in first]  # type: ignore[union-attr]
    assert {row["of"] for row in layers} <= {variant.anchor for variant in report.variants}
    assert {row["of"] for row in rows_of(texts["sizes.csv"])} == {"mnist", "b1"}
    folder = write_report(demo_folder, tmp_path / "tables", "csv")
    assert {path.name for path in folder.iterdir()} == set(render_csv_files(build([demo])))


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "a,b", 'a"b', "a\nb", "\t=1", "a\rb"])
def test_a_name_is_a_text_and_no_formula(make: Any, name: str) -> None:
    run = make.run(rows=make.DEMO[:1])
    cells = (msgspec.structs.replace(run.result.cells[0], variant=name),)
    text = render_csv(build([msgspec.structs.replace(run, result=msgspec.structs.replace(run.result, cells=cells))]))
    (row,) = rows_of(text)
    assert not row["variant"].startswith(("=", "+", "-", "@", "\t", "\r"))
    assert "\r" not in text
