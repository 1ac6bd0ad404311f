"""Pieces of one long array as samples."""

from __future__ import annotations

import numpy as np
import pytest

from edgerig.artifact import Preprocessing
from edgerig.datasets.cut_samples import CutSamples
from edgerig.datasets.windowed_samples import WindowedSamples, cut_into_windows
from edgerig.errors import DatasetError

SEQUENCES = [np.arange(9.0, dtype=np.float32), -np.arange(7.0, dtype=np.float32)]


@pytest.fixture
def samples() -> CutSamples:
    return CutSamples(np.concatenate(SEQUENCES), [0, 2, 4, 9, 11], (2, 2), [1, 0], [3, 2])


def test_they_are_the_windows_that_would_be_cut_beforehand(samples: CutSamples) -> None:
    windows, counts = cut_into_windows(SEQUENCES, length=4, step=2)
    plain = WindowedSamples(windows.reshape(-1, 2, 2), counts, [1, 0])
    scaled = Preprocessing(scale=0.5, mean=(1.0,))
    assert samples.windows is not None
    assert samples.windows.tolist() == plain.windows.tolist()
    for indices in (slice(None), slice(1, 2), np.array([1, 0])):
        np.testing.assert_array_equal(samples.inputs(indices, scaled), plain.inputs(indices, scaled))
    np.testing.assert_array_equal(samples.raw(0), plain.raw(0))
    taken = samples.take(np.array([1]))
    np.testing.assert_array_equal(taken.inputs(slice(None), scaled), plain.take(np.array([1])).inputs([0], scaled))
    single = samples.single_windows()
    assert single.labels.tolist() == [1, 1, 1, 0, 0]
    np.testing.assert_array_equal(single.inputs(slice(None), scaled), plain.inputs(slice(None), scaled))


def test_pieces_overlap_without_being_copied() -> None:
    values = np.arange(1000.0, dtype=np.float32)
    samples = CutSamples(values, np.arange(901), (100,), np.zeros(901))
    assert samples.values is values
    values[500] = -1
    assert samples.raw(450)[50] == -1
    assert samples.single_windows().values is values


def test_fingerprints_tell_pieces_labels_and_windows_apart(samples: CutSamples) -> None:
    others = [
        samples.take(np.array([1, 0])),
        samples.single_windows(),
        CutSamples(samples.values, samples.starts, (4,), samples.labels, samples.windows),
        CutSamples(samples.values, samples.starts, (2, 2), [0, 1], samples.windows),
        CutSamples(samples.values + 1, samples.starts, (2, 2), samples.labels, samples.windows),
    ]
    assert len({samples.fingerprint, *(other.fingerprint for other in others)}) == 6
    assert samples.take(np.array([0, 1])).fingerprint == samples.fingerprint


@pytest.mark.parametrize(
    ("starts", "labels", "windows", "said"),
    [
        ([0, 1], [0], None, "1 samples are to have 1 pieces, and 2 begin"),
        ([0, 1], [0, 1], [1, 2], "to have 3 pieces"),
        ([0, 1], [0, 1], [2, 0], "Sample 1 has no window"),
        ([0, 1], [0], [1, 1], "1 samples"),
        ([0, 13], [0, 1], None, "does not lie within 16"),
        ([-1, 3], [0, 1], None, "does not lie within 16"),
    ],
)
def test_parts_that_do_not_belong_together_are_refused(
    starts: list[int], labels: list[int], windows: list[int] | None, said: str
) -> None:
    with pytest.raises(DatasetError, match=said):
        CutSamples(np.concatenate(SEQUENCES), starts, (2, 2), labels, windows)
