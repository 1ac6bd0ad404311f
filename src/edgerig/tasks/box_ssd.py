"""The outputs of detectors with TensorFlow Lite's post-processing operator: boxes, classes, scores, and their number.

Their order differs between converters, so they are recognized by shape and name.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import TensorSpec
from edgerig.errors import IncompatibleError

Array = NDArray[Any]
#: Numbers of a box: top, left, bottom, right in shares of the input's sides.
BOX = 4
#: Outputs of the operator.
OUTPUTS = 4
#: How the operator's outputs are named where nobody has renamed them: classes are the second, scores the third.
CLASSES_END, SCORES_END = "postprocess:1", "postprocess:2"


class Roles(NamedTuple):
    """Positions of the outputs; ``number`` where there is one."""

    boxes: int
    classes: int
    scores: int
    number: int | None


def _is_raw(specs: Sequence[TensorSpec]) -> bool:
    """Whether these are an SSD's own outputs: for as many anchors numbers of a box (and of key points), and scores."""
    if len(specs) != 2 or any(len(spec.shape) != 3 for spec in specs):
        return False
    return specs[0].shape[1] == specs[1].shape[1] > 0


def roles_of(specs: Sequence[TensorSpec], scores: str | None) -> Roles:
    """Which output holds what.

    Args:
        specs: All outputs, the batch in front; an axis of unknown size is -1.
        scores: The name of the scores' output, where it is told.

    Raises:
        IncompatibleError: They are not those of the operator, or scores and classes cannot be told apart.
    """
    names = ", ".join(f"{spec.name!r} {list(spec.shape)}" for spec in specs)
    boxes = [i for i, spec in enumerate(specs) if len(spec.shape) == 3 and spec.shape[-1] == BOX]
    if _is_raw(specs):
        raise IncompatibleError(
            f"The network has the outputs {names}: boxes by their anchors and scores, before post-processing.",
            "Export it with its post-processing operator (TFLite_Detection_PostProcess), which knows the anchors.",
        )
    if len(specs) not in (OUTPUTS - 1, OUTPUTS) or len(boxes) != 1:
        raise IncompatibleError(
            f"The network has the outputs {names}; a detector has one, or boxes, classes, scores and their number.",
            "Name the one that holds the candidates: --output NAME; in a rig file, the model's 'output'.",
        )
    most = specs[boxes[0]].shape[1]
    lists = [i for i, spec in enumerate(specs) if i not in boxes and _values(spec) == most and len(spec.shape) == 2]
    rest = [i for i in range(len(specs)) if i not in (*boxes, *lists)]
    # With one box at most, the number of boxes looks like a list of one.
    if len(lists) == OUTPUTS - 1:
        rest = [i for i in lists if len(specs[i].shape) < 2 or "num" in specs[i].name.lower()][:1]
        lists = [i for i in lists if i not in rest]
    if len(lists) != 2 or any(abs(_values(specs[i])) != 1 for i in rest):
        raise IncompatibleError(
            f"The network has the outputs {names}; classes and scores are (batch, boxes), their number (batch,).",
            "Name the one that holds the candidates: --output NAME; in a rig file, the model's 'output'.",
        )
    chosen = _scores_of([specs[i].name for i in lists], scores)
    return Roles(boxes[0], lists[1 - chosen], lists[chosen], rest[0] if rest else None)


def rows_of_ssd(outputs: Sequence[Array], roles: Roles) -> NDArray[np.float32]:
    """The outputs of n samples as rows of left, top, right, bottom, score, class, (n, boxes, 6).

    Rows beyond the number of boxes have the score -1.
    """
    boxes = outputs[roles.boxes]
    n, number = boxes.shape[:2]
    scores, labels = (outputs[position].reshape(n, number) for position in (roles.scores, roles.classes))
    rows = np.stack([boxes[..., 1], boxes[..., 0], boxes[..., 3], boxes[..., 2], scores, labels], axis=-1)
    if roles.number is not None:
        count = np.rint(outputs[roles.number].reshape(n, 1))
        rows[..., 4] = np.where(np.arange(number) < count, rows[..., 4], -1)
    return rows.astype(np.float32)


def _scores_of(names: Sequence[str], wanted: str | None) -> int:
    """Which of two outputs holds the scores."""
    if wanted is not None:
        if wanted not in names:
            raise IncompatibleError(
                f"The scores cannot lie in {wanted!r}: outputs of their shape are {' and '.join(map(repr, names))}.",
                "Name one of these: the setting 'scores' of the task detection.",
            )
        return names.index(wanted)
    words = [(("score" in name, "class" in name), name.replace("_", "")) for name in map(str.lower, names)]
    for index, ((score, label), name) in enumerate(words):
        (other_score, other_label), other = words[1 - index]
        if (score and not other_score) or (other_label and not label):
            return index
        if name.endswith(SCORES_END) and other.endswith(CLASSES_END):
            return index
    raise IncompatibleError(
        f"The outputs {names[0]!r} and {names[1]!r} are scores and classes, and their names do not say which is which.",
        "Name the scores: the setting 'scores' of the task detection.",
    )


def _values(spec: TensorSpec) -> int:
    """Values a sample; negative where an axis is of unknown size."""
    return math.prod(spec.shape[1:])
