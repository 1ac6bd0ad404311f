"""One sample, k inferences: latency is of an inference, quality of a sample."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import edgerig
from edgerig.engine.rounds.journal import Journal
from edgerig.engine.samples.portions import Portion, WholeSamples
from edgerig.errors import IncompatibleError
from edgerig.results.bundle import Bundle
from edgerig.results.remarks import remarks
from edgerig.results.types import RunResult
from edgerig.tasks.none import NoTask
from edgerig.testing.networks import linear_tflite

FEATURES, SAMPLES = 4, 40
WEIGHTS = np.array([[0.5, -1.0, 2.0, 0.25]], np.float32)


@pytest.fixture(scope="module")
def windows() -> NDArray[np.int64]:
    counts = np.random.default_rng(3).integers(1, 8, SAMPLES)
    counts[0] = 25  # more than the inferences whose outputs are held against a later round's
    return counts


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, windows: NDArray[np.int64]) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    labels = np.arange(SAMPLES) % 2
    x = rng.normal(size=(int(windows.sum()), FEATURES)).astype(np.float32)
    x += 0.3 * np.repeat(labels, windows)[:, None] * WEIGHTS
    path = tmp_path_factory.mktemp("windows") / "d.npz"
    train = {"x_train": x[:20], "y_train": np.arange(20) % 2}
    np.savez(path, **train, x_test=x, y_test=labels, windows_test=windows)
    return {"use": "npz", "file": str(path)}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return linear_tflite(tmp_path_factory.mktemp("net") / "net.tflite", WEIGHTS, np.zeros(1, np.float32))


def run(network: Path, data: dict[str, Any], out: Path, task: str = "anomaly", **measure: Any) -> RunResult:
    quick = {"samples": None, "warmup": 1, "rounds": 2, "seconds": 0, "profile_samples": 2, "transport_samples": 2}
    rig = {"name": "t", "model": {"file": str(network)}, "dataset": data, "matrix": [{"runtimes": ["litert"]}]}
    return edgerig.run({**rig, "task": task, "measure": quick | measure}, out=out)


@pytest.mark.slow
@pytest.mark.parametrize("count", [None, 15])
def test_scores_are_means_over_windows_and_times_are_of_inferences(
    count: int | None, network: Path, data: dict[str, Any], windows: NDArray[np.int64], tmp_path: Path
) -> None:
    result = run(network, data, tmp_path / "out", samples=count)
    (cell,) = result.cells
    arrays = Bundle(tmp_path / "out").samples(cell.id)
    indices = arrays["indices"]
    assert len(indices) == (count or SAMPLES)
    with np.load(data["file"]) as file:
        scores = file["x_test"] @ WEIGHTS[0]
    ends = np.cumsum(windows)
    means = np.array([scores[end - k : end].mean() for end, k in zip(ends, windows, strict=True)])[indices]
    np.testing.assert_allclose(arrays["kept_anomaly"], means, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(arrays["kept_anomalous"], indices % 2)
    assert len(arrays["times_ns"]) == windows[indices].sum()
    positive, negative = means[indices % 2 == 1], means[indices % 2 == 0]
    auc = (positive[:, None] > negative[None]).mean()
    assert cell.quality.metrics[0].value == pytest.approx(auc)
    assert cell.quality.samples == cell.measured_samples == len(indices)
    assert cell.windows == (windows[indices].min(), windows[indices].max())
    assert len({round_.outputs for round_ in cell.rounds}) == 1
    assert cell.agreement.max_abs_error == 0.0  # type: ignore[union-attr]
    assert any("of which a sample takes" in text for text in remarks(result.cells))


def test_what_cannot_put_windows_together_is_refused_before_the_device(
    network: Path, data: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(IncompatibleError, match="cuts its samples into windows, and task 'classification'"):
        run(network, data, tmp_path / "out", task="classification")
    with pytest.raises(IncompatibleError, match="run one by one"):
        run(network, data, tmp_path / "out", scenario="offline", batch=4)
    batched = linear_tflite(tmp_path / "batched.tflite", WEIGHTS, np.zeros(1, np.float32), batch=4)
    with pytest.raises(IncompatibleError, match="runs 4 samples an inference"):
        run(batched, data, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def rows(first: int, count: int) -> Portion:
    numbers = np.arange(first, first + count)
    sound = numbers != 7
    return Portion(numbers[:, None].astype(np.float64), numbers.astype(np.int64), sound, numbers[:, None] * 1.0)


@pytest.mark.parametrize("seed", range(20))
def test_portions_of_any_size_give_the_same_samples(seed: int) -> None:
    rng = np.random.default_rng(seed)
    windows = rng.integers(1, 6, 12)
    total, done = int(windows.sum()), 0
    whole, parts = WholeSamples(NoTask(), windows), []
    while done < total:
        count = min(int(rng.integers(1, 9)), total - done)
        portion = whole.add(rows(done, count))
        done += count
        if portion is not None:
            parts.append(portion)
    expected = WholeSamples(NoTask(), windows).add(rows(0, total))
    assert expected is not None
    for name in Portion.__struct_fields__:
        np.testing.assert_array_equal(np.concatenate([getattr(part, name) for part in parts]), getattr(expected, name))
    assert len(expected.sound) == 12
    assert not expected.sound.all(), "the sample of the broken window is not sound"
    assert expected.sound.sum() == 11
    assert len(expected.times_ns) == total


def test_a_journal_of_windows_goes_on_after_whole_samples(tmp_path: Path) -> None:
    windows = np.array([2, 1, 3, 2])
    journal = Journal(tmp_path / "j", "key", windows=windows)
    for part in (slice(0, 1), slice(1, 3)):
        samples, inferences = part.stop - part.start, int(windows[part].sum())
        journal.append(
            scores=np.zeros((samples, 1)),
            times_ns=np.ones(inferences, np.int64),
            fit=np.zeros((inferences, 0)),
            finite=np.ones(samples, np.uint8),
        )
    again = Journal(tmp_path / "j", "key", windows=windows)
    again.load()
    assert (again.samples, len(again.joined("times_ns"))) == (3, 6)
    other = Journal(tmp_path / "j", "key", windows=np.array([2, 2, 3, 2]))
    other.load()
    assert other.samples == 1, "a portion that does not fit its samples, and all after it, are not used"


@pytest.mark.slow
@pytest.mark.parametrize("cut", [True, False])
def test_a_threshold_is_chosen_on_samples_that_are_cut_alike(
    cut: bool, network: Path, data: dict[str, Any], windows: NDArray[np.int64], tmp_path: Path
) -> None:
    with np.load(data["file"]) as file:
        x, labels = file["x_test"], file["y_test"]
    ends = np.cumsum(windows)
    arrays = {"x_train": x[:20], "y_train": np.arange(20) % 2, "x_test": x, "y_test": labels, "windows_test": windows}
    if cut:
        arrays |= {"x_validation": x, "y_validation": labels, "windows_validation": windows}
    else:
        arrays |= {"x_validation": x, "y_validation": np.repeat(labels, windows)}
    np.savez(tmp_path / "d.npz", **arrays)
    rig = {"name": "t", "model": {"file": str(network)}, "dataset": {"use": "npz", "file": str(tmp_path / "d.npz")}}
    measure = {"samples": None, "rounds": 1, "seconds": 0, "warmup": 1, "profile": False}
    task = {"use": "anomaly", "rule": "best-f1"}
    result = edgerig.run({**rig, "task": task, "measure": measure}, out=tmp_path / "out")
    names = [metric.name for metric in result.cells[0].quality.metrics]
    assert ("f1" in names) == cut
    if cut:
        means = np.array([(x @ WEIGHTS[0])[end - k : end].mean() for end, k in zip(ends, windows, strict=True)])
        best = max(2 * (labels[means >= t]).sum() / ((means >= t).sum() + labels.sum()) for t in means)
        assert result.cells[0].quality.metrics[names.index("f1")].value == pytest.approx(best)
