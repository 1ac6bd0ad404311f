"""The convolutional digit network known from TensorFlow's tutorial and many microcontroller demos."""

from __future__ import annotations

from typing import Any

from edgerig.models.architectures.digits import DigitModel
from edgerig.models.keras.base import import_keras


class MnistCnn(DigitModel):
    """Three 3x3 convolutions (32, 64, 64), two poolings, two dense layers: 93,322 parameters, 2,794,240 MACs."""

    name = "mnist-cnn"
    summary = "CNN for 28x28 digits, 93,322 parameters, 2.8 M MACs"

    def build(self, classes: int) -> Any:
        keras = import_keras()
        layers = keras.layers
        return keras.Sequential(
            [
                keras.Input(self.input_shape, name="image"),
                layers.Conv2D(32, 3, activation="relu", name="conv1"),
                layers.MaxPooling2D(2, name="pool1"),
                layers.Conv2D(64, 3, activation="relu", name="conv2"),
                layers.MaxPooling2D(2, name="pool2"),
                layers.Conv2D(64, 3, activation="relu", name="conv3"),
                layers.Flatten(name="flatten"),
                layers.Dense(64, activation="relu", name="dense1"),
                layers.Dense(classes, activation="softmax", name="probabilities"),
            ],
            name="mnist_cnn",
        )
