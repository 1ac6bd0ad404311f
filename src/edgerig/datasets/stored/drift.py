"""How far two versions of a dataset are apart: differences with intervals, and which of them are worth a look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.datasets.stored.label_looks import LABEL_OF, LABEL_QUANTITIES, OBJECTS_OF, Grouped, absent
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
#: Numbers of a table of draws that are made at once: memory stays bounded however many pictures there are.
_DRAWN_AT_ONCE = 4_000_000


class Shift(msgspec.Struct, frozen=True):
    """A quantity's difference between two versions.

    Attributes:
        name: The quantity; ``class NAME`` for the share of a predicted class, and see `label_looks` for labels.
        earlier, later: Its means.
        low, high: Bounds of the 95 % percentile bootstrap interval of their difference, later minus earlier.
        effect: The difference in standard deviations of the earlier values; of a share the difference itself. None
            where the earlier values do not vary.
        drifted: Whether the interval is without 0, and the effect at least small.
        counts: Values of the earlier and of the later version.
        share: Whether it is the share of a class.
    """

    name: str
    earlier: float
    later: float
    low: float
    high: float
    effect: float | None
    drifted: bool
    counts: tuple[int, int]
    share: bool = False


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
    return [*result, *label_shifts(earlier.labels, later.labels, seed)]


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
    means = float(first.mean()), float(second.mean())
    return Shift(f"class {label}", *means, low, high, difference, drifted, counts, share=True)


def label_shifts(earlier: Mapping[str, Grouped], later: Mapping[str, Grouped], seed: int = 0) -> list[Shift]:
    """The differences of what pictures are labelled with; a class that one version lacks has a share of 0 there.

    Objects of one picture are alike: intervals are those of a bootstrap that draws pictures with all that is in them
    (Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8). The share of pixels of a class
    counts as drift by its standard deviations, that of objects or pictures by its points.
    """
    names = [*LABEL_QUANTITIES, *sorted({*earlier, *later} - LABEL_QUANTITIES.keys())]
    first, second = (
        {name: grouped for name in names if (grouped := side.get(name) or absent(side, name)) is not None}
        for side in (earlier, later)
    )
    shared = [
        name
        for name in names
        if name in first and name in second and min(len(np.unique(x[name].groups)) for x in (first, second)) >= FEWEST
    ]
    before = _drawn_means({name: first[name] for name in shared}, np.random.Generator(np.random.PCG64([seed, 0])))
    after = _drawn_means({name: second[name] for name in shared}, np.random.Generator(np.random.PCG64([seed, 1])))
    return [_label_shift(name, first[name].values, second[name].values, after[name] - before[name]) for name in shared]


def _drawn_means(quantities: Mapping[str, Grouped], generator: np.random.Generator) -> dict[str, NDArray[np.float64]]:
    """The means of all values of the pictures that are drawn, with replacement, `RESAMPLES` times."""
    result: dict[str, NDArray[np.float64]] = {}
    for count in dict.fromkeys(each.count for each in quantities.values()):
        names = [name for name, each in quantities.items() if each.count == count]
        own = [quantities[name] for name in names]
        sums = np.stack([np.bincount(each.groups, each.values, count) for each in own], 1)
        sizes = np.stack([np.bincount(each.groups, minlength=count) for each in own], 1)
        means = []
        at_once = max(1, _DRAWN_AT_ONCE // count)
        for start in range(0, RESAMPLES, at_once):
            times = generator.multinomial(count, np.full(count, 1 / count), min(at_once, RESAMPLES - start))
            totals = times @ sizes
            # Draws without a value, of pictures that are nearly all empty, say nothing.
            means.append(np.divide(times @ sums, totals, out=np.full(totals.shape, np.nan), where=totals > 0))
        result.update(zip(names, np.concatenate(means).T, strict=True))
    return result


def _label_shift(
    name: str, before: NDArray[np.float64], after: NDArray[np.float64], differences: NDArray[np.float64]
) -> Shift:
    outside = (1 - CONFIDENCE) / 2
    low, high = (float(bound) for bound in np.nanquantile(differences, [outside, 1 - outside]))
    means = float(before.mean()), float(after.mean())
    share = name.startswith((OBJECTS_OF, LABEL_OF))
    effect: float | None = means[1] - means[0]
    if not share:
        deviation = float(before.std(ddof=1))
        constant = deviation <= 1e-9 * max(1.0, float(np.abs(before).max()))
        effect = None if constant else (means[1] - means[0]) / deviation
    least = SMALL_SHARE if share else SMALL_EFFECT
    drifted = not low <= 0 <= high and (effect is None or abs(effect) >= least)
    return Shift(name, *means, low, high, effect, drifted, (len(before), len(after)), share=share)


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
