"""Quality of a cell: classes, confusion, and the comparison with the float model."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgerig.report.figures import same_class
from edgerig.report.model import AgreementView
from edgerig.results.types import CellResult, DatasetInfo
from edgerig.tasks.judgement import BY_CLASS, Agreement, Disagreement, MetricValue, Quality
from edgerig.tasks.metrics.chance import beats_majority, majority
from edgerig.views import Gallery, Heading, Item, Matrix, Table, Tone, View

_CONFUSED_PAIRS = 8
#: The verdicts on a mismatch, in words.
VERDICTS = {
    "worse": "became wrong",
    "better": "became right",
    "both wrong": "wrong either way",
    "unlabelled": "nobody knows which is right",
}


_TONES: dict[str, Tone] = {"worse": "bad", "better": "good"}


def primary(quality: Quality) -> MetricValue | None:
    """The main metric; see `Quality.main`."""
    return quality.main


def why_void(quality: Quality, dataset: DatasetInfo) -> str:
    """Why the accuracy is meaningless, for the middle of a sentence; empty where it is not."""
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


def quality_views(quality: Quality, dataset: DatasetInfo) -> tuple[View, ...]:
    """What the task shows, or for classes the most confused pairs, their table and the confusion matrix."""
    if quality.views:
        return quality.views
    views: list[View] = []
    if quality.confusion:
        matrix = np.asarray(quality.confusion, dtype=np.int64)
        names = tuple(class_name(index, dataset.classes) for index in range(len(matrix)))
        views += [_most_confused(matrix, names), *class_table(quality)]
        counts = tuple(tuple(int(count) for count in row) for row in matrix)
        title = "Confusion: rows are the true class, columns the prediction"
        return (*views, Matrix(title, names, names, counts))
    return class_table(quality)


def class_table(quality: Quality) -> tuple[Table, ...]:
    """The quality of each class, where there are classes.

    A class without samples has no recall, and one that is never predicted no precision: these are missing, not 0.
    """
    if not quality.classes:
        return ()
    predicted = np.asarray(quality.confusion).sum(axis=0) if quality.confusion else np.ones(len(quality.classes))
    headings = (Heading("class"), *(Heading(name, "1") for name in ("precision", "recall", "F1")), Heading("samples"))
    rows = tuple(
        (
            row.name,
            row.precision if predicted[index] else None,
            row.recall if row.support else None,
            row.f1 if row.support or predicted[index] else None,
            row.support,
        )
        for index, row in enumerate(quality.classes)
    )
    f1 = [-1.0 if math.isnan(row.f1) else row.f1 for row in quality.classes]
    order = tuple(sorted(range(len(rows)), key=lambda index: (not quality.classes[index].support, f1[index])))
    return (Table("By class", headings, rows, order=order, ordered_by="classes of lowest F1"),)


def _most_confused(matrix: NDArray[np.int64], names: Sequence[str]) -> Table:
    totals = matrix.sum(axis=1)
    off = matrix.copy()
    np.fill_diagonal(off, 0)
    order = np.argsort(off, axis=None, kind="stable")[::-1][:_CONFUSED_PAIRS]
    rows = tuple(
        (names[i], names[j], int(off[i, j]), float(off[i, j] / totals[i]))
        for i, j in (divmod(int(index), matrix.shape[1]) for index in order)
        if off[i, j] > 0
    )
    headings = (Heading("true class"), Heading("taken for"), Heading("samples"), Heading("of the class", "1"))
    return Table("Most confused", headings, rows)


def agreement_view(cell: CellResult, agreement: Agreement, dataset: DatasetInfo) -> AgreementView:
    """The comparison with the float model."""
    if agreement.alike != BY_CLASS:
        return AgreementView(
            reference=agreement.reference,
            samples=agreement.samples,
            same=same_class(cell),
            what=f"{agreement.alike}, against {agreement.reference}, over {agreement.samples:,} samples.",
            max_abs_error=agreement.max_abs_error,
            mean_abs_error=agreement.mean_abs_error,
            note="",
            errors=_errors(agreement),
            views=agreement.views,
        )
    total = max(round((1 - agreement.same_class) * agreement.samples), len(agreement.disagreements))
    labels = ("truth", "float says", "this says", "verdict", "sample")
    items = tuple(_item(sample, dataset) for sample in agreement.disagreements)
    return AgreementView(
        reference=agreement.reference,
        samples=agreement.samples,
        same=same_class(cell),
        max_abs_error=agreement.max_abs_error,
        mean_abs_error=agreement.mean_abs_error,
        what=f"of {agreement.samples:,} predictions are those of {agreement.reference}.",
        note=_agreement_note(agreement, dataset, total),
        errors=_errors(agreement),
        views=(Gallery("Samples that are judged differently", labels, items, total, _pictured(items)),)
        if items
        else (),
    )


def _pictured(items: Sequence[Item]) -> str:
    """How many have a picture, where some have none."""
    pictures = sum(item.picture is not None for item in items)
    if not 0 < pictures < len(items):
        return ""
    return f"Pictures of the first {pictures} are in the bundle; measure.pictures in the rig file says how many."


def _errors(agreement: Agreement) -> str:
    largest, mean = agreement.max_abs_error, agreement.mean_abs_error
    if largest is None or mean is None:
        return ""
    return f"Largest difference of an output {largest:.3g}, mean {mean:.3g}."


def _item(sample: Disagreement, dataset: DatasetInfo) -> Item:
    verdict = _verdict(sample, dataset)
    texts = (
        class_name(sample.label, dataset.classes) if _labelled(sample, dataset) else "unknown",
        class_name(sample.reference, dataset.classes),
        class_name(sample.predicted, dataset.classes),
        VERDICTS[verdict],
        f"{sample.index}",
    )
    return Item(texts, sample.picture, _TONES.get(verdict, "neutral"))


def _agreement_note(agreement: Agreement, dataset: DatasetInfo, total: int) -> str:
    if not total:
        return f"All {agreement.samples:,} predictions are the same."
    note = f"{total:,} of {agreement.samples:,} predictions differ."
    verdicts = [_verdict(sample, dataset) for sample in agreement.disagreements]
    unknown = verdicts.count("unlabelled")
    if unknown and unknown == len(verdicts):
        return note + " Nobody knows which is right: the samples have no labels."
    if total != len(verdicts):
        return note
    counts = f"{verdicts.count('worse')} became wrong, {verdicts.count('better')} became right"
    unlabelled = f", {unknown} have no label." if unknown else "."
    return f"{note} {counts}, {verdicts.count('both wrong')} are wrong either way{unlabelled}"


def _labelled(sample: Disagreement, dataset: DatasetInfo) -> bool:
    """Whether the class of the sample is known; labels of random inputs mean nothing."""
    return sample.label >= 0 and dataset.task != "none"


def _verdict(sample: Disagreement, dataset: DatasetInfo) -> str:
    if not _labelled(sample, dataset):
        return "unlabelled"
    if sample.reference == sample.label:
        return "worse"
    return "better" if sample.predicted == sample.label else "both wrong"
