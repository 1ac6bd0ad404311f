"""Classification: one of several classes a sample, by the highest of its scores."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import TensorSpec
from edgerig.measure.kinds import Unavailable
from edgerig.tasks.base import Array, Kept, Reference, Task
from edgerig.tasks.caveats import judge_agreement, judge_answers, judge_outputs, judge_ties, why_vacuous
from edgerig.tasks.evidence import ComparedMetric, Evidence, share_of, weighted
from edgerig.tasks.judgement import Agreement, ClassQuality, Disagreement, Quality
from edgerig.tasks.metrics import ConfusionMatrix, Metric, PrecisionRecallF1, classification_metrics
from edgerig.tasks.metrics.detection_curves import weighted_areas
from edgerig.tasks.metrics.functions import hits
from edgerig.tasks.metrics.labels import LabelCounts, mean_defined
from edgerig.tasks.metrics.labels import macro_f1 as mean_f1
from edgerig.tasks.outputs import check_scores
from edgerig.tasks.pictures import picture_of
from edgerig.tasks.samples import LabelledSamples
from edgerig.tasks.values import values_of

Scores = NDArray[np.float32]


class Classification(Task):
    """One label a sample. Kept are the scores, shape (n, classes)."""

    name: ClassVar[str] = "classification"
    summary: ClassVar[str] = "one class a sample, by the highest of the network's scores"

    def check(self, outputs: Sequence[TensorSpec], judged: int, batch: int, left_out: Sequence[str] = ()) -> None:
        check_scores(outputs, judged, batch, len(self.classes), self.dataset, left_out)

    def judge(self, kept: Kept, samples: LabelledSamples) -> Quality:
        metrics = self._metrics() if self._metrics else classification_metrics(self.classes)
        return judge_quality(metrics, self.classes, kept["scores"], samples.labels, samples)

    def compare(
        self, kept: Kept, reference: Reference, samples: LabelledSamples, pictures: int
    ) -> Agreement | Unavailable:
        return compare(kept["scores"], reference.predictions, reference.source, samples, pictures)

    def stored(self, kept: Kept, samples: LabelledSamples) -> dict[str, Array]:
        return arrays_of(kept["scores"], samples)

    def known(self, stored: Kept) -> NDArray[np.bool_]:
        return np.asarray(stored["labels"] >= 0)

    def evidence(self, stored: Kept) -> Evidence | None:
        predictions, labels = stored["predictions"], stored["labels"]
        metrics = [share_of("accuracy", predictions == labels)]
        if (scores := stored.get("scores")) is not None and np.isfinite(scores).all():
            metrics += _by_scores(scores, labels)
        return Evidence(truth=labels, answers=predictions, metrics=tuple(metrics), classes=True)


def _by_scores(scores: Scores, labels: NDArray[np.int64]) -> list[ComparedMetric]:
    """Those of `classification_metrics` that take scores of shape (n, classes), not answers alone."""
    classes = scores.shape[1]
    top = [share_of("top5_accuracy", hits(scores, labels, 5))] if classes > 5 else []
    confused = labels * classes + scores.argmax(axis=1)

    def f1(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        counts = np.stack([np.bincount(confused, row, classes * classes).astype(np.float64) for row in weights])
        parts = counts.reshape(-1, classes, classes)
        true = np.diagonal(parts, axis1=1, axis2=2)
        return np.asarray(mean_f1(LabelCounts(true, parts.sum(axis=1) - true, parts.sum(axis=2) - true)))

    def area(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        areas = [weighted_areas(scores[:, label], labels == label, weights) for label in range(classes)]
        return np.asarray(mean_defined(np.stack(areas, axis=-1)))

    return [
        *top,
        weighted("auc", len(labels), area, cost=classes),
        weighted("macro_f1", len(labels), f1, cost=1 + classes * classes // max(1, len(labels))),
    ]


def arrays_of(scores: Scores, samples: LabelledSamples) -> dict[str, Array]:
    """The arrays that a bundle stores of n samples with ``scores``, shape (n, classes)."""
    # A NaN output predicts no class.
    predictions = np.where(np.isnan(scores).any(axis=1), -1, scores.argmax(axis=1)).astype(np.int64)
    return {"scores": scores, "predictions": predictions, "labels": samples.labels}


def judge_quality(
    metrics: Sequence[Metric],
    names: Sequence[str],
    scores: Scores,
    labels: NDArray[np.int64],
    samples: LabelledSamples | None = None,
) -> Quality:
    """Quality of ``scores``, shape (n, classes), against ``labels``, shape (n,), of ``samples``.

    Unavailable where an output is NaN: NaN has no order, so it predicts no class. Where only some samples have a label,
    the quality is that of those.
    """
    warnings = judge_outputs(scores, samples)
    known = labels >= 0
    if not metrics or np.isnan(scores).any() or not known.any():
        return Quality(samples=len(labels), warnings=tuple(warnings))
    scores, labels = scores[known], labels[known]
    values = values_of(metrics, scores, labels)
    count = len(names)
    confusion = ConfusionMatrix(count)
    each = PrecisionRecallF1(count)
    confusion.update(scores, labels)
    each.update(scores, labels)
    columns = each.compute()
    classes = tuple(
        ClassQuality(
            name=name,
            precision=float(columns.precision[i]),
            recall=float(columns.recall[i]),
            f1=float(columns.f1[i]),
            support=int(columns.support[i]),
        )
        for i, name in enumerate(names)
    )
    counts = confusion.compute()
    matrix = tuple(tuple(int(v) for v in row) for row in counts)
    warnings += [*judge_answers(counts, names), *judge_ties(scores, labels)]
    return Quality(samples=len(labels), metrics=values, classes=classes, confusion=matrix, warnings=tuple(warnings))


def compare(
    scores: Scores, reference: Scores, source: str, samples: LabelledSamples, pictures: int
) -> Agreement | Unavailable:
    """Sample-by-sample comparison of ``scores`` with the reference's, both of shape (n, classes).

    Pictures of the first ``pictures`` disagreements are stored with it.
    """
    wrong = int((~np.isfinite(reference).all(axis=1)).sum())
    if wrong:
        return Unavailable(f"the outputs of {source} are inf or NaN in {wrong:,} of {len(reference):,} samples")
    if reference.shape != scores.shape:
        return Unavailable(f"the reference gives {reference.shape[1:]} values a sample, this one {scores.shape[1:]}")
    vacuous = why_vacuous(scores, reference, samples)
    if vacuous:
        return Unavailable(vacuous)
    ours, theirs = scores.argmax(axis=1), reference.argmax(axis=1)
    error = np.abs(scores.astype(np.float64) - reference)
    different = np.flatnonzero(ours != theirs)
    return Agreement(
        reference=source,
        samples=len(scores),
        same_class=1 - len(different) / len(scores),
        max_abs_error=float(error.max()),
        mean_abs_error=float(error.mean()),
        disagreements=tuple(
            Disagreement(
                index=int(i),
                label=int(samples.labels[i]),
                reference=int(theirs[i]),
                predicted=int(ours[i]),
                picture=_picture(samples, int(i)) if rank < pictures else None,
            )
            for rank, i in enumerate(different)
        ),
        warnings=tuple(judge_agreement(ours, theirs)),
    )


def _picture(samples: LabelledSamples, index: int) -> str | None:
    data = picture_of(samples.raw(index))
    return base64.b64encode(data).decode() if data is not None else None
