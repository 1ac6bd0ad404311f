"""The base class of networks that are built with Keras 3 and trained on JAX."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgerig.models.keras.engine import import_keras
from edgerig.models.keras.learner import KerasLearner
from edgerig.models.keras.steps import Evaluator
from edgerig.models.training.base import TrainedModel
from edgerig.models.training.phase import Phase

#: Public names for authors of networks.
__all__ = ["KerasModel", "Phase", "import_keras"]


class KerasModel(TrainedModel):
    """A network built with Keras 3 and trained on JAX.

    Subclasses fill in `input_shape`, `preprocessing` and `build`, and may override `augment` and `phases`; those that
    learn something else than one class a sample set ``objective``. Those that learn a class for each pixel may override
    `augment_masked` and `class_weights`.
    """

    extra: ClassVar[str | None] = "train"
    modules: ClassVar[tuple[str, ...]] = ("keras", "jax", "tensorboardX")

    def learner(self, classes: int, seed: int) -> KerasLearner:
        return KerasLearner(self, classes, seed)

    def predict(self, network: Any, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        # Called as it is, JAX would compile each operator for itself, which takes several times as long.
        return Evaluator(network).predict(batch)
