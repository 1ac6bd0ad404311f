"""COCO's average precision and average recall (Lin et al., 2014, Microsoft COCO), out of `box_matching.Matches`.

Precision of a class at a threshold is interpolated: at a recall r it is the highest precision at any recall >= r, and
its average is taken over 101 recalls, 0.00, 0.01, .. 1.00. What is not defined is NaN: a class without an object that
has to be found has no precision and no recall.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgerig.tasks.metrics.box_matching import AREAS, MOST_DETECTIONS, THRESHOLDS, Matches
from edgerig.tasks.metrics.boxes import Floats

#: Recalls at which precision is averaged.
RECALLS: Floats = np.linspace(0.0, 1.0, 101)
#: COCO's numbers of detections of an image and class, for average recall.
FEW_DETECTIONS = (1, 10)
#: Resamples of the bootstrap, fewest of them, and detections that are weighed in all of them together: a bound on time.
RESAMPLES, FEWEST_RESAMPLES, WEIGHED = 1000, 200, 40_000_000
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
        self._parts: dict[tuple[int, int, int], _ClassPart] = {}

    def curves(self, area: int = 0, most: int = MOST_DETECTIONS, weights: NDArray[Any] | None = None) -> Curves:
        """Interpolated precision, and recall after the last detection, of each class at each threshold.

        Args:
            area: Which of `AREAS`.
            most: Detections of an image and class that are judged.
            weights: How often each image counts, (images,); once each if not given.
        """
        thresholds = self.matches.matched.shape[1]
        precision = np.full((self.classes, thresholds, len(RECALLS)), np.nan)
        recall = np.full((self.classes, thresholds), np.nan)
        for label in range(self.classes):
            part = self._part(area, most, label)
            total = part.objects(weights)
            if total:
                recall[label], precision[label] = part.curve(total, weights)
        return Curves(precision, recall)

    def by_class(self) -> Floats:
        """Of each class, over all areas: mean precision over thresholds, at 0.5 and at 0.75; (classes, 3)."""
        precision = self.curves().precision
        return np.stack([precision.mean((1, 2)), precision[:, _AT_50].mean(-1), precision[:, _AT_75].mean(-1)], axis=-1)

    def summary(self, weights: NDArray[Any] | None = None) -> dict[str, float]:
        """COCO's twelve numbers, by name; NaN where none of the classes has an object that has to be found.

        ``map`` is the mean of precision over classes, recalls and thresholds from 0.50 to 0.95; ``map_50`` and
        ``map_75`` that at one threshold; ``map_small`` .. that of objects in a range of areas; ``mar_1`` .. the mean
        over classes and thresholds of the recall with so many detections of an image and class.

        Args:
            weights: How often each image counts, (images,); once each if not given.
        """
        values: dict[str, float] = {}
        recalls: dict[str, float] = {}
        for area, name in enumerate(AREAS):
            of_area = self.curves(area, weights=weights)
            end = "" if name == "all" else f"_{name}"
            values[f"map{end}"] = _mean(of_area.precision)
            if name == "all":
                values["map_50"] = _mean(of_area.precision[:, _AT_50])
                values["map_75"] = _mean(of_area.precision[:, _AT_75])
                for most in FEW_DETECTIONS:
                    recalls[f"mar_{most}"] = _mean(self.curves(area, most, weights).recall)
            recalls[f"mar{end or f'_{MOST_DETECTIONS}'}"] = _mean(of_area.recall)
        return {**values, **recalls}

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
        drawn: dict[str, list[float]] = {}
        for weights in _resamples(len(self.matches.image) * len(THRESHOLDS), images, seed):
            for name, value in self.summary(weights).items():
                drawn.setdefault(name, []).append(value)
        intervals = {}
        for name, values in drawn.items():
            known = np.asarray(values)[np.isfinite(values)]
            if len(known) >= 0.95 * len(values):
                low, high = np.percentile(known, TAILS)
                intervals[name] = float(low), float(high)
        return intervals

    def _part(self, area: int, most: int, label: int) -> _ClassPart:
        """Sorted once: a bootstrap asks for it a thousand times."""
        key = area, most, label
        if key not in self._parts:
            self._parts[key] = _part_of(self.matches, *key)
        return self._parts[key]


class _ClassPart(NamedTuple):
    """The detections of one class by falling score, (d,); right and wrong, (thresholds, d); its objects, (g,)."""

    image: NDArray[np.int64]
    right: Floats
    wrong: Floats
    object_image: NDArray[np.int64]

    def objects(self, weights: NDArray[Any] | None) -> float:
        return float(len(self.object_image) if weights is None else weights[self.object_image].sum())

    def curve(self, total: float, weights: NDArray[Any] | None) -> tuple[Floats, Floats]:
        """Recall (thresholds,), and precision (thresholds, 101)."""
        share = 1.0 if weights is None else weights[self.image].astype(np.float64)
        right, wrong = (np.cumsum(flags * share, axis=1) for flags in (self.right, self.wrong))
        recall = right / total
        precision = right / np.maximum(right + wrong, np.spacing(1))
        highest = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        interpolated = np.zeros((len(recall), len(RECALLS)))
        for row, reached in enumerate(recall):
            at = np.searchsorted(reached, RECALLS, side="left")
            known = at < reached.size
            interpolated[row, known] = highest[row, at[known]]
        return (recall[:, -1] if recall.shape[1] else np.zeros(len(recall))), interpolated


def _part_of(matches: Matches, area: int, most: int, label: int) -> _ClassPart:
    chosen = np.flatnonzero((matches.label == label) & (matches.rank < most))
    chosen = chosen[np.argsort(-matches.score[chosen], kind="stable")]
    matched, judged = matches.matched[area][:, chosen], ~matches.ignored[area][:, chosen]
    wanted = (matches.object_label == label) & ~matches.object_ignored[area]
    return _ClassPart(
        matches.image[chosen],
        (matched & judged).astype(np.float64),
        (~matched & judged).astype(np.float64),
        matches.object_image[wanted],
    )


def _resamples(cost: int, images: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """How often each image is drawn, (images,), in each resample; fewer of them the more each one costs."""
    count = int(np.clip(WEIGHED // max(1, cost), FEWEST_RESAMPLES, RESAMPLES))
    rng = np.random.Generator(np.random.PCG64(seed))
    for _ in range(count):
        yield np.bincount(rng.integers(0, images, images), minlength=images)


def _mean(values: Floats) -> float:
    defined = values[np.isfinite(values)]
    return float(defined.mean()) if defined.size else float("nan")
