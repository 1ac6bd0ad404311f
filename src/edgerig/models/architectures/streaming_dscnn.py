"""The network of MLPerf Tiny's streaming wake word: depthwise-separable convolutions over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import msgspec

from edgerig.artifact import Preprocessing
from edgerig.datasets.base import Dataset
from edgerig.models.keras.base import KerasModel, import_keras
from edgerig.plugins import Settings

#: Filters of each block, and rows of features that its depthwise convolution sees: together all 30.
BLOCKS = ((128, 3), (128, 5), (128, 10), (32, 15))


class StreamingDsCnnSettings(Settings, frozen=True, kw_only=True):
    """Settings of ``streaming-dscnn``."""

    momentum: Annotated[
        float,
        msgspec.Meta(description="of the averages of batch normalisation; less where there are few steps", ge=0, lt=1),
    ] = 0.99


class StreamingDsCnn(KerasModel):
    """The 1D DS-CNN of MLPerf Tiny: four depthwise-separable blocks over time without padding, one dense layer.

    For 30 x 1 x 40 features and 3 classes: 47,707 parameters, of which 1,664 are the batch normalisations'. These
    are folded into biases, and TFLite gives depthwise convolutions biases, too: 46,883 then, and 826,368 MACs.
    """

    name = "streaming-dscnn"
    summary = "1D DS-CNN of MLPerf Tiny's streaming wake word for 30x1x40, 826 k MACs"
    usual: ClassVar[Mapping[str, Any]] = {"epochs": 50, "batch_size": 100}
    Settings = StreamingDsCnnSettings
    settings: StreamingDsCnnSettings

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (30, 1, 40)

    def preprocessing(self, dataset: Dataset) -> Preprocessing:
        return dataset.preprocessing

    def build(self, classes: int) -> Any:
        layers = import_keras().layers
        inputs = import_keras().Input(self.input_shape, name="features")
        x = inputs
        for number, (filters, rows) in enumerate(BLOCKS, 1):
            x = layers.DepthwiseConv2D((rows, 1), use_bias=False, name=f"depthwise{number}")(x)
            x = layers.Conv2D(filters, 1, use_bias=False, name=f"pointwise{number}")(x)
            x = layers.BatchNormalization(momentum=self.settings.momentum, name=f"pointwise{number}_norm")(x)
            x = layers.ReLU(name=f"pointwise{number}_relu")(x)
            x = layers.Dropout(0.2, name=f"dropout{number}")(x)
        x = layers.Flatten(name="flatten")(x)
        outputs = layers.Dense(classes, activation="softmax", name="probabilities")(x)
        return import_keras().Model(inputs, outputs, name="streaming_dscnn")
