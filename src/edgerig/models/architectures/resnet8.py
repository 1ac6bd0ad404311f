"""The residual network of MLPerf Tiny's image classification benchmark."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Preprocessing
from edgerig.datasets.base import Dataset
from edgerig.models.keras.base import KerasModel, import_keras
from edgerig.plugins import Settings

#: Largest shift of pictures in `ResNet8.augment`, in pixels.
SHIFT = 4
#: Weight decay of the reference training.
L2 = 1e-4


class ResNet8Settings(Settings, frozen=True, kw_only=True):
    """Settings of ``resnet8``."""

    augment: Annotated[bool, msgspec.Meta(description="shift and mirror the training pictures at random")] = True
    momentum: Annotated[
        float,
        msgspec.Meta(description="of the averages of batch normalisation; less where there are few steps", ge=0, lt=1),
    ] = 0.99


class ResNet8(KerasModel):
    """ResNet-8 as in MLPerf Tiny: a convolution and three residual stacks of 16, 32 and 64 filters.

    For 32x32x3 and 10 classes: 78,666 parameters, of which 960 are the batch normalisations' - 77,706 once these
    are folded - and 12,501,632 MACs. It takes raw pixels, 0 to 255, as the benchmark's reference does.
    """

    name = "resnet8"
    summary = "ResNet-8 of MLPerf Tiny for 32x32x3, 78,666 parameters, 12.5 M MACs"
    Settings = ResNet8Settings
    settings: ResNet8Settings

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (32, 32, 3)

    def preprocessing(self, dataset: Dataset) -> Preprocessing:
        return Preprocessing()

    def augment(self, batch: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        if not self.settings.augment:
            return batch
        n, h, w = batch.shape[:3]
        padded = np.pad(batch, ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0)))
        rows = rng.integers(0, 2 * SHIFT + 1, (n, 1, 1)) + np.arange(h).reshape(1, h, 1)
        columns = rng.integers(0, 2 * SHIFT + 1, (n, 1, 1)) + np.arange(w).reshape(1, 1, w)
        mirrored = rng.random((n, 1, 1)) < 0.5
        columns = np.where(mirrored, columns[:, :, ::-1], columns)
        changed: NDArray[np.float32] = padded[np.arange(n).reshape(n, 1, 1), rows, columns]
        return changed

    def build(self, classes: int) -> Any:
        keras = import_keras()
        inputs = keras.Input(self.input_shape, name="image")
        momentum = self.settings.momentum
        x = _convolve(inputs, 16, 3, 1, "conv1", momentum, activate=True)
        for stack, (filters, stride) in enumerate(((16, 1), (32, 2), (64, 2)), start=1):
            y = _convolve(x, filters, 3, stride, f"stack{stack}_conv1", momentum, activate=True)
            y = _convolve(y, filters, 3, 1, f"stack{stack}_conv2", momentum)
            if stride != 1:
                x = _convolve(x, filters, 1, stride, f"stack{stack}_shortcut", None)
            x = keras.layers.Add(name=f"stack{stack}_add")([x, y])
            x = keras.layers.ReLU(name=f"stack{stack}_relu")(x)
        x = keras.layers.AveragePooling2D(8, name="pool")(x)
        x = keras.layers.Flatten(name="flatten")(x)
        outputs = keras.layers.Dense(
            classes, activation="softmax", kernel_initializer="he_normal", name="probabilities"
        )(x)
        return keras.Model(inputs, outputs, name="resnet8")


def _convolve(
    x: Any, filters: int, size: int, stride: int, name: str, momentum: float | None, *, activate: bool = False
) -> Any:
    """A convolution, normalised over the batch with averages of that momentum, where one is given."""
    layers = import_keras().layers
    regularizer = import_keras().regularizers.L2(L2)
    x = layers.Conv2D(
        filters,
        size,
        strides=stride,
        padding="same",
        kernel_initializer="he_normal",
        kernel_regularizer=regularizer,
        name=name,
    )(x)
    if momentum is not None:
        x = layers.BatchNormalization(momentum=momentum, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x) if activate else x
