"""A small depthwise-separable network for digits, after DS-CNN (Zhang et al., Hello Edge, 2017, arXiv:1711.07128)."""

from __future__ import annotations

from typing import Any

from edgerig.models.architectures.digits import DigitModel
from edgerig.models.keras.base import import_keras

#: Channels of the first convolution; the blocks have twice as many.
WIDTH = 8
#: Momentum of the moving averages: three epochs of the bundled digits are too short for the usual 0.99.
MOMENTUM = 0.9
#: Strides of the depthwise convolutions, one for each block.
STRIDES = (1, 2, 1)


class MnistDsCnn(DigitModel):
    """A strided convolution, three depthwise-separable blocks, average pooling, one dense layer.

    Small enough for any microcontroller, and sensitive to quantization: each depthwise channel has only nine weights,
    all channels share the scale of an activation, and averaging loses much of the resolution that 8 bits leave.
    """

    name = "mnist-dscnn"
    summary = "depthwise-separable CNN for 28x28 digits, 1,514 parameters, 93 k MACs"

    def build(self, classes: int) -> Any:
        keras = import_keras()
        layers = keras.layers
        network = [
            keras.Input(self.input_shape, name="image"),
            layers.Conv2D(WIDTH, 3, strides=2, padding="same", activation="relu", name="conv"),
        ]
        for number, stride in enumerate(STRIDES, 1):
            network += [
                layers.DepthwiseConv2D(3, strides=stride, padding="same", activation="relu", name=f"depthwise{number}"),
                layers.BatchNormalization(momentum=MOMENTUM, name=f"depthwise{number}_norm"),
                layers.Conv2D(2 * WIDTH, 1, activation="relu", name=f"pointwise{number}"),
                layers.BatchNormalization(momentum=MOMENTUM, name=f"pointwise{number}_norm"),
            ]
        network += [
            layers.AveragePooling2D(7, name="pool"),
            layers.Flatten(name="flatten"),
            layers.Dense(classes, activation="softmax", name="probabilities"),
        ]
        return keras.Sequential(network, name="mnist_dscnn")
