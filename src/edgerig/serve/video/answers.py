"""From a network's outputs to what is shown of a frame, decoded by the tasks themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Preprocessing
from edgerig.datasets.placement import Placement, frame_of
from edgerig.errors import InferenceError, UsageError
from edgerig.plugins import make
from edgerig.serve.video.task_guess import Guess, guess
from edgerig.tasks.base import Task
from edgerig.tasks.box_outputs import LABEL, RELATIVE, SCORE
from edgerig.tasks.box_truth import to_image
from edgerig.tasks.class_maps import channel_axis
from edgerig.tasks.tensors import NamedArrays
from edgerig.tensors import TensorSpec

Array = NDArray[Any]
#: Lowest score of a detection that is shown, where nobody says another.
THRESHOLD = 0.5
#: How far scores may be from a sum of 1 and still be taken for probabilities: int8 rounds each to 1/256.
SUM = 0.05
#: Pixels a side of the grid over a class map whose mean is its confidence: all of them would take longer than the mask.
GRID = 32
#: Classes up to which each is counted apart.
FEW = 12


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a network says of a frame.

    Attributes:
        confidence: From 0 to 1; None where it says nothing, such as no box. Of a class its probability; of a mask the
            mean probability of the pixels' classes; of boxes the score of the least certain one that is shown.
        scores: Probabilities of the classes, (classes,), of a classification.
        class_map: Class of each pixel of the output, (h, w), uint8, of a segmentation.
        boxes: Left, top, width, height in pixels of the frame, (m, 4), with ``box_scores`` and ``box_labels``, (m,).
    """

    confidence: float | None
    scores: NDArray[np.float32] | None = None
    class_map: NDArray[np.uint8] | None = None
    boxes: NDArray[np.float64] | None = None
    box_scores: NDArray[np.float32] | None = None
    box_labels: NDArray[np.int64] | None = None


