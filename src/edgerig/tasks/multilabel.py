"""Several labels a sample, each present or not, by a score of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import TensorSpec
from edgerig.errors import DatasetError
from edgerig.measure.kinds import Unavailable
from edgerig.plugins import Settings
from edgerig.tasks.base import Array, Kept, Reference, Task
from edgerig.tasks.caveats import judge_outputs
from edgerig.tasks.differences import agreement_of, differences
from edgerig.tasks.evidence import Evidence, share_of, weighted
from edgerig.tasks.judgement import Agreement, MetricValue, Quality
from edgerig.tasks.metrics import wilson_interval
from edgerig.tasks.metrics.labels import (
    LabelCounts,
    average_precisions,
    counts_of,
    f1_by_label,
    macro_f1,
    mean_defined,
    micro_f1,
)
from edgerig.tasks.metrics.resampling import bounds_of, resamples_of
from edgerig.tasks.outputs import check_scores
from edgerig.tasks.samples import LabelledSamples
from edgerig.views import Heading, Table


class MultilabelSettings(Settings, frozen=True, kw_only=True):
    """Settings of ``multilabel``."""

    threshold: Annotated[float, msgspec.Meta(description="score from which on a label is predicted")] = 0.5


class Multilabel(Task):
    """Any number of labels a sample. Kept are the scores and what is right, each of shape (n, labels)."""

    name: ClassVar[str] = "multilabel"
    summary: ClassVar[str] = "several labels a sample, each present or not: mAP, micro and macro F1 at a threshold"
    Settings: ClassVar[type[Settings]] = MultilabelSettings
    kept: ClassVar[tuple[str, ...]] = ("label_scores", "present")
    identity: ClassVar[str] = "label_scores"

    settings: MultilabelSettings

    def check(self, outputs: Sequence[TensorSpec], judged: int, batch: int, left_out: Sequence[str] = ()) -> None:
        check_scores(outputs, judged, batch, len(self.classes), self.dataset, left_out)

    def keep(self, predictions: Array, truth: Array, reference: Array | None) -> dict[str, Array]:
        present = np.asarray(truth)
        if present.shape != predictions.shape or present.dtype.kind not in "iu" or present.max(initial=0) > 1:
            raise DatasetError(
                f"Dataset {self.dataset!r} gives {present.dtype.name} of shape {list(present.shape[1:])} as right; "
                f"task multilabel takes 0 or 1 for each of the {predictions.shape[1]} labels, or -1.",
                "Choose another task, or a dataset of several labels a sample.",
            )
        return {"label_scores": predictions, "present": present.astype(np.int8)}

    def judge(self, kept: Kept, samples: LabelledSamples) -> Quality:
        scores, truth = kept["label_scores"], kept["present"]
        warnings = judge_outputs(scores, samples)
        known = (truth >= 0).any(axis=1)
        if not known.any():
            return Quality(samples=0, warnings=(*warnings, "No sample has a label that is known: nothing is judged."))
        if not (truth >= 0).all():
            warnings.append(f"{int((truth < 0).sum()):,} of {truth.size:,} labels are not known and are not judged.")
        scores, truth, threshold = scores[known], truth[known], self.settings.threshold
        if scores.min() < 0 or scores.max() > 1:
            warnings.append(
                f"The scores reach from {scores.min():.3g} to {scores.max():.3g}, so they are no probabilities: the "
                f"threshold of {threshold:g} is held against them as they are."
            )
        counts, precisions = counts_of(scores, truth, threshold), average_precisions(scores, truth)
        absent = [name for name, value in zip(self.classes, precisions, strict=True) if np.isnan(value)]
        if absent:
            warnings.append(f"Nowhere present, and so left out of mAP: {', '.join(absent[:10])}.")
        return Quality(
            samples=len(truth),
            metrics=_metrics(scores, truth, threshold, counts, precisions),
            warnings=tuple(warnings),
            views=(_table(self.classes, counts, precisions, truth, threshold),),
        )

    def compare(
        self, kept: Kept, reference: Reference, samples: LabelledSamples, pictures: int
    ) -> Agreement | Unavailable:
        scores, other, threshold = kept["label_scores"], reference.predictions, self.settings.threshold
        difference = differences(scores, reference, samples)
        if isinstance(difference, Unavailable):
            return difference
        same = ((scores >= threshold) == (other >= threshold)).all(axis=1)
        return agreement_of(difference, reference, same, f"samples with the same labels at the threshold {threshold:g}")

    def known(self, stored: Kept) -> NDArray[np.bool_]:
        return np.asarray((stored["present"] >= 0).any(axis=1) & np.isfinite(stored["label_scores"]).all(axis=1))

    def evidence(self, stored: Kept) -> Evidence | None:
        scores, truth, threshold = stored["label_scores"], stored["present"], self.settings.threshold
        n, labels = truth.shape
        whole = (truth >= 0).all(axis=1)
        right = ((scores >= threshold) == (truth == 1)).all(axis=1)

        def precision(weights: Array) -> Array:
            return np.asarray(mean_defined(average_precisions(scores, truth, weights)))

        def f1(mean: Callable[[LabelCounts], Any], weights: Array) -> Array:
            return np.asarray(mean(counts_of(scores, truth, threshold, weights)))

        metrics = (
            weighted("map", n, precision, cost=labels),
            weighted("micro_f1", n, partial(f1, micro_f1), cost=labels),
            weighted("macro_f1", n, partial(f1, macro_f1), cost=labels),
            share_of("exact_match", right[whole]),
        )
        return Evidence(truth=truth, answers=scores, metrics=metrics)


def _metrics(
    scores: Array, truth: Array, threshold: float, counts: LabelCounts, precisions: NDArray[np.float64]
) -> tuple[MetricValue, ...]:
    """Those that are defined. mAP and F1 have intervals by bootstrap over samples, the exact match Wilson's."""
    parts, means = list[LabelCounts](), list[Array]()
    for weights in resamples_of(len(scores)):
        parts.append(counts_of(scores, truth, threshold, weights))
        means.append(mean_defined(average_precisions(scores, truth, weights)))
    resampled = LabelCounts(*(np.concatenate(series) for series in zip(*parts, strict=True)))
    metrics = []
    if np.isfinite(precisions).any():
        value = float(mean_defined(precisions))
        low, high = bounds_of(np.concatenate(means), value) or (None, None)
        metrics.append(MetricValue(name="map", value=value, higher_is_better=True, low=low, high=high))
    for name, mean in (("micro_f1", micro_f1), ("macro_f1", macro_f1)):
        value = float(mean(counts))
        if np.isfinite(value):
            low, high = bounds_of(mean(resampled), value) or (None, None)
            metrics.append(MetricValue(name=name, value=value, higher_is_better=True, low=low, high=high))
    whole = (truth >= 0).all(axis=1)
    if whole.any():
        right, total = int(((scores >= threshold) == (truth == 1))[whole].all(axis=1).sum()), int(whole.sum())
        low, high = wilson_interval(right, total)
        share = right / total
        metrics.append(
            MetricValue(
                name="exact_match", value=share, higher_is_better=True, low=min(low, share), high=max(high, share)
            )
        )
    return tuple(metrics)


def _table(
    names: Sequence[str], counts: LabelCounts, precisions: NDArray[np.float64], truth: Array, threshold: float
) -> Table:
    f1, rows = f1_by_label(counts), []
    for i, name in enumerate(names):
        true, false, missed = counts.true[i], counts.false[i], counts.missed[i]
        rows.append(
            (
                name,
                int((truth[:, i] == 1).sum()),
                _defined(float(precisions[i])),
                _defined(true / (true + false) if true + false else np.nan),
                _defined(true / (true + missed) if true + missed else np.nan),
                _defined(float(f1[i])),
            )
        )
    shares = [Heading(label, "1") for label in ("average precision", "precision", "recall", "F1")]
    order = tuple(int(i) for i in np.argsort(np.nan_to_num(f1, nan=-1.0), kind="stable"))
    note = f"Precision, recall and F1 at the threshold {threshold:g}."
    headings = (Heading("label"), Heading("present"), *shares)
    return Table("By label", headings, tuple(rows), note, order, "labels of lowest F1")


def _defined(value: float) -> float | str:
    return float(value) if np.isfinite(value) else "not defined"
