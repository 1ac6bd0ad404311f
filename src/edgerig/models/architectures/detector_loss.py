"""What a detector of one stage learns: at the cell of each object's centre its box and class, elsewhere nothing."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.models.training.own_loss import Array, OwnLoss
from edgerig.tasks.box_truth import CROWD, LABEL, THERE, to_input

#: Numbers of a box.
BOX = 4
#: Weight of the boxes' error beside that of the scores.
BOX_WEIGHT = 5.0
#: Scores are kept this far from 0 and 1 before the logarithm is taken.
EPSILON = 1e-6
#: Class of a cell without an object.
NOTHING = -1.0


class CenterLoss(OwnLoss):
    """Absolute error of boxes and focal loss of scores (Lin et al., 2017), for each object of an image; of networks in
    Keras and in PyTorch.

    Args:
        grid: Rows and columns of cells.
    """

    def __init__(self, grid: tuple[int, int]) -> None:
        self.rows, self.columns = grid

    def targets(self, truth: Array) -> NDArray[np.float32]:
        """Centre, sides and class of each cell, (n, rows, columns, 5), boxes in shares of the input's sides.

        Of several centres in a cell the last box counts; crowds are left out.
        """
        targets = np.zeros((len(truth), self.rows, self.columns, BOX + 1), np.float32)
        targets[..., BOX] = NOTHING
        size = truth[:, :1, BOX : BOX + 2]
        moved = to_input(truth[:, 1:, :BOX], truth[:, 0])
        sides = moved[..., 2:] / size
        centres = moved[..., :2] / size + sides / 2
        wanted = (truth[:, 1:, THERE] > 0) & (truth[:, 1:, CROWD] == 0)
        # A preprocessing that crops may leave a centre outside.
        wanted &= ((centres >= 0) & (centres < 1)).all(axis=-1)
        image, row = np.nonzero(wanted)
        cell = (centres[image, row] * (self.columns, self.rows)).astype(int)
        numbers = np.concatenate([centres, sides, truth[:, 1:, LABEL : LABEL + 1]], axis=-1)
        targets[image, cell[:, 1], cell[:, 0]] = numbers[image, row]
        return targets

    def losses(self, targets: Any, outputs: Any) -> Any:
        xp = _namespace(outputs)
        there = targets[..., BOX:] >= 0
        boxes = (there * xp.abs(targets[..., :BOX] - outputs[..., :BOX])).sum((1, 2, 3))
        scores = outputs[..., BOX:].clip(EPSILON, 1 - EPSILON)
        right = targets[..., BOX:] == xp.arange(scores.shape[-1])
        focal = xp.where(right, (1 - scores) ** 2 * xp.log(scores), scores**2 * xp.log(1 - scores))
        objects = there.sum((1, 2, 3)).clip(1)
        return (BOX_WEIGHT * boxes - focal.sum((1, 2, 3))) / objects

    def hits(self, targets: Any, outputs: Any) -> tuple[Any, Any]:
        """Objects whose class has the highest score in their cell, and objects."""
        there = targets[..., BOX] >= 0
        right = there & (outputs[..., BOX:].argmax(-1) == targets[..., BOX])
        return right.sum((1, 2)), there.sum((1, 2))


def _namespace(outputs: Any) -> Any:
    """The functions of the framework whose arrays these are: PyTorch, numpy or JAX."""
    framework = type(outputs).__module__.partition(".")[0]
    if framework in ("torch", "numpy"):
        return sys.modules[framework]
    import jax.numpy

    return jax.numpy
