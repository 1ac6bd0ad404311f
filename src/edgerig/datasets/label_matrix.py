"""Several labels a sample, out of a user's array of 0 and 1, checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.datasets.npz_file import ONE_EACH
from edgerig.errors import DatasetError


def checked_labels(y: NDArray[Any], name: str, count: int) -> NDArray[np.int8]:
    """What is right for ``count`` samples, shape (count, labels), from the array ``y`` that a message calls ``name``.

    1 where a label is present, 0 where it is not; -1 stands for a label that nobody knows.

    Raises:
        DatasetError: They are no integers or booleans of shape (n, labels), of other values, or not as many as samples.
    """
    if y.ndim != 2 or y.dtype.kind not in "iub" or 0 in y.shape:
        raise DatasetError(
            f"{name} is {y.dtype.name} of shape {list(y.shape)}; for several labels a sample it must be 0 or 1 in the "
            "shape (n, labels).",
            "Save y as integers, a column for each label; one class a sample is read by task classification.",
        )
    if len(y) != count:
        raise DatasetError(f"There are {count} samples, and {name} has {len(y)} rows of labels.", ONE_EACH)
    odd = np.argwhere((y != 0) & (y != 1) & (y.astype(np.int64) != -1))
    if len(odd):
        row, column = odd[0]
        raise DatasetError(
            f"{name} holds {y[row, column]} for sample {row}, label {column}.",
            "Save 1 where a label is present, 0 where it is not, and -1 where that is not known.",
        )
    return y.astype(np.int8)


def label_names(names: Sequence[str], count: int, where: str) -> tuple[str, ...]:
    """Names of ``count`` labels; numbered where none are given.

    Raises:
        DatasetError: They are more or fewer, or one is used twice.
    """
    if names and (len(names) != count or len(set(names)) != count):
        raise DatasetError(
            f"{where} has {count} labels, and the names {', '.join(names)} were given.",
            "Give each label a name of its own, in the order of y's columns.",
        )
    return tuple(names) or tuple(str(index) for index in range(count))
