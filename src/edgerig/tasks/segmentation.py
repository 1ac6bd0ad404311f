"""Segmentation: one of several classes a pixel."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, ClassVar

import msgspec
import numpy as np

from edgerig.artifact import TensorSpec
from edgerig.errors import DatasetError, IncompatibleError
from edgerig.measure.kinds import Unavailable
from edgerig.plugins import Settings
from edgerig.tasks.base import Array, Kept, Reference, Task
from edgerig.tasks.caveats import BY_CHANCE, VACUOUS, are_identical
from edgerig.tasks.class_maps import MOST_CLASSES, Layout, channel_axis, check_size, decode_scores, map_size
from edgerig.tasks.evidence import Evidence, sums_of, weighted
from edgerig.tasks.judgement import Agreement, MetricValue, Quality
from edgerig.tasks.map_views import map_gallery, small_copies
from edgerig.tasks.metrics import segmentation as metrics
from edgerig.tasks.metrics.segmentation import Counts, Floats
from edgerig.tasks.samples import LabelledSamples
from edgerig.tasks.tensors import NamedArrays
from edgerig.views import Heading, Matrix, Table, View

#: What two class maps have to share.
BY_PIXEL = "pixels of the same class"


class SegmentationSettings(Settings, frozen=True, kw_only=True):
    """Settings of ``segmentation``."""

    layout: Annotated[
        Layout | None,
        msgspec.Meta(description="nhwc or nchw, where both the last and the second axis may hold the classes"),
    ] = None
    threshold: Annotated[
        float, msgspec.Meta(description="of a single channel, above which a pixel is of class 1; 0 for logits")
    ] = 0.5
    background: Annotated[
        Annotated[int, msgspec.Meta(ge=0)] | None,
        msgspec.Meta(description="class that the foreground similarity leaves out"),
    ] = 0


class Segmentation(Task):
    """A class map an image: truth and predictions have the shape (n, H, W), a negative truth is ignored.

    Kept of an image are its confusion counts, (classes, classes), against the truth and against the float model's class
    map, the SHA-256 of its class map, 32 bytes, and small copies of mask and class map for the pictures of a report.
    """

    name: ClassVar[str] = "segmentation"
    summary: ClassVar[str] = "one class a pixel, by the highest of the network's scores"
    kept: ClassVar[tuple[str, ...]] = ("truth_counts", "reference_counts", "digest", "copies")
    identity: ClassVar[str] = "digest"
    Settings: ClassVar[type[Settings]] = SegmentationSettings

    settings: SegmentationSettings

    def check(self, outputs: Sequence[TensorSpec], judged: int, batch: int, left_out: Sequence[str] = ()) -> None:
        count = len(self.classes)
        if not 2 <= count <= MOST_CLASSES:
            raise IncompatibleError(
                f"Dataset {self.dataset!r} has {count} classes; segmentation takes 2 to {MOST_CLASSES}.",
                "Name the classes in the dataset's settings, the background among them.",
            )
        self._axis(outputs[judged].shape)

    def check_truth(self, outputs: Sequence[TensorSpec], judged: int, truth: Array) -> None:
        spec = outputs[judged]
        check_size(spec, map_size(spec.shape, self._axis(spec.shape)), truth.shape[1:], self.dataset)

    def decode(self, outputs: NamedArrays, judged: int) -> Array:
        values = outputs[judged]
        return decode_scores(values, self._axis(values.shape), self.settings.threshold)

    def keep(self, predictions: Array, truth: Array, reference: Array | None) -> dict[str, Array]:
        count = len(self.classes)
        if truth.shape != predictions.shape:
            raise IncompatibleError(
                f"The network's class maps are {list(predictions.shape[1:])}, the masks of dataset {self.dataset!r} "
                f"{list(truth.shape[1:])}.",
                "Let the preprocessing resize to the size of the network's output.",
            )
        if truth.size and truth.max() >= count:
            raise DatasetError(f"A mask of dataset {self.dataset!r} holds {truth.max()}, none of its {count} classes.")
        if reference is None:
            compared = np.zeros((len(predictions), count, count), np.int32)
        else:
            compared = metrics.pixel_counts(reference.astype(np.int16), predictions, count).astype(np.int32)
        return {
            "truth_counts": metrics.pixel_counts(truth, predictions, count).astype(np.int32),
            "reference_counts": compared,
            "digest": np.stack([_digest(prediction) for prediction in predictions]),
            "copies": small_copies(truth, predictions),
        }

    def judge(self, kept: Kept, samples: LabelledSamples) -> Quality:
        counts = kept["truth_counts"].astype(np.int64)
        total = counts.sum(axis=0)
        if not total.sum():
            nothing = "All pixels of all masks are ignored: there is nothing to judge by."
            return Quality(samples=len(samples), warnings=(nothing,))
        values = tuple(
            value for name, metric in self._shares().items() if (value := _value(name, metric, counts)) is not None
        )
        doubts = (*_constant(kept["digest"], samples), *self._doubts(total))
        gallery = map_gallery(kept["copies"], counts, self.classes, samples)
        return Quality(samples=len(samples), metrics=values, warnings=doubts, views=(*self._views(total), gallery))

    def compare(
        self, kept: Kept, reference: Reference, samples: LabelledSamples, pictures: int
    ) -> Agreement | Unavailable:
        counts = kept["reference_counts"].astype(np.int64).sum(axis=0)
        theirs, ours = counts.sum(axis=1), counts.sum(axis=0)
        total = int(counts.sum())
        if not total:
            return Unavailable("no pixel was compared")
        for whose, answers in (("the float model", theirs), ("this network", ours)):
            if (answers > 0).sum() == 1:
                name = self.classes[int(answers.argmax())]
                return Unavailable(f"{VACUOUS}{whose} predicts {name!r} for every pixel")
        if _constant(kept["digest"], samples):
            return Unavailable(f"{VACUOUS}the output of this network is the same for all {len(samples):,} samples")
        chance = float((theirs / total) @ (ours / total))
        share = f"{chance:.1%} of the pixels"
        doubts = (f"Most pixels are of one class: two unrelated networks would agree on {share}.",)
        return Agreement(
            reference=reference.source,
            samples=len(samples),
            same_class=float(metrics.pixel_accuracy(counts)),
            max_abs_error=None,
            mean_abs_error=None,
            warnings=doubts if chance > BY_CHANCE else (),
            alike=BY_PIXEL,
            views=(self._by_class("Overlap with the float model, by class", counts, "the float model's pixels"),),
        )

    def stored(self, kept: Kept, samples: LabelledSamples) -> dict[str, Array]:
        return {name: array for name, array in kept.items() if name != "copies"}

    def evidence(self, stored: Kept) -> Evidence | None:
        counts = stored["truth_counts"]
        cost = 1 + counts.shape[-1] ** 2 // 50
        metrics_ = tuple(
            weighted(name, len(counts), sums_of(counts, metric), cost=cost) for name, metric in self._shares().items()
        )
        return Evidence(truth=counts.sum(axis=-1), answers=stored["digest"], metrics=metrics_)

    def _axis(self, shape: tuple[int, ...]) -> int | None:
        return channel_axis(tuple(shape), len(self.classes), self.settings.layout)

    def _shares(self) -> dict[str, Callable[[Counts], Floats]]:
        shares: dict[str, Callable[[Counts], Floats]] = {
            "mean_iou": metrics.mean_iou,
            "mean_dice": metrics.mean_dice,
            "pixel_accuracy": metrics.pixel_accuracy,
            "similarity": metrics.similarity,
        }
        background = self.settings.background
        if background is not None and background < len(self.classes):
            shares["similarity_foreground"] = partial(metrics.similarity, background=background)
        return shares

    def _doubts(self, total: Counts) -> list[str]:
        truth, answers = total.sum(axis=1), total.sum(axis=0)
        missing = [name for name, pixels in zip(self.classes, truth, strict=True) if not pixels]
        doubts = []
        if missing:
            doubts.append(f"No pixel of the masks is of class {', '.join(map(repr, missing[:10]))}.")
        if (answers > 0).sum() == 1:
            doubts.append(f"The network answers {self.classes[int(answers.argmax())]!r} for every pixel.")
        best = int(truth.argmax())
        share, accuracy = truth[best] / truth.sum(), float(metrics.pixel_accuracy(total))
        if accuracy <= share:
            doubts.append(
                f"A pixel accuracy of {accuracy:.2%} is no better than guessing: always answering "
                f"{self.classes[best]!r} gives {share:.2%}."
            )
        return doubts

    def _views(self, total: Counts) -> tuple[View, ...]:
        rows = tuple(tuple(int(count) for count in row) for row in total)
        matrix = Matrix("Pixels by class", self.classes, self.classes, rows, note="Ignored pixels are left out.")
        return self._by_class("Overlap by class", total, "pixels"), matrix

    def _by_class(self, title: str, total: Counts, pixels: str) -> Table:
        iou, dice = metrics.iou_by_class(total), metrics.dice_by_class(total)
        rows = tuple(
            (name, *(float(share[i]) if np.isfinite(share[i]) else None for share in (iou, dice)), int(total[i].sum()))
            for i, name in enumerate(self.classes)
        )
        order = tuple(int(i) for i in np.argsort(np.where(np.isfinite(iou), iou, np.inf), kind="stable"))
        headings = (Heading("class"), Heading("IoU", "1"), Heading("Dice", "1"), Heading(pixels))
        return Table(title, headings, rows, order=order, ordered_by="classes of lowest IoU")


def _value(name: str, metric: Callable[[Counts], Floats], counts: Counts) -> MetricValue | None:
    """The metric over all images with its interval; None where it is not defined."""
    value = float(metric(counts.sum(axis=0)))
    if not np.isfinite(value):
        return None
    low, high = metrics.bootstrap_interval(counts, metric) or (None, None)
    # With few images, resampling can miss the value that all of them give.
    if low is not None and high is not None:
        low, high = min(low, value), max(high, value)
    return MetricValue(name=name, value=value, higher_is_better=True, low=low, high=high)


def _digest(prediction: Array) -> Array:
    data = np.ascontiguousarray(prediction, np.uint8)
    return np.frombuffer(hashlib.sha256(data.tobytes()).digest(), np.uint8)


def _constant(digests: Array, samples: LabelledSamples) -> tuple[str, ...]:
    """That all of several class maps are the same, though the samples are not."""
    if len(digests) < 2 or (digests != digests[0]).any():
        return ()
    if are_identical(samples):
        return (f"All {len(samples):,} samples are identical: what the network does with others is not known.",)
    return (f"The network's class map does not depend on its input: it is the same for all {len(samples):,} samples.",)
