"""Recorded tests in the index, beside the bundles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.results.conftest import make_measured

from edgerig.measure.kinds import Unavailable
from edgerig.results.bundle import Bundle
from edgerig.results.history.store import History
from edgerig.results.tests.history import TestHistory, open_history
from edgerig.results.tests.make import records_of


@pytest.fixture
def bundle(tmp_path: Path, write_run: Callable[..., Path]) -> Path:
    return write_run("2026-01-01", make_measured([100e-6] * 3))


@pytest.fixture
def tests(tmp_path: Path, bundle: Path) -> TestHistory:
    """The history with the test of the bundle."""
    history = open_history(tmp_path / "shared")
    (record,) = records_of(Bundle(bundle).result())
    history.append(record)
    return history


def test_a_test_is_read_once(tmp_path: Path, tests: TestHistory) -> None:
    history = History(tmp_path / "runs")
    assert (history.update_tests(tests), history.update_tests(tests)) == (1, 0)
    (run,) = history.runs()
    assert run.bundle == f"{tests.address}/{tests.names()[0]}"
    assert {series.metric for series in history.series()} >= {"latency", "accuracy", "similarity", "size"}


def test_a_bundle_stands_for_its_own_test(tmp_path: Path, bundle: Path, tests: TestHistory) -> None:
    history = History(tmp_path)
    assert history.update() == 1
    alone = {(series.metric, len(series.points)) for series in history.series()}
    assert history.update_tests(tests) == 1
    assert [run.bundle for run in history.runs()] == [str(bundle)]
    both = {(series.metric, len(series.points)) for series in history.series()}
    assert alone <= both  # nothing is there twice
    assert {metric for metric, _ in both - alone} == {"similarity"}


def test_tests_of_several_machines_make_one_series(tmp_path: Path, bundle: Path, tests: TestHistory) -> None:
    from msgspec.structs import replace

    (record,) = records_of(Bundle(bundle).result())
    for day in (2, 3):
        date = f"2026-01-0{day}T00:00:00Z"
        tests.append(replace(record, date=date, run_date=date))
    history = History(tmp_path)
    history.update()
    history.update_tests(tests)
    (latency,) = history.series(metric="latency")
    assert [point.created[:10] for point in latency.points] == ["2026-01-01", "2026-01-02", "2026-01-03"]
    assert latency.points[0].bundle == str(bundle)


def test_two_cells_of_one_run_are_two_tests(tmp_path: Path, bundle: Path) -> None:
    from msgspec.structs import replace

    history = open_history(tmp_path / "shared")
    (record,) = records_of(Bundle(bundle).result())
    history.append(record)
    history.append(replace(record, cell="other", date="2026-01-01T00:01:00Z"))
    index = History(tmp_path / "runs")
    assert index.update_tests(history) == 2
    assert {series.cell for series in index.series()} == {record.cell, "other"}


def test_a_foreign_file_is_named_and_left_out(tmp_path: Path, tests: TestHistory) -> None:
    (tmp_path / "shared" / "notes.json").write_text("{}")
    said: list[str] = []
    assert History(tmp_path / "runs").update_tests(tests, said.append) == 1
    assert "notes.json" in said[0]


def test_a_time_of_a_batch_is_no_latency_and_what_is_unavailable_no_point(tmp_path: Path, bundle: Path) -> None:
    from msgspec.structs import replace

    history = open_history(tmp_path / "shared")
    (record,) = records_of(Bundle(bundle).result())
    history.append(replace(record, batch=8, image_time=Unavailable("emulated")))
    index = History(tmp_path / "runs")
    index.update_tests(history)
    (series,) = index.series(metric="inference_of_sample")
    assert series.device.endswith(", batches of 8")
    assert index.series(metric="latency") == index.series(metric="image_time") == []


def test_an_empty_history_makes_no_index(tmp_path: Path) -> None:
    history = History(tmp_path / "runs")
    assert history.update_tests(open_history(tmp_path / "nothing")) == 0
    assert not (tmp_path / "runs").exists()
    assert history.runs() == []
