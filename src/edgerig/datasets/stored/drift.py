"""How far two versions of a dataset are apart: differences with intervals, and which of them are worth a look."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.datasets.stored.looks import Looks

#: Resamples of an interval, and the share of them within it.
RESAMPLES, CONFIDENCE = 2000, 0.95
#: Difference of means in standard deviations from which on it counts: Cohen's small effect (Statistical Power Analysis
#: for the Behavioral Sciences, 1988).
SMALL_EFFECT = 0.2
#: Difference of shares of a class from which on it counts.
SMALL_SHARE = 0.05
#: Fewest values on each side; of fewer nothing is said.
FEWEST = 5


class Shift(msgspec.Struct, frozen=True):
    """A quantity's difference between two versions.

    Attributes:
        name: The quantity; ``class NAME`` for the share of a predicted class.
        earlier, later: Its means.
        low, high: Bounds of the 95 % percentile bootstrap interval of their difference, later minus earlier.
        effect: The difference in standard deviations of the earlier values; of a share the difference itself. None
            where the earlier values do not vary.
        drifted: Whether the interval is without 0, and the effect at least small.
        counts: Values of the earlier and of the later version.
    """

    name: str
    earlier: float
    later: float
    low: float
    high: float
    effect: float | None
    drifted: bool
    counts: tuple[int, int]


def shifts(earlier: Looks, later: Looks, seed: int = 0) -> list[Shift]:
    """The differences of all quantities that both versions have, in the order of their names' declaration.

    Intervals take pictures for independent of each other. Frames of one camera that follow one another are alike: for
    them intervals are too narrow.
    """
    result = [
        _shift_of_values(name, earlier.values[name], later.values[name], seed)
        for name in earlier.values
        if name in later.values and min(len(earlier.values[name]), len(later.values[name])) >= FEWEST
    ]
    if min(len(earlier.predictions), len(later.predictions)) >= FEWEST:
        for label in sorted({*earlier.predictions, *later.predictions}):
            result.append(_shift_of_share(label, earlier.predictions, later.predictions, seed))
    return result


def _shift_of_values(name: str, earlier: NDArray[np.float64], later: NDArray[np.float64], seed: int) -> Shift:
    low, high = _interval(earlier, later, seed)
    deviation = float(earlier.std(ddof=1))
    difference = float(later.mean() - earlier.mean())
    # Rounding makes a deviation of 1e-17 of values that are all the same.
    constant = deviation <= 1e-9 * max(1.0, float(np.abs(earlier).max()))
    effect = None if constant else difference / deviation
    apart = not low <= 0 <= high
    drifted = apart and (effect is None or abs(effect) >= SMALL_EFFECT)
    counts = (len(earlier), len(later))
    return Shift(name, float(earlier.mean()), float(later.mean()), low, high, effect, drifted, counts)


def _shift_of_share(label: str, earlier: Sequence[str], later: Sequence[str], seed: int) -> Shift:
    first, second = (np.array([each == label for each in side], np.float64) for side in (earlier, later))
    low, high = _interval(first, second, seed)
    difference = float(second.mean() - first.mean())
    drifted = not low <= 0 <= high and abs(difference) >= SMALL_SHARE
    counts = (len(first), len(second))
    return Shift(f"class {label}", float(first.mean()), float(second.mean()), low, high, difference, drifted, counts)


def _interval(earlier: NDArray[np.float64], later: NDArray[np.float64], seed: int) -> tuple[float, float]:
    """Bounds of the percentile bootstrap interval of the difference of two means (Efron, 1979)."""
    generator = np.random.Generator(np.random.PCG64(seed))
    means = [
        np.array([values[generator.integers(0, len(values), len(values))].mean() for _ in range(RESAMPLES)])
        for values in (earlier, later)
    ]
    outside = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means[1] - means[0], [outside, 1 - outside])
    return float(low), float(high)
