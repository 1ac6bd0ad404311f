"""Verdicts on qualities other than accuracy: direction, unit, wrong cases, and what a bundle lacks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.report.conftest import machine
from tests.results.compare.verdicts import quality_verdict
from tests.results.conftest import make_measured

from edgerig.report.comparison import interval_of, render_comparison
from edgerig.results.compare.quality import QualityOptions
from edgerig.results.compare.stored import StoredOptions, compare_bundles
from edgerig.results.compare.types import CellComparison, MetricVerdict
from edgerig.results.types import DatasetInfo
from edgerig.tasks.anomaly import Anomaly
from edgerig.tasks.judgement import MetricValue
from edgerig.tasks.regression import Regression
from edgerig.tasks.segmentation import Segmentation

N = 400
PLACES = np.arange(N)
TARGETS = np.sin(PLACES)[:, None] * 10
NOISE = np.random.default_rng(3).normal(size=(N, 1))
OTHER = np.random.default_rng(4).normal(size=(N, 1))


def predicted(error: Any, rows: Any = PLACES) -> dict[str, Any]:
    """A regression's samples whose predictions are off by ``error``."""
    return {"indices": rows, "kept_values": (TARGETS + error)[rows], "kept_targets": TARGETS[rows]}


def mae(a: Any, b: Any, **options: Any) -> MetricVerdict:
    verdict = quality_verdict(Regression(), "mae", a, b, **options)
    assert isinstance(verdict, MetricVerdict)
    return verdict


@pytest.mark.parametrize(
    ("b", "verdict"),
    [
        (1.2 * NOISE, "worse"),  # less is better: a larger error is a loss
        (0.8 * NOISE, "better"),
        (1.001 * NOISE, "same"),
        (0.98 * NOISE + 0.2 * OTHER, "inconclusive"),
    ],
)
def test_a_metric_of_which_less_is_better_is_worse_where_it_grows(b: Any, verdict: str) -> None:
    found = mae(predicted(NOISE), predicted(b))
    assert found.verdict == verdict, found.sentence
    errors = np.abs(NOISE).mean(), np.abs(b).mean()
    assert found.value == pytest.approx(errors[1] - errors[0])
    assert found.margin == pytest.approx(0.02 * errors[0])
    assert not found.higher_is_better
    assert found.low is not None
    assert found.high is not None
    assert found.low <= errors[1] - errors[0] <= found.high
    drawn = interval_of("mae", found)
    assert drawn is not None
    # On the page worse lies to the right, whatever the direction.
    assert (drawn.value > 0) == (errors[1] > errors[0])


def test_only_samples_that_both_ran_count_in_whatever_order() -> None:
    first, second = np.arange(300), np.arange(100, N)[::-1]
    found = mae(predicted(NOISE, first), predicted(1.2 * NOISE, second))
    shared = np.abs(NOISE[100:300])
    assert found.count == 200
    assert found.a == pytest.approx(shared.mean())
    assert found.b == pytest.approx(1.2 * shared.mean())


def test_what_differs_in_few_samples_or_none_is_not_proven_the_same() -> None:
    off = NOISE.copy()
    off[:3] *= 2
    few, none = (mae(predicted(NOISE), predicted(error)) for error in (off, NOISE))
    assert none.value == 0
    # Of 400 samples 0.9 % may differ, each by as much as errors are apart.
    assert none.high == pytest.approx((1 - 0.025 ** (1 / N)) * np.ptp(np.abs(NOISE)), rel=1e-3)
    assert few.high is not None
    assert none.high is not None
    assert few.high > none.high
    exact = mae(predicted(NOISE), predicted(NOISE), one_network=True)
    assert (exact.verdict, exact.low, exact.high) == ("same", 0, 0)


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (predicted(NOISE, PLACES[:1]), predicted(NOISE), "a single sample was run"),
        (predicted(NOISE, PLACES[:12]), predicted(NOISE), "12 samples are too few"),
        (predicted(NOISE), predicted(1.001 - TARGETS), "B answers the same for all 400 samples"),
    ],
)
def test_too_few_samples_and_constant_answers_have_no_verdict_of_the_same(a: Any, b: Any, words: str) -> None:
    found = mae(a, b, relative=1000.0)
    assert found.verdict == "inconclusive"
    assert words in found.sentence


@pytest.mark.parametrize(
    ("b", "words"),
    [
        (predicted(np.where(PLACES[:, None] < 5, np.nan, NOISE)), "400 of A and 395 of B"),
        (predicted(NOISE, PLACES[:0]), "not whole"),
        (predicted(NOISE) | {"indices": PLACES + N}, "no sample in common"),
        (predicted(NOISE) | {"indices": np.zeros(N, np.int64)}, "not whole"),
        (predicted(NOISE) | {"kept_targets": TARGETS + 1}, "what is right is not the same"),
        (predicted(NOISE) | {"kept_values": NOISE[:, 0]}, "does not fit the task regression"),
        ({"indices": PLACES, "kept_values": NOISE}, "does not store 'targets'"),
    ],
)
def test_what_cannot_be_compared_is_said(b: Any, words: str) -> None:
    found = quality_verdict(Regression(), "mae", predicted(NOISE), b)
    assert words in str(found)


def test_an_area_under_a_curve_of_two_anomalies_has_no_interval() -> None:
    labels = (PLACES < 2).astype(np.int64)
    a, b = (
        {"indices": PLACES, "kept_anomaly": labels + 0.3 * noise[:, 0], "kept_anomalous": labels}
        for noise in (NOISE, OTHER)
    )
    found = quality_verdict(Anomaly(), "auc", a, b)
    assert isinstance(found, MetricVerdict)
    assert found.verdict == "inconclusive"
    assert "of the resamples: a class is too rare" in found.sentence
    assert (found.value, found.low) == (None, None)


