"""Detections that engines leave undefined: TFLite's post-processing operator writes no row beyond their number.

Neither LiteRT nor TFLite Micro does: what lies there is what the memory held before. It differs from inference to
inference, and may be NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from edgerig.runtimes.base import Array

OPERATOR = "TFLite_Detection_PostProcess"
#: Outputs of the operator: boxes, classes and scores by rows, and after them how many rows there are.
ROWS = 3


class Detections(NamedTuple):
    """Where one operator's detections lie among the network's outputs.

    Attributes:
        rows: Positions of those of boxes, classes and scores that are outputs.
        number: Position of their number.
    """

    rows: tuple[int, ...]
    number: int


def detections_among(outputs: Sequence[int], operators: Iterable[tuple[str, Sequence[int]]]) -> list[Detections]:
    """The detections among a network's ``outputs``, which are numbers of tensors.

    Those whose number is no output are left out: nobody can tell how many rows of them count.

    Args:
        operators: Names of the network's operators, and the numbers of the tensors that they make.

    >>> detections_among([7, 4, 5, 6], [("RESHAPE", [1]), (OPERATOR, [4, 5, 6, 7])])
    [Detections(rows=(1, 2, 3), number=0)]
    """
    places = {int(tensor): position for position, tensor in enumerate(outputs)}
    matching = [[int(tensor) for tensor in tensors] for name, tensors in operators if name == OPERATOR]
    return [
        Detections(tuple(places[tensor] for tensor in tensors[:ROWS] if tensor in places), places[tensors[ROWS]])
        for tensors in matching
        if len(tensors) == ROWS + 1 and tensors[ROWS] in places
    ]


def with_zeros(
    get_outputs: Callable[[], Sequence[Array]], detections: Sequence[Detections]
) -> Callable[[], Sequence[Array]]:
    """``get_outputs``, whose arrays are copies, with zeros in the rows beyond the number of detections."""
    if not detections:
        return get_outputs

    def read() -> Sequence[Array]:
        outputs: list[Any] = list(get_outputs())
        for rows, number in detections:
            count = float(outputs[number].flat[0])
            # A number that is none is for those to judge who read it.
            if np.isfinite(count):
                for position in rows:
                    outputs[position][:, max(0, round(count)) :] = 0
        return outputs

    return read
