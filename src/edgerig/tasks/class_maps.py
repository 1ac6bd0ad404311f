"""From a network's output to class maps: which axis holds the classes, and which class wins."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import TensorSpec
from edgerig.errors import IncompatibleError

Array = NDArray[Any]
Layout = Literal["nhwc", "nchw"]
#: Class maps are stored as uint8.
MOST_CLASSES = 256
#: Classes up to which scores are compared a class at a time.
FEW_CLASSES = 8
#: Axes of an output with a channel axis, the batch in front; and of one without.
WITH_CHANNELS, WITHOUT = 4, 3


def channel_axis(shape: tuple[int, ...], classes: int, layout: Layout | None) -> int | None:
    """The axis of an output that holds the classes' scores; None for an output of shape (n, H, W).

    Args:
        shape: Of the output, the batch in front; an axis of unknown size is -1.
        classes: Number of classes. With 2, a single channel will do.
        layout: The layout, where it is told and not to be recognized.

    Raises:
        IncompatibleError: There is no such axis, or two axes would do.
    """
    counts = {classes, 1} if classes == 2 else {classes}
    if len(shape) == WITHOUT and 1 in counts:
        return None
    if len(shape) != WITH_CHANNELS:
        raise IncompatibleError(
            f"The network gives {list(shape)}; a class map takes (batch, height, width, classes) or (batch, classes, "
            "height, width).",
            "Judge an output of such a shape: --output NAME; in a rig file, the model's 'output'.",
        )
    fitting = [axis for axis in (3, 1) if shape[axis] in counts]
    if layout is not None:
        axis = 3 if layout == "nhwc" else 1
        if axis in fitting:
            return axis
        raise _unfit(shape, classes, f" as {layout}")
    if len(fitting) == 2:
        raise IncompatibleError(
            f"The network gives {list(shape)}, and there are {classes} classes: they may lie on the last axis or on "
            "the second.",
            "Say which: the setting 'layout' of the task segmentation, nhwc or nchw.",
        )
    if not fitting:
        raise _unfit(shape, classes, "")
    return fitting[0]


def map_size(shape: tuple[int, ...], axis: int | None) -> tuple[int, int]:
    """Height and width of an output whose channels lie on ``axis``."""
    height, width = [size for number, size in enumerate(shape) if number not in (0, axis)]
    return height, width


def decode_scores(values: Array, axis: int | None, threshold: float) -> NDArray[np.uint8]:
    """Class maps, shape (n, H, W), uint8, from scores.

    The class of the highest score, the lower index where scores tie; of a single channel, class 1 where it is above
    ``threshold``.

    >>> decode_scores(np.array([[[[0.2, 0.8], [0.5, 0.5]]]]), 3, 0.5).tolist()
    [[[1, 0]]]
    >>> decode_scores(np.array([[[0.2, 0.8]]]), None, 0.5).tolist()
    [[[0, 1]]]
    """
    if axis is None:
        return np.asarray(values > threshold, np.uint8)
    if values.shape[axis] == 1:
        return np.asarray(values.squeeze(axis) > threshold, np.uint8)
    return _highest(values, axis)


def _highest(values: Array, axis: int) -> NDArray[np.uint8]:
    """``values.argmax(axis)``; of few classes several times as fast, for numpy's takes a call a pixel."""
    if not 1 < values.shape[axis] <= FEW_CLASSES:
        return np.asarray(values.argmax(axis=axis), np.uint8)
    if values.size and np.isnan(values.min()):
        # No score is higher than NaN, which argmax takes for the highest.
        return np.asarray(values.argmax(axis=axis), np.uint8)
    first, *others = np.moveaxis(values, axis, 0)
    classes: NDArray[np.uint8] = (others[0] > first).view(np.uint8)
    best = first
    for number, score in enumerate(others[1:], 2):
        best = np.maximum(best, others[number - 2])
        # Classes only grow, so that the larger one is the later one that was higher.
        np.maximum(classes, (score > best).view(np.uint8) * np.uint8(number), out=classes)
    return classes


def check_size(spec: TensorSpec, size: tuple[int, int], truth: tuple[int, ...], dataset: str) -> None:
    """Check that an output has the height and width of the masks; an axis of unknown size is -1.

    Raises:
        IncompatibleError: The sizes differ.
    """
    if len(truth) != 2:
        raise IncompatibleError(
            f"Dataset {dataset!r} gives no masks: what is right for a sample has the shape {list(truth)}.",
            "Choose a dataset for segmentation, or another task.",
        )
    if all(own in (-1, 0, wanted) for own, wanted in zip(size, truth, strict=True)):
        return
    raise IncompatibleError(
        f"The output {spec.name!r} is {size[0]}x{size[1]} pixels, the masks of dataset {dataset!r} are "
        f"{truth[0]}x{truth[1]} after preprocessing.",
        "Let the network end with an upsampling to the size of its input, or resize in the preprocessing.",
    )


def _unfit(shape: tuple[int, ...], classes: int, layout: str) -> IncompatibleError:
    return IncompatibleError(
        f"The network gives {list(shape)}{layout}: no axis has as many as there are classes ({classes}).",
        "Choose the dataset that the network was trained for, or another output: --output NAME.",
    )
