"""An autoencoder of dense layers (Hinton and Salakhutdinov, 2006): what it cannot reconstruct is unlike its samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import msgspec

from edgerig.artifact import Preprocessing
from edgerig.datasets.base import Dataset
from edgerig.models.base import Objective
from edgerig.models.keras.base import KerasModel, import_keras
from edgerig.plugins import Settings


class AutoencoderSettings(Settings, frozen=True, kw_only=True):
    """Settings of ``autoencoder``."""

    values: Annotated[int, msgspec.Meta(description="values of a sample", ge=1)] = 140
    widths: Annotated[
        tuple[Annotated[int, msgspec.Meta(ge=1)], ...],
        msgspec.Meta(
            description="units of the encoder's layers, the last being the code; the decoder mirrors them", min_length=1
        ),
    ] = (32, 8)


class Autoencoder(KerasModel):
    """Dense layers with ReLU down to a code and up again; the last one is linear. It learns its own input.

    By default 140-32-8-32-140: 9,684 parameters.
    """

    name = "autoencoder"
    summary = "autoencoder of dense layers for anomaly detection, 9,684 parameters for 140 values"
    usual: ClassVar[Mapping[str, Any]] = {
        "epochs": 60,
        "batch_size": 16,
        "learning_rate": 0.002,
        "learning_rate_decay": 0.97,
    }
    objective: Objective = "reconstruction"
    Settings = AutoencoderSettings
    settings: AutoencoderSettings

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.settings.values,)

    def preprocessing(self, dataset: Dataset) -> Preprocessing:
        return dataset.preprocessing

    def build(self, classes: int) -> Any:
        keras, widths = import_keras(), self.settings.widths
        inputs = keras.Input(self.input_shape, name="values")
        x = inputs
        for number, width in enumerate(widths, 1):
            x = keras.layers.Dense(width, activation="relu", name=f"encoder{number}")(x)
        for number, width in enumerate(reversed(widths[:-1]), 1):
            x = keras.layers.Dense(width, activation="relu", name=f"decoder{number}")(x)
        outputs = keras.layers.Dense(self.settings.values, name="reconstruction")(x)
        return keras.Model(inputs, outputs, name="autoencoder")
