"""Detection: boxes of objects in images, each with a class and a score."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Annotated, ClassVar, Literal

import msgspec
import numpy as np

from edgerig.artifact import TensorSpec
from edgerig.errors import DatasetError, IncompatibleError
from edgerig.measure.kinds import Unavailable
from edgerig.plugins import Settings
from edgerig.tasks.base import Array, Kept, Reference, Task
from edgerig.tasks.box_outputs import (
    KEPT_COLUMNS,
    LABEL,
    RELATIVE,
    SCORE,
    Form,
    Head,
    Layout,
    detect,
    detections_of,
    form_of,
    rows_of,
)
from edgerig.tasks.box_ssd import roles_of, rows_of_ssd
from edgerig.tasks.box_truth import ROW, THERE, objects_of, to_image
from edgerig.tasks.box_views import Shown, quality_views
from edgerig.tasks.caveats import VACUOUS, are_identical
from edgerig.tasks.evidence import Evidence, weighted
from edgerig.tasks.judgement import Agreement, MetricValue, Quality
from edgerig.tasks.metrics.average_precision import AveragePrecision
from edgerig.tasks.metrics.box_matching import AREA_RANGES, MOST_DETECTIONS, Objects, match
from edgerig.tasks.samples import LabelledSamples
from edgerig.tasks.tensors import NamedArrays

#: The numbers of COCO's twelve that are listed as metrics, the main one first.
LISTED = ("map", "map_50", "map_75", "map_small", "map_medium", "map_large", "mar_100")
#: Overlap from which two detections of one class are alike, and from which a picture shows an object as found.
ALIKE = 0.5
#: Sides, in pixels of a network's input, below which all boxes are taken for shares of it, or for logarithms.
SUSPICIOUS_SIDE = 4.0
#: Share of detections without an area from which that is said; a few are what rounding to int8 makes of small boxes.
MANY_WITHOUT_AREA = 0.1
#: Precision at an overlap of 0.5 below which that is looked at.
NEARLY_NOTHING = 0.01


class DetectionSettings(Settings, frozen=True, kw_only=True):
    """Settings of ``detection``."""

    head: Annotated[
        Head | None,
        msgspec.Meta(
            description="what the output holds: yolo (centre, sides, a score a class), yolo_objectness (with one score "
            "before them), yolox (the same as YOLOX exports it, undecoded) or boxes (two corners, score, class); "
            "recognized by its shape if not given, but for yolox"
        ),
    ] = None
    frame: Annotated[
        tuple[Annotated[int, msgspec.Meta(ge=1)], Annotated[int, msgspec.Meta(ge=1)]] | None,
        msgspec.Meta(description="height and width of the input of a yolox network, if it is no square"),
    ] = None
    layout: Annotated[
        Layout | None, msgspec.Meta(description="rows or columns, where either axis may hold the candidates")
    ] = None
    coordinates: Annotated[
        Literal["pixels", "relative"],
        msgspec.Meta(
            description="unit of boxes of a single output: pixels of the network's input, or shares of its sides "
            "(relative); those of four outputs are always shares, those of yolox pixels"
        ),
    ] = "pixels"
    scores: Annotated[
        str | None,
        msgspec.Meta(description="name of the scores among four outputs, where names do not tell them from classes"),
    ] = None
    first_class: Annotated[
        int,
        msgspec.Meta(description="number of the first class, where a network answers with class numbers", ge=0),
    ] = 0
    threshold: Annotated[float, msgspec.Meta(description="lowest score of a detection", ge=0, le=1)] = 0.001
    overlap: Annotated[
        float,
        msgspec.Meta(
            description="of two boxes of a class that overlap more, the better stays (suppression)", ge=0, le=1
        ),
    ] = 0.7
    most: Annotated[int, msgspec.Meta(description="detections of an image at most", ge=1, le=1000)] = MOST_DETECTIONS
    confidence: Annotated[
        float,
        msgspec.Meta(description="lowest score in pictures and in the comparison with the float model", ge=0, le=1),
    ] = 0.5


class Detection(Task):
    """Boxes in an image: predictions are (n, most, 7), what is right is packed by `edgerig.tasks.box_truth`.

    Kept of an image are its detections, at most as many as the setting ``most``, and its annotated boxes; both in
    pixels of the image as it was annotated.
    """

    name: ClassVar[str] = "detection"
    summary: ClassVar[str] = "boxes of objects, each with a class and a score; judged by COCO's average precision"
    one_output: ClassVar[bool] = False
    kept: ClassVar[tuple[str, ...]] = ("detections", "objects", "frames")
    identity: ClassVar[str] = "detections"
    Settings: ClassVar[type[Settings]] = DetectionSettings

    settings: DetectionSettings

    def check(self, outputs: Sequence[TensorSpec], judged: int, batch: int, left_out: Sequence[str] = ()) -> None:
        if not self.classes:
            raise IncompatibleError(
                f"Dataset {self.dataset!r} has no classes; detection takes one at least.",
                "Use a dataset with boxes: edgerig list datasets.",
            )
        if any(size < 1 for spec in outputs for size in spec.shape[1:]):
            return
        if len(outputs) == 1:
            self._form(outputs[0])
        else:
            roles_of(outputs, self.settings.scores)

    def check_truth(self, outputs: Sequence[TensorSpec], judged: int, truth: Array) -> None:
        self._check_packed(truth)

    def decode(self, outputs: NamedArrays, judged: int) -> Array:
        settings, relative = self.settings, self.settings.coordinates == "relative"
        specs = [
            TensorSpec(name=name, shape=values.shape, dtype="float32")
            for name, values in zip(outputs.names, outputs, strict=True)
        ]
        head: Head = "boxes"
        if len(outputs) == 1:
            form = self._form(specs[0])
            head, rows = form.head, rows_of(outputs[0], form, len(self.classes), settings.frame)
            relative = relative and head != "yolox"
        else:
            rows, relative = rows_of_ssd(outputs, roles_of(specs, settings.scores)), True
        if head == "boxes":
            rows = self._renumbered(rows)
        limits = {"threshold": settings.threshold, "overlap": settings.overlap}
        return np.stack([detect(row, head, most=settings.most, relative=relative, **limits) for row in rows])

    def keep(self, predictions: Array, truth: Array, reference: Array | None) -> dict[str, Array]:
        self._check_packed(truth)
        frames, objects = truth[:, 0], truth[:, 1:]
        return {"detections": _in_images(predictions, frames), "objects": objects.copy(), "frames": frames.copy()}

    def judge(self, kept: Kept, samples: LabelledSamples) -> Quality:
        detections, objects = detections_of(kept["detections"]), objects_of(kept["objects"])
        if not (~objects.crowd).any():
            return Quality(samples=len(samples), warnings=("No image has a box: there is nothing to judge by.",))
        measured = AveragePrecision(match(detections, objects), len(self.classes))
        values, intervals = measured.summary(), measured.intervals(len(samples))
        metrics = tuple(_value(name, values[name], intervals.get(name)) for name in LISTED if np.isfinite(values[name]))
        shown = Shown(self.classes, samples, kept["detections"], kept["objects"], self.settings.confidence)
        return Quality(
            samples=len(samples),
            metrics=metrics,
            warnings=tuple(self._doubts(kept, objects, samples, values["map_50"])),
            views=quality_views(shown, measured, values),
        )

    def compare(
        self, kept: Kept, reference: Reference, samples: LabelledSamples, pictures: int
    ) -> Agreement | Unavailable:
        floats = _in_images(reference.predictions, kept["frames"])
        ours, theirs = (self._confident(rows) for rows in (kept["detections"], floats))
        mine, wanted = detections_of(ours), detections_of(theirs)
        total = len(mine.score) + len(wanted.score)
        if not total:
            return Unavailable(
                f"{VACUOUS}neither network detects anything with a score of {self.settings.confidence:g} or more"
            )
        doubts = _constant(kept["detections"], samples)
        if doubts:
            return Unavailable(f"{VACUOUS}{doubts[0]}")
        none = np.zeros(len(wanted.label), bool)
        as_objects = Objects(wanted.image, wanted.label, wanted.box, none, np.prod(wanted.box[:, 2:], axis=1))
        alike = match(mine, as_objects, np.array([ALIKE]), AREA_RANGES[:1], self.settings.most)
        share = 2 * int(alike.matched.sum()) / total
        return Agreement(
            reference=reference.source,
            samples=len(samples),
            same_class=share,
            max_abs_error=None,
            mean_abs_error=None,
            alike=f"detections of score {self.settings.confidence:g} or more, of the same class and overlapping by "
            f"{ALIKE:g} or more",
        )

    def evidence(self, stored: Kept) -> Evidence | None:
        detections, objects = detections_of(stored["detections"]), objects_of(stored["objects"])
        n = len(stored["objects"])
        cost = 1 + (len(detections.score) + 10 * len(objects.label) + 20 * len(self.classes)) // (10 * max(1, n))

        @cache
        def numbers() -> dict[str, Callable[[Array], Array]]:
            return AveragePrecision(match(detections, objects), len(self.classes)).comparable()

        metrics = tuple(
            weighted(name, n, lambda weights, name=name: numbers()[name](weights), noun="images", cost=cost)  # type: ignore[misc]
            for name in LISTED
        )
        return Evidence(truth=stored["objects"], answers=stored["detections"], metrics=metrics)

    def _form(self, spec: TensorSpec) -> Form:
        return form_of(spec, len(self.classes), self.settings.head, self.settings.layout)

    def _renumbered(self, rows: Array) -> Array:
        """Rows of corners, score, class, (n, boxes, 6), with classes counted from 0.

        Raises:
            IncompatibleError: A class is none of the dataset's.
        """
        rows = rows.copy()
        rows[..., LABEL] -= self.settings.first_class
        labels = rows[..., LABEL][rows[..., SCORE] >= self.settings.threshold]
        strange = labels[(np.rint(labels) < 0) | (np.rint(labels) >= len(self.classes))]
        if strange.size:
            raise IncompatibleError(
                f"The network answers with class {strange[0] + self.settings.first_class:g}; dataset {self.dataset!r} "
                f"has {len(self.classes)} classes, counted from {self.settings.first_class}.",
                "Set 'first_class' of the task detection where it counts from 1, or 'numbers: ids' of dataset coco.",
            )
        return rows

    def _confident(self, rows: Array) -> Array:
        """Detections, (n, most, 6), without those of a lower score than the setting ``confidence``."""
        rows = rows.copy()
        rows[rows[..., 4] < self.settings.confidence, 5] = -1
        return rows

    def _check_packed(self, truth: Array) -> None:
        if truth.ndim != 3 or truth.shape[-1] != ROW:
            raise IncompatibleError(
                f"Dataset {self.dataset!r} has no boxes: what is right is of shape {list(truth.shape[1:])} a sample.",
                "Use a dataset with boxes: edgerig list datasets.",
            )
        labels = truth[:, 1:, 4][truth[:, 1:, THERE] > 0]
        if labels.size and not 0 <= labels.min() <= labels.max() < len(self.classes):
            raise DatasetError(
                f"A box of dataset {self.dataset!r} is of class {labels.max():g}, none of its {len(self.classes)}."
            )

    def _doubts(self, kept: Kept, objects: Objects, samples: LabelledSamples, precision: float) -> list[str]:
        doubts = list(_constant(kept["detections"], samples))
        there = kept["detections"][..., 5] >= 0
        if not there.any():
            doubts.append(f"The network detects nothing with a score of {self.settings.threshold:g} or more.")
        elif self.settings.coordinates == "pixels" and precision < NEARLY_NOTHING:
            scale = kept["frames"][:, None, 0:2]
            if (kept["detections"][..., 2:4] * scale)[there].max() < SUSPICIOUS_SIDE:
                doubts.append(
                    f"No detected box is wider or higher than {SUSPICIOUS_SIDE:g} pixels of the network's input: if it "
                    "gives shares of its sides, set coordinates of the task detection to relative; if it is YOLOX "
                    "without its decoding, set head to yolox."
                )
        without_area = there & (kept["detections"][..., 2:4] <= 0).any(axis=-1)
        if without_area.sum() > MANY_WITHOUT_AREA * there.sum():
            doubts.append(
                f"{without_area.sum():,} of {there.sum():,} detections have a side of 0 or less, and find nothing: do "
                "the numbers of a box stand in another order, or are they corners where centre and sides are due?"
            )
        count = np.bincount(objects.label[~objects.crowd], minlength=len(self.classes))
        missing = [name for name, boxes in zip(self.classes, count, strict=True) if not boxes]
        if missing:
            doubts.append(f"No box is of class {', '.join(map(repr, missing[:10]))}: it is left out of all means.")
        return doubts


def _in_images(predictions: Array, frames: Array) -> Array:
    """Predictions, (n, most, 7), with boxes in pixels of their images, as they are kept: (n, most, 6), float32."""
    relative, there = predictions[..., RELATIVE] > 0, predictions[..., LABEL] >= 0
    kept = predictions[..., :KEPT_COLUMNS].astype(np.float32)
    kept[..., :4] = np.where(there[..., None], to_image(predictions[..., :4], frames, relative=relative), 0)
    return kept


def _value(name: str, value: float, bounds: tuple[float, float] | None) -> MetricValue:
    low, high = bounds or (None, None)
    # Resampling repeats images, which can move all resamples to one side of the value.
    if low is not None and high is not None:
        low, high = min(low, value), max(high, value)
    return MetricValue(name=name, value=value, higher_is_better=True, low=low, high=high)


def _constant(detections: Array, samples: LabelledSamples) -> tuple[str, ...]:
    """That all of several images have the same detections, though they differ themselves."""
    if len(detections) < 2 or (detections != detections[0]).any() or (detections[..., 5] < 0).all():
        return ()
    if are_identical(samples):
        return (f"All {len(samples):,} samples are identical: what the network does with others is not known.",)
    return (
        f"The network's detections do not depend on its input: they are the same for all {len(samples):,} samples.",
    )
