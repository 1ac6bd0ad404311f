"""What a report shows of detections: tables by class and by area, precision over recall, pictures with boxes."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgerig.tasks.box_outputs import detections_of
from edgerig.tasks.box_pictures import DETECTED, INVENTED, MATCHED, MISSED, draw_boxes
from edgerig.tasks.box_truth import objects_of
from edgerig.tasks.metrics.average_precision import AveragePrecision
from edgerig.tasks.metrics.box_matching import AREA_RANGES, AREAS, THRESHOLDS, match
from edgerig.tasks.metrics.precision_recall import RECALLS
from edgerig.tasks.pictures import picture_of
from edgerig.tasks.samples import LabelledSamples
from edgerig.views import Axis, Cell, Curve, Gallery, Heading, Item, Line, Table, View

Array = NDArray[Any]
#: Pictures of a gallery.
PICTURES = 8
#: Overlap from which an object counts as found in a picture.
FOUND_AT = 0.5
#: Thresholds that have a line of their own, by their position in `THRESHOLDS`.
LINES = (0, 5)


class Shown(NamedTuple):
    """What views are made of: class names, samples, kept detections and objects, lowest score in pictures."""

    classes: Sequence[str]
    samples: LabelledSamples
    detections: Array
    objects: Array
    confidence: float


def quality_views(shown: Shown, measured: AveragePrecision, values: Mapping[str, float]) -> tuple[View, ...]:
    """All views of a quality; ``values`` are those of `AveragePrecision.summary`."""
    gallery = _gallery(shown)
    views = _by_class(shown, measured), _by_area(measured, values), _precision_recall(measured)
    return (*views, *([gallery] if gallery.items else []))


def _by_class(shown: Shown, measured: AveragePrecision) -> Table:
    precision = measured.by_class()
    objects, detections = objects_of(shown.objects), detections_of(shown.detections)
    counts = [
        np.bincount(labels, minlength=len(shown.classes))
        for labels in (objects.label[~objects.crowd], detections.label[detections.score >= shown.confidence])
    ]
    rows = tuple(
        (name, *(_cell(value) for value in precision[label]), *(int(count[label]) for count in counts))
        for label, name in enumerate(shown.classes)
    )
    headings = (
        Heading("class"),
        Heading("AP", "1"),
        Heading("AP at 0.50", "1"),
        Heading("AP at 0.75", "1"),
        Heading("boxes"),
        Heading("detected"),
    )
    order = tuple(int(label) for label in np.argsort(precision[:, 0], kind="stable"))
    note = f"AP: mean over overlaps 0.50 to 0.95. Detected: with a score of {shown.confidence:g} or more."
    return Table("Average precision by class", headings, rows, note, order, "classes of lowest AP")


def _by_area(measured: AveragePrecision, values: Mapping[str, float]) -> Table:
    ends = ["" if name == "all" else f"_{name}" for name in AREAS]
    ignored = measured.matches.object_ignored
    rows = tuple(
        (name, _cell(values[f"map{end}"]), _cell(values[f"mar{end or '_100'}"]), int((~ignored[area]).sum()))
        for area, (name, end) in enumerate(zip(AREAS, ends, strict=True))
    )
    small, large = int(AREA_RANGES[1, 1]), int(AREA_RANGES[3, 0])
    note = f"Small: up to {small:,} square pixels of the image, large: from {large:,}. Crowds are left out."
    headings = (Heading("objects"), Heading("AP", "1"), Heading("AR", "1"), Heading("boxes"))
    return Table("Average precision and recall by area", headings, rows, note)


def _precision_recall(measured: AveragePrecision) -> Curve:
    precision = measured.curves().precision
    precision = precision[np.isfinite(precision).all(axis=(1, 2))].mean(axis=0)
    recalls = tuple(float(recall) for recall in RECALLS)
    lines = [Line("mean of 0.50 to 0.95", recalls, tuple(map(float, precision.mean(axis=0))))]
    lines += [Line(f"overlap {THRESHOLDS[row]:.2f}", recalls, tuple(map(float, precision[row]))) for row in LINES]
    return Curve(
        "Precision over recall",
        Axis("recall", "1"),
        Axis("precision", "1"),
        tuple(lines),
        "Mean over classes; precision at a recall is the highest at that recall or above.",
    )


def _gallery(shown: Shown) -> Gallery:
    """The images with the most differences first."""
    detections = detections_of(shown.detections)
    detections = detections.select(detections.score >= shown.confidence)
    objects = objects_of(shown.objects)
    matches = match(detections, objects, np.array([FOUND_AT]), AREA_RANGES[:1])
    images = len(shown.detections)
    missed = ~matches.object_matched[0, 0] & ~objects.crowd
    invented = ~matches.matched[0, 0]
    wrong = sum(np.bincount(image, minlength=images) for image in (objects.image[missed], matches.image[invented]))
    order = [int(image) for image in np.argsort(-wrong, kind="stable")]
    items = []
    for image in order[:PICTURES]:
        annotated, detected = np.flatnonzero(objects.image == image), np.flatnonzero(matches.image == image)
        items.append(
            _item(
                shown,
                image,
                (objects.box[annotated], objects.label[annotated], missed[annotated]),
                (detections.box[matches.source[detected]], matches.label[detected], invented[detected]),
                matches.score[detected],
            )
        )
    note = (
        "Annotated boxes are green where a detection of their class overlaps them by half or more, orange where none "
        "does; detections are blue where they find one, magenta where not. "
        f"Detections below a score of {shown.confidence:g} are left out; images with most differences come first."
    )
    return Gallery("Boxes in images", ("differences", "annotated", "detected"), tuple(items), images, note)


#: Boxes (m, 4), labels (m,), and which of them are a difference (m,).
Group = tuple[Array, Array, Array]


def _item(shown: Shown, image: int, annotated: Group, detected: Group, scores: Array) -> Item:
    def names(labels: Array) -> str:
        return ", ".join(shown.classes[int(label)] for label in labels) or "none"

    differences = [
        f"{word} {names(labels[wrong])}"
        for word, (_, labels, wrong) in (("missed:", annotated), ("not there:", detected))
        if wrong.any()
    ]
    answers = [f"{shown.classes[int(label)]} {score:.0%}" for label, score in zip(detected[1], scores, strict=True)]
    colours = [MISSED if wrong else MATCHED for wrong in annotated[2]]
    colours += [INVENTED if wrong else DETECTED for wrong in detected[2]]
    drawn = draw_boxes(shown.samples.raw(image), np.concatenate([annotated[0], detected[0]]), colours)
    data = None if drawn is None else picture_of(drawn)
    return Item(
        ("; ".join(differences) or "none", names(annotated[1]), ", ".join(answers) or "none"),
        None if data is None else base64.b64encode(data).decode(),
        "bad" if differences else "good",
    )


def _cell(value: float) -> Cell:
    return float(value) if np.isfinite(value) else None