class AnswerDecoder:
    """Decodes the outputs of one network.

    Args:
        outputs: The network's.
        judged: Index of the output that is judged.
        names: Names of the classes; empty where nobody tells them.
        task: The task's name; guessed from the outputs if None.
        settings: The task's, as a rig file has them.
        threshold: Lowest score of a detection that is shown.
        preprocessing: What is done to a frame, for boxes.

    Attributes:
        guess: The task, its classes, and why. names: One for each class.

    Raises:
        IncompatibleError: The outputs do not fit the task. UsageError: The labels are not as many as the classes.
    """

    def __init__(
        self,
        outputs: Sequence[TensorSpec],
        judged: int,
        preprocessing: Preprocessing,
        *,
        names: Sequence[str] = (),
        task: str | None = None,
        settings: Mapping[str, Any] | None = None,
        threshold: float = THRESHOLD,
    ) -> None:
        self.guess: Guess = guess(outputs, judged, len(names), task)
        self.names = tuple(names) or tuple(f"class {number}" for number in range(self.guess.classes))
        self._order, self._judged, self._preprocessing = [spec.name for spec in outputs], judged, preprocessing
        options = dict(settings or {})
        if self.guess.task == "detection":
            options.setdefault("threshold", threshold)
        plugin = make("task", self.guess.task, Task, options)
        self._task = type(plugin)(plugin.settings, classes=self.names, dataset="video")
        try:
            self._task.check(list(outputs), judged, 1)
        except UsageError as error:
            if not names:
                raise
            raise UsageError(error.message, f"There are {len(names)} labels: are they this network's?") from error
        self._probable: bool | None = None

    def __call__(self, outputs: Mapping[str, Array], height: int, width: int) -> Answer:
        """The answer for a frame of ``height`` by ``width`` pixels.

        Args:
            outputs: By name, real numbers, each of shape (1, ...).

        Raises:
            InferenceError: They hold NaN, which has no order.
        """
        arrays = NamedArrays([outputs[name] for name in self._order], self._order)
        predictions = self._task.decode(arrays, self._judged)[0]
        if self.guess.task == "segmentation":
            return Answer(class_map=predictions, confidence=self._map_confidence(arrays[self._judged][0]))
        if self.guess.task == "detection":
            return self._boxes(predictions, height, width)
        if not np.isfinite(predictions).all():
            raise InferenceError("The network's scores hold NaN or infinity: they tell no class.")
        scores = self._probabilities(predictions)
        return Answer(scores=scores, confidence=float(scores.max()))

    def _boxes(self, rows: Array, height: int, width: int) -> Answer:
        there = rows[:, LABEL] >= 0
        rows = rows[there]
        frame = np.asarray([frame_of(self._preprocessing, height, width)], np.float64)
        boxes = to_image(rows[None, :, :4], frame, relative=rows[None, :, RELATIVE] > 0)[0]
        scores = rows[:, SCORE]
        confidence = float(scores.min()) if len(scores) else None
        return Answer(boxes=boxes, box_scores=scores, box_labels=rows[:, LABEL].astype(np.int64), confidence=confidence)

    def _map_confidence(self, values: Array) -> float | None:
        """The mean probability of the classes of pixels on a grid."""
        axis = channel_axis((1, *values.shape), len(self.names), self._task.settings.layout)
        if axis is None or values.shape[axis - 1] == 1:
            flat = values.reshape(-1)
            sampled = flat[:: max(1, len(flat) // GRID**2)]
            # A threshold of 0 says that the single channel is a logit.
            logit = self._task.settings.threshold == 0
            share = 1 / (1 + np.exp(-sampled)) if logit else np.clip(sampled, 0, 1)
            best = np.maximum(share, 1 - share)
        else:
            scores = np.moveaxis(values, axis - 1, -1)
            step = [-(-size // GRID) for size in scores.shape[:2]]
            best = self._probabilities(scores[:: step[0], :: step[1]]).max(axis=-1)
        mean = float(np.mean(best))
        return mean if np.isfinite(mean) else None

    def _probabilities(self, scores: Array) -> NDArray[np.float32]:
        """Scores on the last axis as probabilities: themselves if they are that, else by softmax.

        The first frame decides for all, so that the same network is never read in two ways.
        """
        if self._probable is None:
            total = scores.sum(axis=-1)
            self._probable = bool(scores.min() >= 0 and scores.max() <= 1 and np.abs(total - 1).max() < SUM)
        if self._probable:
            return np.asarray(scores, np.float32)
        shifted = np.exp(scores - scores.max(axis=-1, keepdims=True))
        return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True), np.float32)


def shares_of(class_map: NDArray[np.uint8], classes: int) -> NDArray[np.float64]:
    """The share of each class in a class map, (classes,).

    >>> shares_of(np.array([[0, 1], [1, 1]], np.uint8), 3).tolist()
    [0.25, 0.75, 0.0]
    """
    if classes > FEW:
        counts = np.bincount(class_map.reshape(-1), minlength=classes)[:classes]
    else:
        # Compared a class at a time, in bytes: ten times as fast for few.
        counts = np.array([np.count_nonzero(class_map == number) for number in range(classes)])
    return np.asarray(counts / class_map.size)


def map_indices(at: Placement, height: int, width: int, size: tuple[int, int]) -> tuple[Array, Array]:
    """Row and column of a class map of ``size`` for each row and column of a frame; -1 where the frame was cropped.

    Args:
        at: Where the frame lies in the network's input. height, width: Of the frame, in pixels.
    """
    rows = _axis(height, at.height, at.top, at.size[0], size[0])
    return rows, _axis(width, at.width, at.left, at.size[1], size[1])


def _axis(pixels: int, scaled: int, offset: int, whole: int, cells: int) -> NDArray[np.int64]:
    position = (np.arange(pixels) + 0.5) * scaled / pixels + offset
    inside = (position >= 0) & (position < whole)
    return np.where(inside, np.floor(position * cells / whole).astype(np.int64), -1)


def class_map_of_frame(class_map: NDArray[np.uint8], rows: Array, columns: Array, outside: int) -> NDArray[np.uint8]:
    """A class map at the size of the frame: each pixel's nearest; ``outside`` where the network did not look."""
    if all(is_whole(indices, size) for indices, size in zip((rows, columns), class_map.shape, strict=True)):
        return class_map
    result = np.take(np.take(class_map, columns, axis=1), rows, axis=0)
    if rows.min(initial=0) < 0 or columns.min(initial=0) < 0:
        result[rows < 0] = outside
        result[:, columns < 0] = outside
    return np.ascontiguousarray(result)


def is_whole(indices: Array, size: int) -> bool:
    """Whether rising indices are 0, 1, .. ``size`` - 1."""
    return len(indices) == size and bool(indices[0] == 0 and indices[-1] == size - 1)
