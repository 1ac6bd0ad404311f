"""MobileNetV1 of MLPerf Tiny's visual wake words (Howard et al., 2017, arXiv:1704.04861)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Preprocessing
from edgerig.datasets.base import Dataset
from edgerig.models.keras.base import KerasModel, import_keras
from edgerig.plugins import Settings

#: Filters and stride of each depthwise-separable block of the network of full width.
BLOCKS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *5 * ((512, 1),),
    (1024, 2),
    (1024, 1),
)
#: Filters of the first convolution at full width, and weight decay of the reference training.
FIRST, L2 = 32, 1e-4


class MobileNetV1Settings(Settings, frozen=True, kw_only=True):
    """Settings of ``mobilenetv1``."""

    alpha: Annotated[float, msgspec.Meta(description="width: factor on the number of filters", gt=0, le=2)] = 0.25
    input_size: Annotated[int, msgspec.Meta(description="height and width of the input in pixels", ge=32)] = 96
    augment: Annotated[bool, msgspec.Meta(description="mirror the training pictures at random")] = True
    momentum: Annotated[
        float,
        msgspec.Meta(description="of the averages of batch normalisation; less where there are few steps", ge=0, lt=1),
    ] = 0.99


class MobileNetV1(KerasModel):
    """MobileNetV1 as in MLPerf Tiny: a convolution, 13 depthwise-separable blocks, average pooling, one dense layer.

    For 96 x 96 x 3, width 0.25 and 2 classes: 221,794 parameters, of which 10,944 are the batch normalisations' -
    210,850 once these are folded - and 7,489,664 MACs.
    """

    name = "mobilenetv1"
    summary = "MobileNetV1 0.25 of MLPerf Tiny's visual wake words for 96x96x3, 221,794 parameters, 7.49 M MACs"
    Settings = MobileNetV1Settings
    usual: ClassVar[Mapping[str, Any]] = {"epochs": 50}
    settings: MobileNetV1Settings

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.settings.input_size, self.settings.input_size, 3)

    def preprocessing(self, dataset: Dataset) -> Preprocessing:
        return dataset.preprocessing

    def augment(self, batch: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        if not self.settings.augment:
            return batch
        mirrored = rng.random(len(batch)) < 0.5
        return np.where(mirrored[:, None, None, None], batch[:, :, ::-1], batch)

    def build(self, classes: int) -> Any:
        layers = import_keras().layers
        options = {"padding": "same", "kernel_initializer": "he_normal"}
        regularizer = import_keras().regularizers.L2(L2)
        width = self.settings.alpha
        inputs = import_keras().Input(self.input_shape, name="image")
        x = layers.Conv2D(
            int(FIRST * width), 3, strides=2, kernel_regularizer=regularizer, name="convolution", **options
        )(inputs)
        x = self._activated(x, "convolution")
        for number, (filters, stride) in enumerate(BLOCKS, 1):
            name = f"depthwise{number}"
            x = layers.DepthwiseConv2D(
                3,
                strides=stride,
                padding="same",
                depthwise_initializer="he_normal",
                depthwise_regularizer=regularizer,
                name=name,
            )(x)
            x = self._activated(x, name)
            name = f"pointwise{number}"
            x = layers.Conv2D(int(filters * width), 1, kernel_regularizer=regularizer, name=name, **options)(x)
            x = self._activated(x, name)
        x = layers.AveragePooling2D(tuple(x.shape[1:3]), name="pool")(x)
        x = layers.Flatten(name="flatten")(x)
        outputs = layers.Dense(classes, activation="softmax", kernel_initializer="he_normal", name="probabilities")(x)
        return import_keras().Model(inputs, outputs, name="mobilenetv1")

    def _activated(self, x: Any, name: str) -> Any:
        layers = import_keras().layers
        x = layers.BatchNormalization(momentum=self.settings.momentum, name=f"{name}_norm")(x)
        return layers.ReLU(name=f"{name}_relu")(x)
