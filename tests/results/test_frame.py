"""Results as rows: every number with its unit and kind, nothing kept in a list by hand."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.results.loads import BOUND, searched

from edgerig.engine.load.figures import under_load_of
from edgerig.errors import NotInstalledError
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.results.frame import rows_of
from edgerig.results.scenario import Offline
from edgerig.results.types import RunResult


@pytest.fixture(scope="module")
def make() -> Any:
    """The builder of the report's tests."""
    spec = importlib.util.spec_from_file_location("bundles", Path(__file__).parent.parent / "report" / "conftest.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Maker


@pytest.fixture(scope="module")
def result(make: Any) -> RunResult:
    run: RunResult = make.run().result
    return run


def test_every_row_holds_the_numbers_of_its_cell(result: RunResult) -> None:
    rows, units = rows_of(result.cells)
    assert [row["id"] for row in rows] == [cell.id for cell in result.cells]
    for row, cell in zip(rows, result.cells, strict=True):
        steady = cell.latency.steady
        assert isinstance(steady, Measurement)
        assert (row["latency_steady"], row["latency_steady_kind"]) == (steady.value, steady.kind)
        assert (row["latency_steady_low"], row["latency_steady_high"]) == (steady.low, steady.high)
        assert row["quality_accuracy"] == cell.quality.metrics[0].value
        assert row["artifact_size"] == cell.artifact.size
    assert (units["latency_steady"], units["latency_throughput"], units["quality_accuracy"]) == ("s", "1/s", "1")


def test_what_is_unavailable_is_nothing_and_says_why(result: RunResult) -> None:
    (row, *_), _ = rows_of(result.cells)
    transport = result.cells[0].latency.transport
    assert isinstance(transport, Unavailable)
    assert (row["latency_transport"], row["latency_transport_unavailable"]) == (None, transport.reason)


def test_all_rows_have_the_same_columns(result: RunResult) -> None:
    rows, _ = rows_of(result.cells)
    assert len({tuple(row) for row in rows}) == 1


def test_a_number_that_a_device_tells_anew_is_a_column_by_itself(result: RunResult) -> None:
    energy = Measurement(value=1e-3, unit="J", kind="measured", method="m")
    cell = msgspec.structs.replace(result.cells[0], memory={**result.cells[0].memory, "flash_cache": energy})
    (row,), units = rows_of([cell])
    assert (row["memory_flash_cache"], units["memory_flash_cache"]) == (1e-3, "J")


def test_figures_under_load_and_of_batches_are_columns(result: RunResult) -> None:
    loaded, other = result.cells[:2]
    load = under_load_of(searched([100.0, 102.0, 104.0]), BOUND, 1, "ticks")
    rows, units = rows_of([msgspec.structs.replace(loaded, under_load=load), other])
    first, second = rows
    assert (first["under_load_scenario"], first["under_load_rate"], units["under_load_rate"]) == (
        "server",
        102.0,
        "1/s",
    )
    assert first["under_load_rate_low"] < 102.0 < first["under_load_rate_high"]
    assert isinstance(load.latency.p99, Measurement)
    assert first["under_load_latency_p99"] == load.latency.p99.value
    assert (first["under_load_energy"], first["under_load_energy_unavailable"]) == (None, "no meter")
    assert (first["under_load_bound"], first["under_load_holds"]) == (0.02, True)
    assert second["under_load_scenario"] is second["under_load_rate"] is None
    number = Measurement(value=8.0, unit="1/s", kind="measured", method="m")
    offline = Offline(
        batch=8,
        inferences=1,
        in_turn=None,
        throughput=number,
        per_batch=Unavailable("no"),
        per_sample=Unavailable("no"),
    )
    (row,), _ = rows_of([msgspec.structs.replace(other, offline=offline)])
    assert (row["offline_batch"], row["offline_throughput"], row["offline_per_batch"]) == (8, 8.0, None)
    assert "under_load_scenario" not in row


def test_a_data_frame_has_them_all(result: RunResult) -> None:
    pandas = pytest.importorskip("pandas")
    frame = result.to_dataframe()
    assert isinstance(frame, pandas.DataFrame)
    rows, units = rows_of(result.cells)
    assert list(frame.columns) == list(rows[0])
    assert frame["latency_steady"].tolist() == [row["latency_steady"] for row in rows]
    assert frame.attrs["units"] == units
    assert frame["latency_steady"].dtype == float
    best = frame.loc[frame["quality_accuracy"].idxmax()]
    assert best["quality_accuracy"] == max(row["quality_accuracy"] for row in rows)


def test_without_pandas_the_error_names_the_command(result: RunResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(NotInstalledError) as caught:
        result.to_dataframe()
    assert caught.value.hint == "pip install pandas"


def test_a_run_and_a_cell_are_a_line_each(result: RunResult) -> None:
    assert repr(result) == "<RunResult 'mnist': 8 of 8 cells, finished>"
    assert repr(msgspec.structs.replace(result, finished=None, planned=("x",) * 9)).endswith(
        "8 of 9 cells, not finished>"
    )
    text = repr(result.cells[3])
    assert text.startswith("<CellResult 'int8-litert-local': 98.40% accuracy, ")
    assert text.endswith(" us, 101,664 B>")
    emulated = repr(result.cells[7])
    assert "emulated" in emulated
    none = msgspec.structs.replace(
        result.cells[0],
        quality=msgspec.structs.replace(result.cells[0].quality, metrics=()),
        latency=msgspec.structs.replace(result.cells[0].latency, steady=Unavailable("no clock")),
    )
    assert "no quality, latency unavailable: no clock" in repr(none)


def test_a_notebook_shows_a_table_whatever_the_names_are(result: RunResult) -> None:
    hostile = "</td><script>alert(1)</script>"
    cells = (msgspec.structs.replace(result.cells[0], id=hostile), *result.cells[1:])
    html = msgspec.structs.replace(result, cells=cells, name=hostile)._repr_html_()
    assert html.count("<tr>") == 1 + len(cells)
    assert "<script>" not in html
    assert "int8-litert-local" in html
