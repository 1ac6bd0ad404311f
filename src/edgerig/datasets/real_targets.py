"""Real targets out of a user's arrays, checked, and their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.datasets.npz_file import ONE_EACH
from edgerig.errors import DatasetError
from edgerig.tasks.samples import TargetVariable


def checked_targets(y: NDArray[Any], name: str, count: int) -> NDArray[np.float64]:
    """The targets of ``count`` samples, shape (count, targets), from the array ``y`` that a message calls ``name``.

    NaN stands for a target that nobody knows.

    Raises:
        DatasetError: They are no real numbers of shape (n,) or (n, targets), infinite, or not as many as samples.
    """
    if y.ndim not in (1, 2) or y.dtype.kind not in "fiu" or 0 in y.shape[1:]:
        raise DatasetError(
            f"{name} is {y.dtype.name} of shape {list(y.shape)}; for a regression it must be numbers of shape (n,) or "
            "(n, targets)."
        )
    if len(y) != count:
        raise DatasetError(f"There are {count} samples, and {name} has {len(y)} rows of targets.", ONE_EACH)
    targets = y.reshape(len(y), -1).astype(np.float64)
    infinite = np.flatnonzero(np.isinf(targets).any(axis=1))
    if infinite.size:
        raise DatasetError(
            f"{name} is infinite for {infinite.size} of {len(y)} samples (the first is sample {infinite[0]}).",
            "Save NaN for what is not known.",
        )
    if len(y) and np.isnan(targets).any(axis=1).all():
        raise DatasetError(f"{name} has no sample with all of its targets: every row holds NaN.")
    return targets


def variables_of(count: int, names: Sequence[str], units: Sequence[str], where: str) -> tuple[TargetVariable, ...]:
    """Names and units of ``count`` targets; numbered where no names are given; one unit is that of all.

    Raises:
        DatasetError: Names or units are not as many as targets, or names are used twice.
    """
    if (names and len(names) != count) or len(set(names)) != len(names):
        raise DatasetError(
            f"{where} has {count} targets, and the names {', '.join(names)} were given.",
            "Give each target a name of its own, in the order of y's columns.",
        )
    if len(units) not in (0, 1, count):
        raise DatasetError(
            f"{where} has {count} targets, and {len(units)} units were given.",
            "Give one unit for all, or one for each.",
        )
    numbered = names or (["target"] if count == 1 else [f"target {i + 1}" for i in range(count)])
    spread = tuple(units) * count if len(units) == 1 else tuple(units) or ("",) * count
    return tuple(TargetVariable(name, unit) for name, unit in zip(numbered, spread, strict=True))
