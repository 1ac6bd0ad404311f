"""Paired comparison of qualities, over the samples that both ran."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.tasks.metrics.chance import SIGNIFICANCE, sign_test
from edgerig.tasks.metrics.functions import wilson_interval

Array = NDArray[Any]


class Answers(msgspec.Struct, frozen=True):
    """The predictions of one cell: positions of its samples in the test split, labels, predicted classes; each (n,)."""

    cell: str
    indices: Array
    labels: Array
    predictions: Array


class Paired(msgspec.Struct, frozen=True, kw_only=True):
    """One cell's accuracy on the ``samples`` that it shares with the baseline, and its paired comparison with that.

    Attributes:
        errors, baseline_errors: Wrong predictions of either. accuracy, low, high: share of the cell's correct ones with
            Wilson's 95 % interval.
        lost: Samples that only the baseline predicts correctly; ``gained``: those that only this cell does.
        ratio: Errors relative to the baseline's; None where the baseline makes none.
        p: Two-sided p of McNemar's test for equal accuracy.
    """

    cell: str
    samples: int
    errors: int
    baseline_errors: int
    accuracy: float
    low: float
    high: float
    lost: int
    gained: int
    ratio: float | None
    p: float

    @property
    def different(self) -> bool:
        """Whether the difference is significant at 5 %."""
        return self.p < SIGNIFICANCE


def answers_of(cell: str, arrays: Mapping[str, Array]) -> Answers | None:
    """The labelled predictions of a cell, from its raw arrays; None where there are none, or their shapes differ."""
    try:
        indices, labels, predictions = (np.asarray(arrays[name]) for name in ("indices", "labels", "predictions"))
    except KeyError:
        return None
    series = (indices, labels, predictions)
    if not all(
        answers.ndim == 1 and answers.shape == indices.shape and answers.dtype.kind in "iu" for answers in series
    ):
        return None
    known = labels >= 0
    if not known.any() or len(np.unique(indices)) != len(indices):
        return None
    return Answers(cell, indices[known], labels[known], predictions[known])


def compare_with(series: Sequence[Answers], baseline: Answers) -> tuple[Paired, ...]:
    """Each of ``series`` against ``baseline`` on the samples that both ran; those that share none are left out.

    All are predictions for samples of the same test split.
    """
    return tuple(
        _paired(answers, baseline, shared) for answers in series if len(shared := shared_samples([answers, baseline]))
    )


def shared_samples(series: Sequence[Answers]) -> Array:
    """The sorted positions in the test split of the samples that all of ``series``, at least one, have run."""
    return reduce(lambda first, other: np.intersect1d(first, other, assume_unique=True), [s.indices for s in series])


def right_answers(answers: Answers, places: Array) -> NDArray[np.bool_]:
    """Whether each of the samples at ``places``, all of them its own, is predicted correctly; shape of ``places``."""
    return np.asarray(at(answers.labels, answers, places) == at(answers.predictions, answers, places))


def at(values: Array, answers: Answers, places: Array) -> Array:
    """Those of ``values``, one for each of ``answers``, that are of the samples at ``places``, all of them its own."""
    order = np.argsort(answers.indices)
    return np.asarray(values[order[np.searchsorted(answers.indices[order], places)]])


def _paired(answers: Answers, baseline: Answers, shared: Array) -> Paired:
    own, base = right_answers(answers, shared), right_answers(baseline, shared)
    n, errors, theirs = len(own), int((~own).sum()), int((~base).sum())
    lost, gained = int((base & ~own).sum()), int((own & ~base).sum())
    low, high = wilson_interval(n - errors, n)
    return Paired(
        cell=answers.cell,
        samples=n,
        errors=errors,
        baseline_errors=theirs,
        accuracy=(n - errors) / n,
        low=low,
        high=high,
        lost=lost,
        gained=gained,
        ratio=errors / theirs if theirs else None,
        p=sign_test(lost, gained),
    )
