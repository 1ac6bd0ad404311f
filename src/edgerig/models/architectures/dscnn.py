"""The depthwise-separable network of MLPerf Tiny's keyword spotting (Zhang et al., Hello Edge, 2017)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import msgspec

from edgerig.artifact import Preprocessing
from edgerig.datasets.base import Dataset
from edgerig.models.keras.base import KerasModel, import_keras
from edgerig.plugins import Settings

#: Filters of every layer, depthwise-separable blocks, and weight decay of the reference training.
FILTERS, BLOCKS, L2 = 64, 4, 1e-4


class DsCnnSettings(Settings, frozen=True, kw_only=True):
    """Settings of ``dscnn``."""

    momentum: Annotated[
        float,
        msgspec.Meta(description="of the averages of batch normalisation; less where there are few steps", ge=0, lt=1),
    ] = 0.99


class DsCnn(KerasModel):
    """DS-CNN as in MLPerf Tiny: a convolution of 10 x 4, four depthwise-separable blocks, average pooling, one dense
    layer.

    For 49 x 10 features and 12 classes: 24,908 parameters, of which 2,304 are the batch normalisations' - 22,604 once
    these are folded - and 2,656,768 MACs.
    """

    name = "dscnn"
    summary = "DS-CNN of MLPerf Tiny's keyword spotting for 49x10x1, 24,908 parameters, 2.66 M MACs"
    usual: ClassVar[Mapping[str, Any]] = {"epochs": 36, "batch_size": 100, "learning_rate": 0.0005}
    Settings = DsCnnSettings
    settings: DsCnnSettings

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (49, 10, 1)

    def preprocessing(self, dataset: Dataset) -> Preprocessing:
        return dataset.preprocessing

    def build(self, classes: int) -> Any:
        layers = import_keras().layers
        regularizer = import_keras().regularizers.L2(L2)
        inputs = import_keras().Input(self.input_shape, name="features")
        x = layers.Conv2D(
            FILTERS, (10, 4), strides=2, padding="same", kernel_regularizer=regularizer, name="convolution"
        )(inputs)
        x = self._activated(x, "convolution")
        x = layers.Dropout(0.2, name="dropout")(x)
        for number in range(1, BLOCKS + 1):
            name = f"depthwise{number}"
            x = layers.DepthwiseConv2D(3, padding="same", depthwise_regularizer=regularizer, name=name)(x)
            x = self._activated(x, name)
            name = f"pointwise{number}"
            x = layers.Conv2D(FILTERS, 1, padding="same", kernel_regularizer=regularizer, name=name)(x)
            x = self._activated(x, name)
        x = layers.Dropout(0.4, name="last_dropout")(x)
        # The reference pools 24 of the 25 rows.
        x = layers.AveragePooling2D((24, 5), name="pool")(x)
        x = layers.Flatten(name="flatten")(x)
        outputs = layers.Dense(classes, activation="softmax", name="probabilities")(x)
        return import_keras().Model(inputs, outputs, name="dscnn")

    def _activated(self, x: Any, name: str) -> Any:
        layers = import_keras().layers
        x = layers.BatchNormalization(momentum=self.settings.momentum, name=f"{name}_norm")(x)
        return layers.ReLU(name=f"{name}_relu")(x)
