"""A small detector of one stage: each cell of a grid answers with one box and a score for each class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Preprocessing
from edgerig.datasets.base import Dataset
from edgerig.errors import SpecError
from edgerig.models.architectures.detector_loss import BOX, CenterLoss
from edgerig.models.architectures.moved import Rotation, Scale, Shift, movement_of
from edgerig.models.base import Objective
from edgerig.models.keras.base import KerasModel, import_keras
from edgerig.models.training.augmentation import moved_boxes, moved_images
from edgerig.plugins import Settings

#: Pixels of the input along a side of a cell.
STRIDE = 8
#: Bias of the head's logits at first: nearly all cells hold nothing (Lin et al., 2017, Focal Loss, section 4.1).
FIRST_BIAS = -2.0


class DetectorSettings(Settings, frozen=True, kw_only=True):
    """Settings of ``detector``."""

    height: Annotated[int, msgspec.Meta(description="height of the input; a multiple of 8", ge=STRIDE)] = 64
    width: Annotated[int, msgspec.Meta(description="width of the input; a multiple of 8", ge=STRIDE)] = 64
    channels: Annotated[int, msgspec.Meta(description="channels of the input: 1 for grey, 3 for RGB", ge=1)] = 1
    filters: Annotated[int, msgspec.Meta(description="filters of the first convolution", ge=1)] = 16
    augment: Annotated[
        bool, msgspec.Meta(description="move training images and boxes at random, by rotation, scale and shift")
    ] = False
    rotation: Rotation = 15.0
    scale: Scale = (0.5, 2.0)
    shift: Shift = 0.1
    mirror: Annotated[bool, msgspec.Meta(description="with augment: mirror every other image, left to right")] = True


class Detector(KerasModel):
    """Six 3x3 convolutions with batch normalization, three of them with stride 2, and a head of 1x1.

    Its only output is (batch, rows, columns, 4 + classes): centre, width and height in shares of the input's sides, and
    a score for each class. A cell answers for the object whose centre lies in it, without anchors, as CenterNet does
    (Zhou et al., 2019, Objects as Points). With 16 filters and 10 classes: 108,126 parameters.
    """

    name = "detector"
    summary = "one-stage detector, a box a cell of 8x8 pixels; 108,126 parameters with 16 filters and 10 classes"
    usual: ClassVar[Mapping[str, Any]] = {"learning_rate": 0.004, "learning_rate_decay": 0.7, "epochs": 6}
    objective: Objective = "boxes"
    Settings = DetectorSettings
    settings: DetectorSettings

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.settings.height, self.settings.width, self.settings.channels)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        return self.settings.height // STRIDE, self.settings.width // STRIDE

    @property
    def own_loss(self) -> CenterLoss:
        return CenterLoss(self.grid)

    def preprocessing(self, dataset: Dataset) -> Preprocessing:
        return dataset.preprocessing

    def augment_boxed(
        self, batch: NDArray[np.float32], truth: NDArray[np.float64], rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        if not self.settings.augment:
            return batch, truth
        matrices = movement_of(self.settings, mirror=self.settings.mirror).draw(len(batch), batch.shape[1:3], rng)
        return moved_images(batch, matrices), moved_boxes(truth, matrices)

    def build(self, classes: int) -> Any:
        keras, settings = import_keras(), self.settings
        if settings.height % STRIDE or settings.width % STRIDE:
            raise SpecError(
                f"Model 'detector' divides its input into cells of {STRIDE} pixels, which {settings.height}x"
                f"{settings.width} does not allow.",
                f"Give a height and a width that are multiples of {STRIDE}.",
            )
        inputs = keras.Input(self.input_shape, name="image")
        x = inputs
        for number, (times, stride) in enumerate([(1, 2), (2, 2), (2, 1), (4, 2), (4, 1), (4, 1)]):
            x = keras.layers.Conv2D(
                settings.filters * times, 3, strides=stride, padding="same", use_bias=False, name=f"conv{number}"
            )(x)
            x = keras.layers.BatchNormalization(momentum=0.9, name=f"norm{number}")(x)
            x = keras.layers.ReLU(name=f"relu{number}")(x)
        bias = keras.initializers.Constant(FIRST_BIAS)
        x = keras.layers.Conv2D(BOX + classes, 1, activation="sigmoid", bias_initializer=bias, name="head")(x)
        scale, offset = _to_image(*self.grid, classes)
        outputs = keras.layers.Rescaling(scale.tolist(), offset.tolist(), name="boxes")(x)
        return keras.Model(inputs, outputs, name="detector")


def _to_image(rows: int, columns: int, classes: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Scale and offset of each number that move a cell's centre from shares of the cell to shares of the input.

    ``(column + x) / columns`` and ``(row + y) / rows``; all other numbers stay as they are.
    """
    offset = np.zeros((rows, columns, BOX + classes), np.float32)
    offset[..., 0], offset[..., 1] = np.arange(columns)[None, :] / columns, np.arange(rows)[:, None] / rows
    scale = np.ones_like(offset)
    scale[..., 0], scale[..., 1] = 1 / columns, 1 / rows
    return scale, offset
