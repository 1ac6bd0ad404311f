"""Results of inferences, put together to those of whole samples, of which one may take several inferences."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.tasks.base import Task

Array = NDArray[Any]


class Portion(msgspec.Struct, frozen=True):
    """Results of n samples.

    Attributes:
        predictions: Of the samples, shape (n, ...).
        times_ns: Of their inferences, shape (m,).
        sound: Whether the outputs of a sample are finite, shape (n,).
        fit: Counts of how the values that were fed fit the inputs, a row for each inference's sample, see `Journal`.
    """

    predictions: Array
    times_ns: NDArray[np.int64]
    sound: NDArray[np.bool_]
    fit: NDArray[np.float64]


class WholeSamples:
    """Collects the results of inferences until those of whole samples are there.

    Args:
        task: Puts the predictions for the windows of a sample together.
        windows: Of the samples to come, shape (n,); None where each takes one inference, or shares one with others.
    """

    def __init__(self, task: Task, windows: NDArray[np.int64] | None) -> None:
        self._task, self._windows = task, windows
        self._waiting: list[Portion] = []

    def add(self, rows: Portion) -> Portion | None:
        """The samples that are whole after some more inferences; None if none is.

        Args:
            rows: Their results, with a prediction for each window.
        """
        if self._windows is None:
            return rows
        waiting = _joined([*self._waiting, rows])
        ends = np.cumsum(self._windows)
        whole = int(np.searchsorted(ends, len(waiting.times_ns), side="right"))
        count = int(ends[whole - 1]) if whole else 0
        windows, self._windows = self._windows[:whole], self._windows[whole:]
        self._waiting = [_rows(waiting, slice(count, None))]
        if not whole:
            return None
        done = _rows(waiting, slice(0, count))
        starts = np.cumsum(windows) - windows
        return msgspec.structs.replace(
            done,
            predictions=self._task.join(done.predictions, windows),
            sound=np.logical_and.reduceat(done.sound, starts),
        )


def joined_windows(task: Task, predictions: Array, windows: NDArray[np.int64] | None) -> Array:
    """Predictions for samples, out of those for their windows; the same where they have none."""
    return predictions if windows is None else task.join(predictions, windows)


def _joined(portions: list[Portion]) -> Portion:
    if len(portions) == 1:
        return portions[0]
    names = Portion.__struct_fields__
    return Portion(*(np.concatenate([getattr(portion, name) for portion in portions]) for name in names))


def _rows(portion: Portion, part: slice) -> Portion:
    return Portion(*(getattr(portion, name)[part] for name in Portion.__struct_fields__))
