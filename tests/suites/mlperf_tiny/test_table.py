"""The table that a run of several benchmarks ends in."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

import edgerig
from edgerig.datasets.mlperf_tiny.seeded import write_seeded
from edgerig.measure.kinds import Measurement
from edgerig.results.types import CellFailure, RunResult
from edgerig.suites.mlperf_tiny.table import suite_lines, suite_rows, write_suite
from edgerig.tasks.judgement import MetricValue, Quality
from edgerig.testing.networks import linear_tflite
from edgerig.views import Heading, Table

QUICK = {"warmup": 1, "rounds": 1, "seconds": 0, "profile_samples": 2, "transport_samples": 2}


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """A linear network on 36 samples of keyword spotting."""
    folder = tmp_path_factory.mktemp("table")
    write_seeded(folder, "kws01", per_class=3)
    weights = np.random.default_rng(0).normal(size=(12, 490)).astype(np.float32)
    model = linear_tflite(folder / "net.tflite", weights, np.zeros(12, np.float32))
    spec = {
        "name": "kws",
        "model": str(model),
        "dataset": {"use": "mlperf-tiny-kws", "root": str(folder)},
        "matrix": {"runtimes": ["litert"]},
        "measure": QUICK,
    }
    return edgerig.run(spec, out=folder / "run")


def with_quality(result: RunResult, dataset: str, quality: Quality, **options: object) -> RunResult:
    cell = msgspec.structs.replace(result.cells[0], quality=quality)
    info = msgspec.structs.replace(result.dataset, name=dataset, options=options)
    return msgspec.structs.replace(result, cells=(cell,), dataset=info)


def judged(name: str, value: float, samples: int) -> Quality:
    return Quality(samples=samples, metrics=(MetricValue(name=name, value=value, higher_is_better=True),))


@pytest.mark.slow
def test_a_row_has_what_the_run_measured(result: RunResult) -> None:
    (row,) = suite_rows({"kws01": result})
    cell = result.cells[0]
    assert (row.benchmark, row.cell, row.target) == ("kws01", cell.id, "top-1 at least 90%")
    accuracy = next(metric.value for metric in cell.quality.metrics if metric.name == "accuracy")
    assert row.quality == f"top-1 {accuracy:.1%}"
    assert isinstance(cell.latency.steady, Measurement)
    assert row.seconds == cell.latency.steady.value
    assert row.macs_per_second == pytest.approx(490 * 12 / row.seconds)
    assert row.flash == cell.artifact.size
    assert (row.share_of_peak, row.instructions, row.modelled) == (None, None, False)


@pytest.mark.parametrize(
    ("dataset", "quality", "text", "meets"),
    [
        ("mlperf-tiny-kws", judged("accuracy", 0.9, 1000), "top-1 90.0%", True),
        ("mlperf-tiny-kws", judged("accuracy", 0.899, 1000), "top-1 89.9%", False),
        ("mlperf-tiny-kws", judged("accuracy", 0.95, 999), "top-1 95.0%", None),
        ("mlperf-tiny-ic", judged("accuracy", 0.86, 200), "top-1 86.0%", True),
        ("mlperf-tiny-ad", judged("auc", 0.849, 248), "AUC 0.849", False),
        ("mlperf-tiny-ad", Quality(samples=248), None, None),
    ],
)
def test_a_target_is_met_on_the_whole_official_set_alone(
    result: RunResult, dataset: str, quality: Quality, text: str | None, meets: bool | None
) -> None:
    (row,) = suite_rows({"x": with_quality(result, dataset, quality)})
    assert (row.quality, row.meets) == (text, meets)
    (row,) = suite_rows({"x": with_quality(result, dataset, quality, seeded=4)})
    assert row.meets is None, "seeded samples are not the benchmark's"


@pytest.mark.parametrize(("missed", "false", "meets"), [(8, 8, True), (9, 0, False), (0, 9, False)])
def test_a_stream_is_judged_by_counts(result: RunResult, missed: int, false: int, meets: bool) -> None:
    headings = tuple(Heading(text) for text in ("class", "events", "missed", "reported without an event"))
    table = Table("Events", headings, (("marvin", 50, missed, false),))
    quality = Quality(samples=result.dataset.test_samples, views=(table,))
    (row,) = suite_rows({"x": with_quality(result, "mlperf-tiny-sww", quality)})
    assert row.quality == f"{false} false, {missed} missed"
    assert row.meets is meets


def test_it_is_written_with_what_has_to_be_said_beside_it(result: RunResult, tmp_path: Path) -> None:
    seeded = with_quality(result, "mlperf-tiny-kws", judged("accuracy", 0.95, 36), seeded=3)
    other = msgspec.structs.replace(result, dataset=msgspec.structs.replace(result.dataset, name="mnist"))
    write_suite(tmp_path, {"kws01": seeded, "digits": other})
    text = (tmp_path / "mlperf-tiny.md").read_text()
    assert "| kws01 |" in text
    assert "36 seeded" in text
    assert "Samples made from a seed, not the benchmark's: kws01." in text
    assert "90.2 %" in text, "published results, with their sources"
    assert "mnist" not in text
    document = json.loads((tmp_path / "mlperf-tiny.json").read_text())
    assert [row["quality"] for row in document["rows"]] == ["top-1 95.0%"]
    lines = suite_lines({"kws01": seeded})
    assert any(line.startswith("kws01 ") for line in lines)
    assert any("NUCLEO-L4R5ZI" in line and "kws01 13.323 inferences/s" in line for line in lines)
    assert any(line.startswith("Published by others (MLCommons") for line in lines)
    assert not any("vww01" in line for line in lines), "only of the benchmarks that were run"


def test_cells_that_failed_are_named(result: RunResult, tmp_path: Path) -> None:
    failure = CellFailure(id="int8-micro-sim", error="TargetError", message="gone", time="2026-01-01T00:00:00")
    lost = msgspec.structs.replace(result, failures=(failure,))
    write_suite(tmp_path, {"kws01": lost})
    assert "- Not measured: kws01/int8-micro-sim." in (tmp_path / "mlperf-tiny.md").read_text()
