"""Samples that are cut into windows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgerig.artifact import Preprocessing
from edgerig.datasets.npz import Npz, NpzSettings
from edgerig.datasets.windowed_samples import WindowedSamples, cut_into_windows
from edgerig.errors import DatasetError
from edgerig.models.training.batches import Feed

COUNTS = np.array([2, 1, 3])
WINDOWS = np.arange(12, dtype=np.float32).reshape(6, 2)


def test_inputs_are_the_windows_of_the_chosen_samples_in_their_order() -> None:
    samples = WindowedSamples(WINDOWS, COUNTS, [0, 1, 0])
    halved = Preprocessing(scale=0.5)
    np.testing.assert_array_equal(samples.inputs(slice(0, 2), halved), WINDOWS[:3] / 2)
    np.testing.assert_array_equal(samples.inputs(np.array([2, 0]), halved), WINDOWS[[3, 4, 5, 0, 1]] / 2)
    np.testing.assert_array_equal(samples.raw(2), WINDOWS[3:])
    turned = samples.take(np.array([2, 0]))
    assert (turned.windows.tolist(), turned.labels.tolist()) == ([3, 2], [0, 0])
    np.testing.assert_array_equal(turned.array, WINDOWS[[3, 4, 5, 0, 1]])
    assert turned.fingerprint != samples.fingerprint
    assert WindowedSamples(WINDOWS, [1, 2, 3], [0, 1, 0]).fingerprint != samples.fingerprint


@pytest.mark.parametrize(
    ("counts", "labels", "message"),
    [
        ([2, 2], None, "2 samples are to have 4 windows, and there are 6"),
        ([3, 0, 3], None, "Sample 1 has no window"),
        ([3, 3], [0], "labels of shape"),
    ],
)
def test_counts_that_cannot_be_are_refused(counts: list[int], labels: list[int] | None, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        WindowedSamples(WINDOWS, counts, labels)


def test_sequences_are_cut_and_one_that_is_too_short_is_named() -> None:
    sequences = [np.arange(10.0), np.arange(3.0), np.arange(4.0)]
    windows, counts = cut_into_windows(sequences, 3, 3)
    assert windows.tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [0, 1, 2], [0, 1, 2]]
    assert counts.tolist() == [3, 1, 1]
    with pytest.raises(DatasetError, match="Sequence 1 has 3 entries, which is shorter than a window of 4"):
        cut_into_windows(sequences, 4, 1)
    with pytest.raises(DatasetError, match="no sequences"):
        cut_into_windows([], 4, 1)


def npz(path: Path, **arrays: Any) -> Npz:
    np.savez(path, **arrays)
    return Npz(NpzSettings(file=str(path)))


def test_npz_counts_the_windows_of_each_sample(tmp_path: Path) -> None:
    train = {"x_train": np.repeat(WINDOWS, 4, axis=0), "y_train": np.arange(24) % 2}
    dataset = npz(tmp_path / "d.npz", **train, x_test=WINDOWS, y_test=[0, 1, 0], windows_test=COUNTS)
    test = dataset.split("test")
    assert test.windows is not None
    assert (len(test), test.windows.tolist(), test.labels.tolist()) == (3, [2, 1, 3], [0, 1, 0])
    assert dataset.split("train").windows is None
    for wrong, message in ((COUNTS + 1, "are to have 9 windows"), (COUNTS / 2, "windows_test is float64")):
        with pytest.raises(DatasetError, match=message):
            npz(tmp_path / "w.npz", **train, x_test=WINDOWS, y_test=[0, 1, 0], windows_test=wrong).prepare()


def test_training_takes_each_window_with_the_label_of_its_sample() -> None:
    samples = WindowedSamples(WINDOWS, COUNTS, [0, 1, 2])
    single = samples.single_windows()
    assert (single.windows, single.labels.tolist()) == (None, [0, 0, 1, 2, 2, 2])
    np.testing.assert_array_equal(single.inputs(slice(None), Preprocessing()), WINDOWS)
    feed = Feed(samples, Preprocessing(), batch_size=6)
    ((inputs, labels),) = feed.in_order()
    np.testing.assert_array_equal(inputs, WINDOWS)
    assert labels.tolist() == [0, 0, 1, 2, 2, 2]
