"""From a device's raw outputs to quality metrics, and to the comparison with the float model."""

from __future__ import annotations

import base64
import math

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from edgerig.artifact import Artifact
from edgerig.datasets.base import Dataset, Samples
from edgerig.engine.caveats import judge_agreement, judge_answers, judge_outputs, why_vacuous
from edgerig.measure.kinds import Unavailable
from edgerig.results.pictures import picture_of
from edgerig.results.types import Agreement, ClassQuality, Disagreement, MetricValue, Quality
from edgerig.tasks.metrics import ConfusionMatrix, PrecisionRecallF1

Scores = NDArray[np.float32]


def judge_quality(
    dataset: Dataset, scores: Scores, labels: NDArray[np.int64], samples: Samples | None = None
) -> Quality:
    """Quality of ``scores``, shape (n, classes), against ``labels``, shape (n,), of ``samples``.

    Unavailable where an output is NaN: NaN has no order, so it predicts no class. Where only some samples have a label,
    the quality is that of those.
    """
    metrics = dataset.metrics()
    warnings = judge_outputs(scores, samples)
    known = labels >= 0
    if not metrics or np.isnan(scores).any() or not known.any():
        return Quality(samples=len(labels), warnings=tuple(warnings))
    scores, labels = scores[known], labels[known]
    values = []
    for metric in metrics:
        metric.update(scores, labels)
        value = metric.compute()
        if value is None or not math.isfinite(value):
            continue  # such as the AUC when all samples are of one class
        low, high = metric.interval() or (None, None)
        values.append(
            MetricValue(
                name=metric.name,
                value=value,
                higher_is_better=metric.higher_is_better,
                unit=metric.unit,
                low=low,
                high=high,
            )
        )
    count = len(dataset.classes)
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
        for i, name in enumerate(dataset.classes)
    )
    counts = confusion.compute()
    matrix = tuple(tuple(int(v) for v in row) for row in counts)
    warnings += judge_answers(counts, dataset.classes)
    return Quality(
        samples=len(labels), metrics=tuple(values), classes=classes, confusion=matrix, warnings=tuple(warnings)
    )


def tell_output(quality: Quality, artifact: Artifact) -> Quality:
    """``quality`` with the name of the scored output, where the network has several."""
    names = [spec.name for spec in artifact.outputs]
    others = [name for index, name in enumerate(names) if index != artifact.judged_output]
    if not others and not artifact.left_out:
        return quality
    return replace(quality, output=names[artifact.judged_output], others=(*others, *artifact.left_out))


def compare(
    scores: Scores, reference: Scores | Unavailable, source: str, samples: Samples, pictures: int
) -> Agreement | Unavailable:
    """Sample-by-sample comparison of ``scores`` with the reference's, both of shape (n, classes).

    Pictures of the first ``pictures`` disagreements are stored with it.
    """
    if isinstance(reference, Unavailable):
        return reference
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


def _picture(samples: Samples, index: int) -> str | None:
    data = picture_of(samples.raw(index))
    return base64.b64encode(data).decode() if data is not None else None
