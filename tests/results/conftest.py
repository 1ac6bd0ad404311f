"""Cells and bundles with rounds, as a real run would leave them, without running anything."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.report.conftest import machine, make_cell, make_run, number

from edgerig.measure.kinds import Measurement
from edgerig.measure.stats import summarize
from edgerig.results.bundle import Bundle, Header
from edgerig.results.compare.stored import compare_bundles
from edgerig.results.gate.judge import Check, check_cell
from edgerig.results.gate.limits import parse_limits
from edgerig.results.types import BUNDLE_VERSION, CellResult, Round, RunResult
from edgerig.tasks.judgement import MetricValue

SAMPLES = 600


def make_rounds(medians: list[float], seed: int = 0) -> tuple[Round, ...]:
    """A round for each median, in seconds."""
    rng = np.random.default_rng(seed)
    return tuple(
        Round(
            number=place,
            started="2026-03-14T09:26:00+00:00",
            seconds=1.0,
            series="s",
            load=number(0.004 * (1 + 0.01 * rng.normal())),
            first=number(3 * median),
            steady=summarize(median * (1 + 0.01 * rng.random(SAMPLES)), resamples=10),
            memory={"peak_rss": number(60e6 + place, "B")},
            machine=machine(),
            machine_after=machine(),
        )
        for place, median in enumerate(medians, 1)
    )


def make_measured(medians: list[float], wrong: int = 10, **changes: Any) -> tuple[CellResult, dict[str, Any]]:
    """A cell of so many rounds, wrong about its first ``wrong`` samples."""
    row = ("int8", "litert", "local", 0.98, medians[0] * 1e6, 101_664, "measured")
    cell, arrays = make_cell(row, samples=SAMPLES)
    assert isinstance(cell.latency.steady, Measurement)
    arrays["predictions"] = arrays["labels"] + (np.arange(SAMPLES) < wrong)
    right = MetricValue(name="accuracy", value=1 - wrong / SAMPLES, higher_is_better=True, low=None, high=None)
    quality = msgspec.structs.replace(cell.quality, samples=SAMPLES, metrics=(right,))
    return msgspec.structs.replace(cell, **{"quality": quality, "rounds": make_rounds(medians)} | changes), arrays


def begin(path: Path) -> Bundle:
    """A finished bundle of two cells, as far as its header and its result are there."""
    bundle = Bundle(path)
    bundle.write_header(
        Header(version=1, name="n", edgerig="0", created="now", plan_hash="h", rig={}, cells=("a", "b"))
    )
    (path / "results.json").write_text("{}")
    return bundle


@pytest.fixture
def write_run(tmp_path: Path) -> Callable[..., Path]:
    """Writes a bundle of the given cells."""

    def write(name: str, *cells: tuple[CellResult, dict[str, Any]], **changes: Any) -> Path:
        bundle = Bundle(tmp_path / name)
        (run, *_) = [make_run(()).result]
        ids = tuple(cell.id for cell, _ in cells)
        run = msgspec.structs.replace(
            run,
            name="r",
            created=name,
            cells=tuple(cell for cell, _ in cells),
            planned=ids,
            version=BUNDLE_VERSION,
            **changes,
        )
        assert isinstance(run, RunResult)
        bundle.write_header(
            Header(
                version=BUNDLE_VERSION,
                name="r",
                edgerig=run.edgerig,
                created=run.created,
                plan_hash="",
                rig={},
                cells=ids,
            )
        )
        for cell, arrays in cells:
            bundle.write_cell(cell, arrays)
        bundle.write_result(run)
        return bundle.path

    return write


@pytest.fixture
def check(write_run: Callable[..., Path]) -> Callable[..., list[Check]]:
    """Judges a new cell against a baseline, by limits as a gate takes them."""

    def judged(before: Any, now: Any, limits: dict[str, Any]) -> list[Check]:
        a, b = write_run("a", before), write_run("b", now)
        (comparison,) = compare_bundles(a, b).comparisons
        return check_cell(comparison, parse_limits(limits), *(Bundle(folder).result().cells[0] for folder in (b, a)))

    return judged