def test_masks_of_other_sizes_are_not_compared() -> None:
    counts = np.random.default_rng(0).integers(1, 9, (N, 2, 2))
    a, b = (
        {"indices": PLACES, "kept_truth_counts": scale * counts, "kept_digest": PLACES[:, None]} for scale in (1, 4)
    )
    assert "other sizes" in str(quality_verdict(Segmentation(classes=("no", "yes")), "mean_iou", a, b))


# ---- bundles


def judged(error: Any, **changes: Any) -> tuple[Any, dict[str, Any]]:
    cell, arrays = make_measured([1e-4] * 3)
    errors = np.abs(error)
    metrics = tuple(
        MetricValue(name=name, value=float(value), higher_is_better=False, unit="°C", low=0.5, high=1.5)
        for name, value in (("mae", errors.mean()), ("rmse", np.sqrt((errors**2).mean())))
    )
    quality = msgspec.structs.replace(cell.quality, samples=N, metrics=metrics, confusion=(), classes=())
    times = {"times_ns": np.resize(arrays["times_ns"], N)}
    return msgspec.structs.replace(cell, **{"quality": quality} | changes), times | predicted(error)


def dataset(**changes: Any) -> DatasetInfo:
    fields = {"name": "rooms", "task": "regression", "classes": (), "test_samples": N, "train_samples": 0}
    return DatasetInfo(**{**fields, "fingerprint": "f", **changes})


Compare = Callable[..., CellComparison]


@pytest.fixture
def compare(write_run: Callable[..., Path]) -> Compare:
    def of(a: Any, b: Any, data: Any = None, names: tuple[str, ...] = (), **options: Any) -> CellComparison:
        first, second = (data, data) if not isinstance(data, tuple) else data
        paths = write_run("a", a, dataset=first or dataset()), write_run("b", b, dataset=second or dataset())
        stored = StoredOptions(quality=QualityOptions(names=names, **options))
        (comparison,) = compare_bundles(*paths, stored).comparisons
        return comparison

    return of


ELSEWHERE = machine(architecture="aarch64", cpu="A76")


def test_bundles_of_a_regression_have_a_verdict_in_its_unit(compare: Compare) -> None:
    found = compare(judged(NOISE), judged(1.2 * NOISE), names=("rmse",)).metrics
    assert found["mae"].verdict == found["rmse"].verdict == "worse"
    assert found["mae"].unit == "°C"
    assert "°C over 400 samples, A has" in found["mae"].sentence
    assert "accuracy" not in found


def test_another_metric_than_the_run_told_is_not_compared(compare: Compare) -> None:
    cell, arrays = judged(NOISE)
    arrays["kept_values"] = arrays["kept_values"] + 1
    comparison = compare((cell, arrays), judged(NOISE))
    assert "mae" not in comparison.metrics
    assert any("not judged alike" in note for note in comparison.notes)


def test_a_task_of_a_stranger_is_not_imported(compare: Compare, tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "stranger.py").write_text("raise SystemExit('run')")
    monkeypatch.syspath_prepend(tmp_path)
    comparison = compare(judged(NOISE), judged(1.2 * NOISE), dataset(task="stranger:Task"))
    (note,) = [note for note in comparison.notes if note.startswith("Quality")]
    assert "--task stranger:Task" in note
    assert "mae is 0." in note
    assert "less is better" in note


def test_a_task_without_evidence_says_so(compare: Compare) -> None:
    from edgerig.tasks.none import NoTask

    class Silent(NoTask):
        name = "silent"

    comparison = compare(judged(NOISE), judged(NOISE), dataset(task="silent"), task=Silent())
    assert any("the task silent does not say how" in note for note in comparison.notes)


def test_other_settings_of_the_task_are_told(compare: Compare) -> None:
    other = dataset(task_options={"tolerance": 0.5})
    comparison = compare(judged(NOISE), judged(1.2 * NOISE), (dataset(), other))
    assert "A and B differ in settings of the task regression: tolerance as by default and 0.5." in comparison.notes


def test_units_that_differ_are_refused(compare: Compare) -> None:
    cell, arrays = judged(NOISE)
    metrics = tuple(msgspec.structs.replace(metric, unit="°F") for metric in cell.quality.metrics)
    other = msgspec.structs.replace(cell, quality=msgspec.structs.replace(cell.quality, metrics=metrics))
    assert any("in another unit" in note for note in compare(judged(NOISE), (other, arrays)).notes)


def test_json_and_page_show_differences_in_the_unit(write_run: Callable[..., Path]) -> None:
    a, b = write_run("a", judged(NOISE), dataset=dataset()), write_run("b", judged(1.2 * NOISE), dataset=dataset())
    result = compare_bundles(a, b)
    page = render_comparison(result)
    assert "°C" in page
    (comparison,) = json.loads(msgspec.json.encode(result))["comparisons"]
    assert comparison["metrics"]["mae"]["quality"]
    change = np.abs(NOISE).mean() * 0.2
    assert f"+{change:.4g} °C" in page


def test_bundles_without_raw_samples_have_both_values(write_run: Callable[..., Path]) -> None:
    a, b = write_run("a", judged(NOISE), dataset=dataset()), write_run("b", judged(NOISE), dataset=dataset())
    for path in a.glob("cells/*/samples.npz"):
        path.unlink()
    (comparison,) = compare_bundles(a, b).comparisons
    assert any(note.startswith("Quality has no verdict (mae)") for note in comparison.notes)
    assert comparison.metrics["size"].verdict == "same"
