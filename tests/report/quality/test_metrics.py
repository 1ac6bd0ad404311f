"""The report's table of qualities that are no accuracy, and what a recommendation says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.results.compare.test_quality import NOISE, N, dataset, judged
from tests.results.conftest import write_run  # noqa: F401

from edgerig.report.build import build
from edgerig.report.load import load_bundle
from edgerig.report.model import Report
from edgerig.report.quality import comparisons
from edgerig.report.rendering.html import render_html
from edgerig.report.rendering.markdown import render_markdown
from edgerig.results.compare.quality import quality_verdicts

ERRORS = {"first": NOISE, "second": 1.2 * NOISE, "third": 1.0001 * NOISE}


def variants(rows: dict[str, Any]) -> list[Any]:
    """Cells of one run by their names, each of its own errors and of so many samples."""
    cells = []
    for name, samples in rows.items():
        cell, arrays = judged(ERRORS[name], id=f"{name}-litert-local")
        artifact = msgspec.structs.replace(cell.artifact, name=name, sha256=name)
        quality = cell.quality
        if samples < N:
            error = float(np.abs(ERRORS[name][:samples]).mean())
            metric = msgspec.structs.replace(quality.metrics[0], value=error, low=0.9 * error, high=1.1 * error)
            quality = msgspec.structs.replace(quality, samples=samples, metrics=(metric,))
        arrays = {key: array[:samples] for key, array in arrays.items()}
        cells.append((msgspec.structs.replace(cell, artifact=artifact, quality=quality), arrays))
    return cells


@pytest.fixture
def report(write_run: Any) -> Any:  # noqa: F811
    def of(**rows: int) -> Report:
        path: Path = write_run("run", *variants(rows), dataset=dataset())
        return build([load_bundle(path)])

    return of


def test_each_variant_is_compared_with_the_first_in_the_unit_of_the_metric(report: Any) -> None:
    (view,) = report(first=N, second=N, third=N).qualities
    assert view.metric == "mae"
    first, second, third = view.rows
    assert (first.verdict, first.change) == ("compared with", None)
    assert (second.verdict, second.worse, second.samples) == ("worse", True, N)
    assert second.change.text == f"+{np.abs(NOISE).mean() * 0.2:.4g} °C"
    assert third.verdict == "same"


def test_variants_are_compared_with_the_first_whose_numbers_nobody_has_shortened(write_run: Any) -> None:  # noqa: F811
    cells = [
        (msgspec.structs.replace(cell, artifact=msgspec.structs.replace(cell.artifact, scheme=scheme)), arrays)
        for (cell, arrays), scheme in zip(variants({"first": N, "second": N}), ("int8", "float64"), strict=True)
    ]
    (view,) = build([load_bundle(write_run("run", *cells, dataset=dataset()))]).qualities
    first, second = view.rows
    assert (first.verdict, second.verdict) == ("better", "compared with")


def test_pages_show_it_and_no_percentage_of_an_error(report: Any) -> None:
    made = report(first=N, second=N)
    for text in (render_html(made), render_markdown(made)):
        assert "Quality compared: mae" in text
        assert f"+{np.abs(NOISE).mean() * 0.2:.4g} °C" in text
        assert f"{np.abs(NOISE).mean():.2%}" not in text


def test_qualities_of_other_samples_are_recommended_by_those_that_all_ran(report: Any) -> None:
    """The second is better on the few samples that it ran than the first is on all, and no better on the same ones."""
    few = 100
    rest = np.abs(NOISE[:few]).mean()
    text = " ".join(report(first=N, third=few).recommendation.reasons)
    assert f"Qualities are those of the {few} samples that all of these variants ran." in text
    (view,) = report(first=N, third=few).qualities
    assert view.rows[1].samples == few
    assert rest != pytest.approx(np.abs(NOISE).mean())


def test_what_a_choice_gives_up_is_said_in_the_unit_with_its_interval_by_the_verdict_of_the_table(
    report: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = []

    def counted(runs: Any, cells: Any, arrays: Any, options: Any) -> Any:
        pairs.append((cells[0].id, cells[1].id))
        return quality_verdicts(runs, cells, arrays, options)

    monkeypatch.setattr(comparisons, "quality_verdicts", counted)
    built = report(first=N, second=N)
    reasons = " ".join(built.recommendation.reasons)
    assert "°C" in reasons
    assert "which is not by chance" in reasons
    assert built.qualities[0].rows[1].change.text in reasons
    assert pairs == [("first-litert-local", "second-litert-local")], "one verdict for the table and the words"
