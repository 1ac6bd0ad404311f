"""Which task a network's outputs look like, where nobody names it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from edgerig.errors import IncompatibleError, UnknownNameError
from edgerig.tasks.box_outputs import BOX, KEPT_COLUMNS
from edgerig.tasks.class_maps import MOST_CLASSES
from edgerig.tensors import TensorSpec

TaskName = Literal["classification", "segmentation", "detection"]
TASKS: tuple[TaskName, ...] = ("classification", "segmentation", "detection")
#: Outputs of a detector with TensorFlow Lite's operator: boxes, classes, scores, and perhaps their number.
DETECTOR_OUTPUTS = (3, 4)
#: Classes that a detector is taken to have where neither labels nor its shape tell: COCO's numbers go up to 90.
UNKNOWN_CLASSES = 91
#: Axes of an output of candidates, and of a class map with channels.
CANDIDATES, MAP = 3, 4


class Guess(NamedTuple):
    """A task, how many classes it has, and why, in a sentence."""

    task: TaskName
    classes: int
    reason: str


def guess(outputs: Sequence[TensorSpec], judged: int, labels: int, wanted: str | None = None) -> Guess:
    """The task of a network that takes images.

    Args:
        outputs: All of its outputs, the batch in front.
        judged: The one that is judged, of a task that judges one.
        labels: Number of labels, 0 where there are none.
        wanted: The task, where it is named.

    Raises:
        UnknownNameError: ``wanted`` cannot be shown on a frame. IncompatibleError: No task fits the shapes.
    """
    if wanted is not None and wanted not in TASKS:
        raise UnknownNameError("task for --video", wanted, TASKS)
    shapes = ", ".join(f"{spec.name!r} {list(spec.shape)}" for spec in outputs)
    shape = outputs[judged].shape
    task = _named(wanted) or _likely(outputs, shape)
    if task is None:
        raise IncompatibleError(
            f"Nothing is known of outputs such as {shapes} that could be shown on a frame.",
            f"Say what they are: --task {', '.join(TASKS)}.",
        )
    classes = labels or _classes(task, outputs, shape)
    if classes < 1:
        raise IncompatibleError(f"The outputs {shapes} are none of task {task}.", "Name another --task or --output.")
    reason = f"named by --task {task}" if wanted else f"from the outputs {shapes}"
    return Guess(task, classes, f"Task: {task} of {classes} classes, {reason}.")


def _named(wanted: str | None) -> TaskName | None:
    return next((task for task in TASKS if task == wanted), None)


def _likely(outputs: Sequence[TensorSpec], shape: tuple[int, ...]) -> TaskName | None:
    if len(outputs) in DETECTOR_OUTPUTS and any(len(spec.shape) == 3 and spec.shape[-1] == BOX for spec in outputs):
        return "detection"
    if len(shape) == MAP and 1 not in shape[1:3]:
        return "segmentation"
    if len(shape) == CANDIDATES:
        # Candidates are long and thin; a class map without channels is not.
        return "detection" if min(shape[1:]) <= BOX + MOST_CLASSES and _is_thin(shape[1:]) else "segmentation"
    values = 1
    for size in shape[1:]:
        values *= size
    return "classification" if values > 1 else None


def _is_thin(sides: tuple[int, ...]) -> bool:
    return max(sides) >= 8 * min(sides) or min(sides) == KEPT_COLUMNS


def _classes(task: TaskName, outputs: Sequence[TensorSpec], shape: tuple[int, ...]) -> int:
    """How many classes the shape of an output tells."""
    if task == "segmentation":
        if len(shape) == CANDIDATES:
            return 2
        fewest = min(shape[1], shape[-1]) if len(shape) == MAP else 0
        return max(2, fewest) if 0 < fewest <= MOST_CLASSES else 0
    if task == "detection":
        width = min(shape[1:]) if len(outputs) == 1 and len(shape) == CANDIDATES else KEPT_COLUMNS
        return UNKNOWN_CLASSES if width == KEPT_COLUMNS else width - BOX
    values = 1
    for size in shape[1:]:
        values *= size
    return values if values > 1 else 0
