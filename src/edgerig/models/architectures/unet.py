"""The U-Net (Ronneberger, Fischer and Brox, 2015) for segmentation, with a depth and width of choice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Preprocessing
from edgerig.datasets.base import Dataset
from edgerig.errors import SpecError
from edgerig.models.architectures.mobilenetv2 import features
from edgerig.models.architectures.moved import ClassWeights, Rotation, Scale, Shift, movement_of
from edgerig.models.base import Objective
from edgerig.models.keras.base import KerasModel, import_keras
from edgerig.models.training.augmentation import moved_images, moved_masks
from edgerig.plugins import Settings

#: Layers of MobileNetV2 whose outputs the way up joins, from the finest to the coarsest, and the one it starts from.
SKIPS = ("block_1_expand_relu", "block_3_expand_relu", "block_6_expand_relu", "block_13_expand_relu")
BOTTOM = "block_16_project"
#: How often MobileNetV2 halves its input, and the channels that it takes.
HALVINGS, RGB = 5, 3


class UNetSettings(Settings, frozen=True, kw_only=True):
    """Settings of ``unet``."""

    height: Annotated[int, msgspec.Meta(description="height of the input; a multiple of 2 to the depth", ge=1)] = 128
    width: Annotated[int, msgspec.Meta(description="width of the input; a multiple of 2 to the depth", ge=1)] = 128
    channels: Annotated[int, msgspec.Meta(description="channels of the input: 1 for grey, 3 for RGB", ge=1)] = 1
    filters: Annotated[
        int, msgspec.Meta(description="filters of the first level; each level has twice as many", ge=1)
    ] = 8
    depth: Annotated[int, msgspec.Meta(description="levels below the first", ge=1, le=6)] = 3
    encoder: Annotated[
        Literal["convolutions", "mobilenetv2"],
        msgspec.Meta(description="way down: two convolutions a level, or MobileNetV2, for RGB and multiples of 32"),
    ] = "convolutions"
    alpha: Annotated[float, msgspec.Meta(description="width of the encoder mobilenetv2", gt=0, le=2)] = 0.35
    weights: Annotated[
        str,
        msgspec.Meta(description="of the encoder mobilenetv2: none, imagenet (downloaded), or a .h5 or .keras file"),
    ] = "none"
    class_weights: ClassWeights = ()
    augment: Annotated[
        bool | Literal["affine"],
        msgspec.Meta(
            description="move training images and masks at random: true, mirrored, turned by right angles and "
            "shifted by up to an eighth; affine, mirrored and by the settings rotation, scale and shift"
        ),
    ] = True
    rotation: Rotation = 15.0
    scale: Scale = (0.5, 2.0)
    shift: Shift = 0.1


class UNet(KerasModel):
    """A U-Net: at each level two 3x3 convolutions with batch normalization, down by pooling, up by 2x2 convolutions.

    With 8 filters and a depth of 3: 121,746 parameters for 1 channel and 2 classes.

    With the encoder ``mobilenetv2`` the way down is MobileNetV2 (Sandler et al., 2018), whose expanded blocks 1, 3, 6,
    and 13 are joined on the way up by transposed convolutions; ``depth`` has no effect.
    """

    name = "unet"
    summary = "U-Net for segmentation, 121,746 parameters with 8 filters and a depth of 3"
    usual: ClassVar[Mapping[str, Any]] = {"batch_size": 8, "learning_rate": 0.003, "learning_rate_decay": 0.5}
    objective: Objective = "pixels"
    Settings = UNetSettings
    settings: UNetSettings

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.settings.height, self.settings.width, self.settings.channels)

    @property
    def class_weights(self) -> tuple[float, ...]:
        return self.settings.class_weights

    def preprocessing(self, dataset: Dataset) -> Preprocessing:
        preprocessing = dataset.preprocessing
        if preprocessing.resize is not None:
            # Datasets of image files resize to squares; a network may want another height than width.
            preprocessing = msgspec.structs.replace(preprocessing, resize=self.input_shape[:2])
        if self.settings.encoder == "convolutions":
            return preprocessing
        # -1 to 1, as the published weights of MobileNetV2 want it.
        return msgspec.structs.replace(preprocessing, scale=1 / 127.5, mean=(1.0,), std=(1.0,))

    def augment_masked(
        self, batch: NDArray[np.float32], masks: NDArray[np.int32], rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        if self.settings.augment != "affine":
            return moved_together(batch, masks, rng) if self.settings.augment else (batch, masks)
        matrices = movement_of(self.settings).draw(len(batch), masks.shape[1:], rng)
        return moved_images(batch, matrices), moved_masks(masks, matrices)

    def build(self, classes: int) -> Any:
        keras, settings = import_keras(), self.settings
        if settings.encoder == "mobilenetv2":
            return _on_mobilenetv2(settings, self.input_shape, classes)
        _check_multiple(settings, settings.depth)
        inputs = keras.Input(self.input_shape, name="image")
        x, levels = inputs, []
        for level in range(settings.depth):
            x = _two_convolutions(x, settings.filters << level, f"down{level}")
            levels.append(x)
            x = keras.layers.MaxPooling2D(2, name=f"down{level}_pool")(x)
        x = _two_convolutions(x, settings.filters << settings.depth, "bottom")
        for level in reversed(range(settings.depth)):
            filters = settings.filters << level
            x = keras.layers.Conv2DTranspose(filters, 2, strides=2, name=f"up{level}_grow")(x)
            x = keras.layers.Concatenate(name=f"up{level}_join")([x, levels[level]])
            x = _two_convolutions(x, filters, f"up{level}")
        outputs = keras.layers.Conv2D(classes, 1, activation="softmax", name="classes")(x)
        return keras.Model(inputs, outputs, name="unet")


def moved_together(
    images: NDArray[np.float32], masks: NDArray[np.int32], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Images (n, H, W, C) and their masks (n, H, W), each pair mirrored, turned and shifted at random.

    Turned by multiples of 90 degrees, of 180 where height and width differ; shifted by up to an eighth, around the
    border by reflection.
    """
    height, width = masks.shape[1:]
    turned_images, turned_masks = np.empty_like(images), np.empty_like(masks)
    for index, (image, mask) in enumerate(zip(images, masks, strict=True)):
        turns = int(rng.integers(4)) if height == width else 2 * int(rng.integers(2))
        image, mask = np.rot90(image, turns), np.rot90(mask, turns)
        if rng.random() < 0.5:
            image, mask = image[:, ::-1], mask[:, ::-1]
        rows, columns = (_reflected(size, int(rng.integers(-(size // 8), size // 8 + 1))) for size in (height, width))
        turned_images[index] = image[rows[:, None], columns]
        turned_masks[index] = mask[rows[:, None], columns]
    return turned_images, turned_masks


def _reflected(size: int, shift: int) -> NDArray[np.int64]:
    """The indices 0 to size - 1 shifted, reflected at the ends."""
    indices = np.abs(np.arange(size) + shift)
    return np.asarray(np.minimum(indices, 2 * (size - 1) - indices))


def _two_convolutions(x: Any, filters: int, name: str) -> Any:
    layers = import_keras().layers
    for number in (1, 2):
        x = layers.Conv2D(
            filters, 3, padding="same", use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv{number}"
        )(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm{number}")(x)
        x = layers.ReLU(name=f"{name}_relu{number}")(x)
    return x


def _on_mobilenetv2(settings: UNetSettings, shape: tuple[int, ...], classes: int) -> Any:
    keras = import_keras()
    if settings.channels != RGB:
        raise SpecError(
            f"Model 'unet' with the encoder mobilenetv2 takes colour images, and channels is {settings.channels}.",
            "Set channels to 3, or take the encoder convolutions.",
        )
    _check_multiple(settings, HALVINGS)
    base = features(shape, settings.alpha, settings.weights)
    x = base.get_layer(BOTTOM).output
    for level in reversed(range(len(SKIPS))):
        x = keras.layers.Conv2DTranspose(
            settings.filters << (level + 3), 3, strides=2, padding="same", use_bias=False, name=f"up{level}_grow"
        )(x)
        x = keras.layers.BatchNormalization(momentum=0.9, name=f"up{level}_norm")(x)
        x = keras.layers.ReLU(name=f"up{level}_relu")(x)
        x = keras.layers.Concatenate(name=f"up{level}_join")([x, base.get_layer(SKIPS[level]).output])
    outputs = keras.layers.Conv2DTranspose(classes, 3, strides=2, padding="same", activation="softmax", name="classes")(
        x
    )
    return keras.Model(base.input, outputs, name="unet_mobilenetv2")


def _check_multiple(settings: UNetSettings, halvings: int) -> None:
    step = 1 << halvings
    if settings.height % step or settings.width % step:
        raise SpecError(
            f"Model 'unet' halves its input {halvings} times, which {settings.height}x{settings.width} does not allow.",
            f"Give a height and a width that are multiples of {step}, or a smaller depth.",
        )
