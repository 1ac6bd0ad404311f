"""TFLite_Detection_PostProcess, the end of detectors of one shot (SSD)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from edgerig.micro.ir.core import Node, Sizes, Value
from edgerig.micro.ir.operators.reader import OperatorReader
from edgerig.micro.ir.operators.record import OperatorRecord, Row

NAME = "TFLite_Detection_PostProcess"
#: Detections of each class where the file does not say.
_OF_EACH_CLASS = 100


@dataclass(eq=False)
class DetectionPostProcess(Node):
    """Boxes of anchors, of which those that overlap a better one are dropped.

    Inputs:
        Box encodings (1, anchors, 4 or more) - centre y and x, height and width, relative to the anchor -, scores (1,
        anchors, classes, or one more for the background in front), and the anchors (anchors, 4).

    Outputs:
        Boxes (1, n, 4) from top left to bottom right, classes and scores (1, n), and how many there are (1,); all
        float32. n is ``most * classes_of_each``; what is beyond their number is 0.

    Attributes:
        most: Boxes that are kept.
        classes_of_each: Best classes that are told of each box; boxes are compared by their best class alone, unless
            ``regular``.
        of_each_class: Boxes of each class, where ``regular``.
        threshold: Scores below it do not count.
        overlap: Intersection over union above which the worse box is dropped.
        classes: Without the background.
        scales: Divisors of centre y and x, height and width.
        regular: Each class by itself.
    """

    op: ClassVar[str] = NAME
    most: int = 0
    classes_of_each: int = 1
    of_each_class: int = _OF_EACH_CLASS
    threshold: float = 0.0
    overlap: float = 0.0
    classes: int = 0
    scales: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)
    regular: bool = False

    @property
    def scores(self) -> Value:
        """(1, anchors, classes), or with the background in front."""
        return self.inputs[1]

    @property
    def anchors(self) -> Value:
        """(anchors, 4)."""
        return self.inputs[2]

    @property
    def background(self) -> int:
        """Classes in front that do not count."""
        return self.scores.shape[2] - self.classes

    @property
    def macs(self) -> int:
        return 0

    def output_shapes(self) -> tuple[Sizes, ...]:
        count = self.most * self.classes_of_each
        return (1, count, 4), (1, count), (1, count), (1,)


def post_process(reader: OperatorReader) -> Node:
    """Reads TFLite_Detection_PostProcess."""
    boxes, scores = reader.rank(reader.input(0), 3), reader.rank(reader.input(1), 3)
    anchors = reader.rank(reader.input(2), 2)
    others = [value.dtype for value in (boxes, scores, anchors, *reader.outputs) if value.dtype != "float32"]
    if others:
        reader.refuse(f"it is {others[0]}; float32 is needed, behind a DEQUANTIZE")
    whole = ("max_detections", "max_classes_per_detection", "num_classes")
    most, each, classes = (_number(reader, key) for key in whole)
    of_each_class = _number(reader, "detections_per_class", _OF_EACH_CLASS)
    if min(most, each, classes, of_each_class) < 1 or each > classes:
        reader.wrong(f"keeps {most} boxes, {each} of {classes} classes each, {of_each_class} of a class")
    numbers = [
        float(reader.option(key, math.nan))
        for key in ("nms_score_threshold", "nms_iou_threshold", "y_scale", "x_scale", "h_scale", "w_scale")
    ]
    if not all(map(math.isfinite, numbers)) or 0 in numbers[2:]:
        reader.wrong("has a threshold or a scale that is no number, or a scale of 0")
    if not 0 < numbers[1] <= 1:
        reader.wrong(f"drops boxes that overlap by more than {numbers[1]:g}, which is no share")
    count = boxes.shape[1]
    if boxes.shape[0] != 1 or scores.shape[0] != 1:
        reader.refuse(f"its batch is {boxes.shape[0]}; only single samples are supported")
    fits = boxes.shape[2] >= 4 and scores.shape[1] == count and anchors.shape == (count, 4)
    if not fits or scores.shape[2] - classes not in (0, 1):
        shapes = ", ".join(str(list(value.shape)) for value in (boxes, scores, anchors))
        reader.wrong(f"has boxes, scores and anchors of {shapes} for {classes} classes")
    return DetectionPostProcess(
        *reader.parts(), most, each, of_each_class, numbers[0], numbers[1], classes, tuple(numbers[2:]),
        bool(reader.option("use_regular_nms", False)),
    )  # fmt: skip


def _number(reader: OperatorReader, key: str, default: int = 0) -> int:
    return int(reader.option(key, default))


RECORDS = (
    OperatorRecord(
        NAME, DetectionPostProcess, post_process,
        Row("", "yes", "one image; boxes of all classes together or of each by itself; equal scores in their order"),
        version=1,
    ),
)  # fmt: skip
