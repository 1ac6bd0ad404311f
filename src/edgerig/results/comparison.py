"""Qualities compared over the samples that all have run, sample by sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.datasets.metrics.chance import SIGNIFICANCE, sign_test
from edgerig.datasets.metrics.functions import wilson_interval

Array = NDArray[Any]


class Answers(msgspec.Struct, frozen=True):
    """What one cell answered: places of its samples in the test split, labels, predicted classes; each (n,)."""

    cell: str
    indices: Array
    labels: Array
    predictions: Array


class Paired(msgspec.Struct, frozen=True, kw_only=True):
    """One cell's accuracy on the shared samples, and sample by sample against the baseline.

    Attributes:
        errors: Wrong answers. accuracy, low, high: share of right ones with Wilson's 95 % interval.
        lost: Samples that only the baseline is right for; ``gained``: those that only this cell is right for.
        ratio: Errors for one error of the baseline; None where the baseline makes none.
        p: Two-sided p of McNemar's test that both are right equally often.
    """

    cell: str
    errors: int
    accuracy: float
    low: float
    high: float
    lost: int
    gained: int
    ratio: float | None
    p: float

    @property
    def different(self) -> bool:
        """Whether chance alone would make such a difference less often than once in twenty times."""
        return self.p < SIGNIFICANCE


class SharedQuality(msgspec.Struct, frozen=True, kw_only=True):
    """Accuracies of several cells on the samples that all of them ran.

    Attributes:
        baseline: The cell that the others are compared with.
        samples: How many they share. fewest, most: how many the cells ran.
    """

    baseline: str
    samples: int
    fewest: int
    most: int
    rows: tuple[Paired, ...]


def answers_of(cell: str, arrays: Mapping[str, Array]) -> Answers | None:
    """The labelled answers of a cell, out of its raw arrays; None where there are none, or they do not fit together."""
    try:
        indices, labels, predictions = (np.asarray(arrays[name]) for name in ("indices", "labels", "predictions"))
    except KeyError:
        return None
    if not (indices.ndim == 1 and indices.shape == labels.shape == predictions.shape):
        return None
    known = labels >= 0
    if not known.any() or len(np.unique(indices)) != len(indices):
        return None
    return Answers(cell, indices[known], labels[known], predictions[known])


def compare_shared(series: Sequence[Answers], baseline: str) -> SharedQuality | None:
    """The accuracies of ``series``, at least two, on the samples that all have run; None where they share none.

    Args:
        series: Answers to samples of one and the same test split.
        baseline: The cell among them to compare with.
    """
    if len(series) < 2:
        return None
    shared = reduce(lambda one, other: np.intersect1d(one, other, assume_unique=True), [s.indices for s in series])
    if not len(shared):
        return None
    right = {one.cell: _right(one, shared) for one in series}
    rows = tuple(_paired(cell, own, right[baseline]) for cell, own in right.items())
    counts = [len(one.indices) for one in series]
    return SharedQuality(baseline=baseline, samples=len(shared), fewest=min(counts), most=max(counts), rows=rows)


def _right(one: Answers, shared: Array) -> NDArray[np.bool_]:
    order = np.argsort(one.indices)
    places = order[np.searchsorted(one.indices[order], shared)]
    return np.asarray(one.labels[places] == one.predictions[places])


def _paired(cell: str, own: NDArray[np.bool_], base: NDArray[np.bool_]) -> Paired:
    n, errors, theirs = len(own), int((~own).sum()), int((~base).sum())
    lost, gained = int((base & ~own).sum()), int((own & ~base).sum())
    low, high = wilson_interval(n - errors, n)
    return Paired(
        cell=cell, errors=errors, accuracy=(n - errors) / n, low=low, high=high, lost=lost, gained=gained,
        ratio=errors / theirs if theirs else None, p=sign_test(lost, gained),
    )  # fmt: skip
