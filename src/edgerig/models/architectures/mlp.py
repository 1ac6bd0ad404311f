"""A multilayer perceptron, for regression, several labels or one class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from edgerig.artifact import Preprocessing
from edgerig.datasets.base import Dataset
from edgerig.models.keras.base import KerasModel, import_keras
from edgerig.plugins import Settings


class MlpSettings(Settings, frozen=True, kw_only=True):
    """Settings of ``mlp``."""

    values: Annotated[int, msgspec.Meta(description="values of a sample", ge=1)] = 10
    widths: Annotated[
        tuple[Annotated[int, msgspec.Meta(ge=1)], ...], msgspec.Meta(description="units of the hidden layers")
    ] = (64, 64)
    learns: Annotated[
        Literal["targets", "labels", "class"],
        msgspec.Meta(description="targets: real values; labels: several, each present or not; class: one a sample"),
    ] = "targets"


#: Of the last layer, by what is learned.
ACTIVATIONS = {"targets": None, "labels": "sigmoid", "class": "softmax"}


class Mlp(KerasModel):
    """Dense layers with ReLU, and one with an output for each target, label or class. By default 4,929 parameters."""

    name = "mlp"
    summary = "dense layers for regression, labels or classes, 4,929 parameters for 10 values and 1 target"
    usual: ClassVar[Mapping[str, Any]] = {
        "epochs": 40,
        "batch_size": 32,
        "learning_rate": 0.01,
        "learning_rate_decay": 0.93,
    }
    Settings = MlpSettings
    settings: MlpSettings

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        self.objective = self.settings.learns

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.settings.values,)

    def preprocessing(self, dataset: Dataset) -> Preprocessing:
        return dataset.preprocessing

    def build(self, classes: int) -> Any:
        keras = import_keras()
        inputs = keras.Input(self.input_shape, name="values")
        x = inputs
        for number, width in enumerate(self.settings.widths, 1):
            x = keras.layers.Dense(width, activation="relu", name=f"dense{number}")(x)
        learns = self.settings.learns
        outputs = keras.layers.Dense(classes, activation=ACTIVATIONS[learns], name=learns)(x)
        return keras.Model(inputs, outputs, name="mlp")
