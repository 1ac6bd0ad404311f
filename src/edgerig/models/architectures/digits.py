"""The common base of all networks for handwritten digits."""

from __future__ import annotations

from edgerig.artifact import Preprocessing
from edgerig.datasets.base import Dataset
from edgerig.models.keras.base import KerasModel


class DigitModel(KerasModel):
    """A network for grey pictures of 28x28 pixels, with values from 0 to 1."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (28, 28, 1)

    def preprocessing(self, dataset: Dataset) -> Preprocessing:
        return Preprocessing(scale=1 / 255)
