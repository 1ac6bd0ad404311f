"""Quality of a cell: classes, confusion, and the comparison with the float model."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Sequence

import numpy as np

from edgerig.datasets.metrics.chance import beats_majority, majority
from edgerig.report.figures import same_class
from edgerig.report.limits import Budget, Limits
from edgerig.report.model import AgreementView, ClassRow, Confused, Confusion, Mismatch
from edgerig.results.types import Agreement, CellResult, DatasetInfo, Disagreement, MetricValue, Quality

_PNG = b"\x89PNG\r\n\x1a\n"
_CONFUSED_PAIRS = 8
#: What the verdict on a mismatch means, in words.
VERDICTS = {
    "worse": "became wrong",
    "better": "became right",
    "both wrong": "wrong either way",
    "unlabelled": "nobody knows which is right",
}


def primary(quality: Quality) -> MetricValue | None:
    """The metric that stands for the whole: accuracy, else the first."""
    for metric in quality.metrics:
        if metric.name.lower() == "accuracy":
            return metric
    return quality.metrics[0] if quality.metrics else None


def why_void(quality: Quality, dataset: DatasetInfo) -> str:
    """Why the accuracy tells nothing of the network, for the middle of a sentence; empty where it does."""
    if not quality.confusion:
        return ""
    confusion = np.asarray(quality.confusion, np.int64)
    labels, answers = confusion.sum(axis=1), confusion.sum(axis=0)
    if (labels > 0).sum() <= 1:
        return f"all samples are of class {class_name(int(labels.argmax()), dataset.classes)!r}"
    if (answers > 0).sum() <= 1:
        return f"it answers {class_name(int(answers.argmax()), dataset.classes)!r} for every sample"
    if not beats_majority(confusion):
        best = majority(confusion)
        name = class_name(best.label, dataset.classes)
        worse = np.trace(confusion) / confusion.sum() <= best.share
        verdict = "is no better than guessing" if worse else "cannot be told from guessing with so few samples"
        return f"its accuracy {verdict} (always answering {name!r} gives {best.share:.2%})"
    return ""


def class_name(index: int, names: Sequence[str]) -> str:
    """The name of a class, or its number where it has none."""
    return names[index] if 0 <= index < len(names) else str(index)


def class_rows(quality: Quality, limits: Limits) -> tuple[tuple[ClassRow, ...], str]:
    """The rows of the table of classes, and what was left out."""
    rows = tuple(ClassRow(row.name, row.precision, row.recall, row.f1, row.support) for row in quality.classes)
    if len(rows) <= limits.classes:
        return rows, ""
    note = f"The {limits.classes} classes of lowest F1, out of {len(rows):,}; results.json has all."
    return tuple(sorted(rows, key=lambda row: -1.0 if math.isnan(row.f1) else row.f1)[: limits.classes]), note


def confusion_of(quality: Quality, dataset: DatasetInfo, limits: Limits) -> Confusion | None:
    """The confusion matrix, or with too many classes the most confused pairs only."""
    if not quality.confusion:
        return None
    matrix = np.asarray(quality.confusion, dtype=np.int64)
    names = tuple(class_name(index, dataset.classes) for index in range(len(matrix)))
    totals = matrix.sum(axis=1)
    off = matrix.copy()
    np.fill_diagonal(off, 0)
    order = np.argsort(off, axis=None, kind="stable")[::-1][:_CONFUSED_PAIRS]
    worst = tuple(
        Confused(names[i], names[j], int(off[i, j]), float(off[i, j] / totals[i]))
        for i, j in (divmod(int(place), matrix.shape[1]) for place in order)
        if off[i, j] > 0
    )
    if len(matrix) > limits.classes:
        note = f"{len(matrix):,} classes are too many for a matrix; results.json has it."
        return Confusion((), (), worst, note)
    return Confusion(names, tuple(tuple(int(n) for n in row) for row in matrix), worst)


def agreement_view(
    cell: CellResult, agreement: Agreement, dataset: DatasetInfo, limits: Limits, budget: Budget
) -> AgreementView:
    """The comparison with the float model, with as many pictures as there is room for."""
    shown = agreement.disagreements[: limits.mismatches]
    mismatches, left_out = [], 0
    for one in shown:
        picture = _picture(one)
        if picture is not None and not budget.take(len(picture)):
            picture, left_out = None, left_out + 1
        mismatches.append(
            Mismatch(
                one.index,
                class_name(one.label, dataset.classes) if _labelled(one, dataset) else "unknown",
                class_name(one.reference, dataset.classes),
                class_name(one.predicted, dataset.classes),
                _verdict(one, dataset),
                picture,
            )
        )
    return AgreementView(
        reference=agreement.reference,
        samples=agreement.samples,
        same=same_class(cell),
        max_abs_error=agreement.max_abs_error,
        mean_abs_error=agreement.mean_abs_error,
        mismatches=tuple(mismatches),
        note=_agreement_note(agreement, dataset, len(shown), left_out),
    )


def _agreement_note(agreement: Agreement, dataset: DatasetInfo, shown: int, left_out: int) -> str:
    total = max(round((1 - agreement.same_class) * agreement.samples), len(agreement.disagreements))
    if not total:
        return f"All {agreement.samples:,} predictions are the same."
    note = f"{total:,} of {agreement.samples:,} predictions differ."
    verdicts = [_verdict(one, dataset) for one in agreement.disagreements]
    unknown = verdicts.count("unlabelled")
    if unknown and unknown == len(verdicts):
        note += " Nobody knows which is right: the samples have no labels."
    elif total == len(verdicts):
        note += (
            f" {verdicts.count('worse')} became wrong, {verdicts.count('better')} became right, "
            f"{verdicts.count('both wrong')} are wrong either way" + (f", {unknown} have no label." if unknown else ".")
        )
    if shown < total:
        note += f" The first {shown:,} are shown."
    if left_out:
        note += f" {left_out:,} pictures are left out to keep the report small."
    return note


def _labelled(one: Disagreement, dataset: DatasetInfo) -> bool:
    """Whether it is known which class the sample is of; labels of random numbers mean nothing."""
    return one.label >= 0 and dataset.task != "none"


def _verdict(one: Disagreement, dataset: DatasetInfo) -> str:
    if not _labelled(one, dataset):
        return "unlabelled"
    if one.reference == one.label:
        return "worse"
    return "better" if one.predicted == one.label else "both wrong"


def _picture(one: Disagreement) -> str | None:
    """The picture if it really is a PNG in base64; anything else must not reach a page."""
    if not one.picture:
        return None
    try:
        data = base64.b64decode(one.picture, validate=True)
    except (binascii.Error, ValueError):
        return None
    return one.picture if data.startswith(_PNG) else None
