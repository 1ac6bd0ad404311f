"""COCO's average precision and average recall (Lin et al., 2014, Microsoft COCO), out of `box_matching.Matches`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgerig.tasks.metrics.box_matching import AREAS, MOST_DETECTIONS, THRESHOLDS, Matches
from edgerig.tasks.metrics.boxes import Floats
from edgerig.tasks.metrics.precision_recall import (
    ClassMatches,
    class_matches,
    final_recall,
    interpolated_precision,
    weighted_precision,
    weighted_recall,
)

#: COCO's numbers of detections of an image and class, for average recall.
FEW_DETECTIONS = (1, 10)
#: Resamples of the bootstrap, and fewest of them.
RESAMPLES, FEWEST_RESAMPLES = 1000, 200
#: Detections, and objects at each threshold, that are weighed in all resamples together: a bound on time.
WEIGHED = 200_000_000
#: Numbers held for the resamples of one class that are computed at once: a bound on memory.
AT_ONCE = 2_000_000
#: Percentiles of the 95 % interval.
TAILS = (2.5, 97.5)
#: Where each threshold that has a metric of its own lies in `THRESHOLDS`.
_AT_50, _AT_75 = 0, 5


class Curves(NamedTuple):
    """Of each class, at each threshold: precision at each of `RECALLS`, (classes, thresholds, 101), and the recall."""

    precision: Floats
    recall: Floats


class AveragePrecision:
    """Average precision and recall of detections that were matched with objects.

    Args:
        matches: Of all images.
        classes: Number of classes.
    """

    def __init__(self, matches: Matches, classes: int) -> None:
        self.matches, self.classes = matches, classes
        self._parts: dict[tuple[int, int, int], ClassMatches] = {}

    def curves(self, area: int = 0, most: int = MOST_DETECTIONS) -> Curves:
        """Interpolated precision, and recall after the last detection, of each class at each threshold.

        Args:
            area: Which of `AREAS`.
            most: Detections of an image and class that are judged.
        """
        parts = [self._part(area, most, label) for label in range(self.classes)]
        return Curves(
            np.stack([interpolated_precision(part) for part in parts]), np.stack([final_recall(part) for part in parts])
        )

    def by_class(self) -> Floats:
        """Of each class, over all areas: mean precision over thresholds, at 0.5 and at 0.75; (classes, 3)."""
        precision = self.curves().precision
        return np.stack([precision.mean((1, 2)), precision[:, _AT_50].mean(-1), precision[:, _AT_75].mean(-1)], axis=-1)

    def summary(self) -> dict[str, float]:
        """COCO's twelve numbers, by name; NaN where none of the classes has an object that has to be found.

        ``map`` is the mean of precision over classes, recalls and thresholds from 0.50 to 0.95; ``map_50`` and
        ``map_75`` that at one threshold; ``map_small`` .. that of objects in a range of areas; ``mar_1`` .. the mean
        over classes and thresholds of the recall with so many detections of an image and class.
        """
        once = np.ones((1, 1 + self._last_image()))
        return {name: float(values[0]) for name, values in self.weighted(once).items()}

    def weighted(self, weights: NDArray[Any]) -> dict[str, Floats]:
        """The numbers of `summary` for images that count several times or not at all.

        Args:
            weights: How often each image counts, (resamples, images).

        Returns:
            By name, (resamples,) each.
        """
        values: dict[str, Floats] = {}
        recalls: dict[str, Floats] = {}
        for area, name in enumerate(AREAS):
            end = "" if name == "all" else f"_{name}"
            precision = self._of_classes(weighted_precision, area, MOST_DETECTIONS, weights)
            values[f"map{end}"] = _mean(precision)
            if name == "all":
                values["map_50"] = _mean(precision[:, :, _AT_50 : _AT_50 + 1])
                values["map_75"] = _mean(precision[:, :, _AT_75 : _AT_75 + 1])
            for most in (*(FEW_DETECTIONS if name == "all" else ()), MOST_DETECTIONS):
                recalls[f"mar{end or f'_{most}'}"] = _mean(self._of_classes(weighted_recall, area, most, weights))
        return {**values, **recalls}

    def comparable(self) -> dict[str, Callable[[NDArray[Any]], Floats]]:
        """Those of the numbers of `weighted` that are reported, each by itself, by name; of weights as there."""

        def of(
            metric: Callable[[ClassMatches, NDArray[Any]], Floats], area: int, chosen: slice
        ) -> Callable[[NDArray[Any]], Floats]:
            def weigh(weights: NDArray[Any]) -> Floats:
                parts = np.array_split(weights, 1 + len(weights) * len(self.matches.image) // AT_ONCE)
                values = [_mean(self._of_classes(metric, area, MOST_DETECTIONS, part)[..., chosen]) for part in parts]
                return np.concatenate(values)

            return weigh

        every = slice(None)
        numbers = {
            "map" if name == "all" else f"map_{name}": of(weighted_precision, area, every)
            for area, name in enumerate(AREAS)
        }
        at = {"map_50": slice(_AT_50, _AT_50 + 1), "map_75": slice(_AT_75, _AT_75 + 1)}
        numbers |= {name: of(weighted_precision, 0, chosen) for name, chosen in at.items()}
        return {**numbers, f"mar_{MOST_DETECTIONS}": of(weighted_recall, 0, every)}

    def intervals(self, images: int, seed: int = 0) -> dict[str, tuple[float, float]]:
        """The 95 % interval of each number of `summary`, by the percentile bootstrap over images (Efron, 1979).

        Images are drawn with replacement, with the matches within them: the boxes of an image are not independent.

        Args:
            images: Number of images, those without any box among them.
            seed: Of the drawing.

        Returns:
            The bounds by name; none for fewer than 2 images, and none of a number that less than 95 % of the resamples
            define.
        """
        if images < 2:
            return {}
        drawn: dict[str, list[Floats]] = {}
        cost = len(self.matches.image) + len(THRESHOLDS) * len(self.matches.object_image)
        largest = max(images, int(np.bincount(self.matches.label, minlength=1).max()))
        for weights in _resamples(cost, largest, images, seed):
            for name, values in self.weighted(weights).items():
                drawn.setdefault(name, []).append(values)
        intervals = {}
        for name, parts in drawn.items():
            values = np.concatenate(parts)
            known = values[np.isfinite(values)]
            if len(known) >= 0.95 * len(values):
                low, high = np.percentile(known, TAILS)
                intervals[name] = float(low), float(high)
        return intervals

    def _of_classes(
        self, metric: Callable[[ClassMatches, NDArray[Any]], Floats], area: int, most: int, weights: NDArray[Any]
    ) -> Floats:
        """Shape (resamples, classes, thresholds)."""
        parts = [self._part(area, most, label) for label in range(self.classes)]
        return np.stack([metric(part, weights) for part in parts], axis=1)

    def _part(self, area: int, most: int, label: int) -> ClassMatches:
        """Sorted once: a bootstrap asks for it many times."""
        key = area, most, label
        if key not in self._parts:
            self._parts[key] = class_matches(self.matches, *key)
        return self._parts[key]

    def _last_image(self) -> int:
        return int(max(self.matches.image.max(initial=0), self.matches.object_image.max(initial=0)))


def _resamples(cost: int, held: int, images: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """How often each image is drawn, (some resamples, images).

    Args:
        cost: Of a resample: the more, the fewer of them. held: Numbers held for each that is computed at once.
        images: Number of images. seed: Of the drawing.
    """
    left = int(np.clip(WEIGHED // max(1, cost), FEWEST_RESAMPLES, RESAMPLES))
    at_once = int(np.clip(AT_ONCE // max(1, held), 1, left))
    rng = np.random.Generator(np.random.PCG64(seed))
    while left > 0:
        count = min(left, at_once)
        yield np.stack([np.bincount(rng.integers(0, images, images), minlength=images) for _ in range(count)])
        left -= count


def _mean(values: Floats) -> Floats:
    """Over classes and thresholds of (resamples, classes, thresholds), where they are defined."""
    defined = np.isfinite(values)
    count = defined.sum((1, 2))
    total = np.where(defined, values, 0.0).sum((1, 2))
    return np.asarray(np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0))
