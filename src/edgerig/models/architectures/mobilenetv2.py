"""MobileNetV2 with transfer learning, for folders of pictures and the Oxford-IIIT Pet dataset."""

from __future__ import annotations

import contextlib
import sys
import warnings
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Preprocessing
from edgerig.datasets.base import Dataset
from edgerig.errors import ModelError, SourceError, SpecError
from edgerig.models.architectures.moved import ClassWeights, Rotation, Scale, Shift, movement_of
from edgerig.models.base import TrainSettings
from edgerig.models.keras.base import KerasModel, Phase, import_keras
from edgerig.models.keras.files import load_keras
from edgerig.models.training.augmentation import moved_images
from edgerig.plugins import Settings
from edgerig.text import cause_of

Described = msgspec.Meta

#: Input sizes and widths for which weights trained on ImageNet are published.
IMAGENET_SIZES = (96, 128, 160, 192, 224)
IMAGENET_ALPHAS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
#: The layers that are new for each dataset.
HEAD = ("head_pool", "head_dropout", "probabilities")


class MobileNetV2Settings(Settings, frozen=True, kw_only=True):
    """Settings of ``mobilenetv2``."""

    alpha: Annotated[float, Described(description="width: factor on the number of filters", gt=0, le=2)] = 0.35
    input_size: Annotated[int, Described(description="height and width of the input in pixels", ge=32)] = 96
    weights: Annotated[
        str, Described(description="none, imagenet (downloaded by Keras), or the path of a .h5 or .keras file")
    ] = "imagenet"
    freeze: Annotated[
        bool | None, Described(description="train only the head at first; by default if weights are given")
    ] = None
    fine_tune_epochs: Annotated[
        int, Described(description="epochs with the whole network, after those with the head only", ge=0)
    ] = 0
    fine_tune_factor: Annotated[
        float, Described(description="factor on the learning rate while fine-tuning", gt=0, le=1)
    ] = 0.1
    dropout: Annotated[float, Described(description="share of features dropped before the last layer", ge=0, lt=1)] = (
        0.2
    )
    augment: Annotated[
        bool | Literal["affine"],
        Described(
            description="change training pictures at random: true, mirrored; affine, by the settings rotation, scale "
            "and shift as well"
        ),
    ] = True
    rotation: Rotation = 15.0
    scale: Scale = (0.5, 2.0)
    shift: Shift = 0.1
    class_weights: ClassWeights = ()


class MobileNetV2(KerasModel):
    """MobileNetV2 (Sandler et al., 2018) with a new classifier on top of pretrained features."""

    name = "mobilenetv2"
    summary = "MobileNetV2 with transfer learning, for `folder` and `pet`"
    Settings = MobileNetV2Settings
    settings: MobileNetV2Settings

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        kind = _kind_of(self.settings.weights)
        if kind == "imagenet" and (
            self.settings.input_size not in IMAGENET_SIZES or self.settings.alpha not in IMAGENET_ALPHAS
        ):
            raise SpecError(
                f"There are no ImageNet weights for alpha {self.settings.alpha:g} and input_size "
                f"{self.settings.input_size}.",
                f"alpha: {_listed(IMAGENET_ALPHAS)}; input_size: {_listed(IMAGENET_SIZES)}; or weights: none.",
            )
        if kind == "none" and self.settings.freeze:
            raise SpecError(
                "freeze without weights would train a classifier on random features.",
                "Give weights (imagenet or a file), or leave freeze out.",
            )

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.settings.input_size, self.settings.input_size, 3)

    @property
    def frozen(self) -> bool:
        """Whether the features are frozen in the first phase."""
        return self.settings.weights != "none" if self.settings.freeze is None else bool(self.settings.freeze)

    @property
    def class_weights(self) -> tuple[float, ...]:
        return self.settings.class_weights

    def preprocessing(self, dataset: Dataset) -> Preprocessing:
        return Preprocessing(scale=1 / 127.5, mean=(1.0,), resize=(self.settings.input_size, self.settings.input_size))

    def augment(self, batch: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        if not self.settings.augment:
            return batch
        if self.settings.augment == "affine":
            return moved_images(batch, movement_of(self.settings).draw(len(batch), batch.shape[1:3], rng))
        mirrored = rng.random(len(batch)) < 0.5
        return np.where(mirrored[:, None, None, None], batch[:, :, ::-1], batch)

    def phases(self, settings: TrainSettings) -> tuple[Phase, ...]:
        first = Phase(
            settings.epochs,
            settings.learning_rate,
            learns=(lambda layer: layer.name in HEAD) if self.frozen else (lambda layer: True),
            title="head only" if self.frozen else "",
        )
        if not self.settings.fine_tune_epochs:
            return (first,)
        keras = import_keras()
        # Batch statistics of a small dataset would spoil the features that were trained on ImageNet.
        return first, Phase(
            self.settings.fine_tune_epochs,
            settings.learning_rate * self.settings.fine_tune_factor,
            learns=lambda layer: not isinstance(layer, keras.layers.BatchNormalization),
            title="fine-tuning",
        )

    def build(self, classes: int) -> Any:
        keras = import_keras()
        base = features(self.input_shape, self.settings.alpha, self.settings.weights)
        x = keras.layers.GlobalAveragePooling2D(name=HEAD[0])(base.output)
        x = keras.layers.Dropout(self.settings.dropout, name=HEAD[1])(x)
        outputs = keras.layers.Dense(classes, activation="softmax", name=HEAD[2])(x)
        return keras.Model(base.input, outputs, name="mobilenetv2")


def features(shape: tuple[int, ...], alpha: float, weights: str) -> Any:
    """MobileNetV2 without its classifier, as a Keras model of the input ``image``; for ``weights`` see the settings.

    Raises:
        SourceError: The published weights could not be downloaded. ModelError: The file holds no such weights.
    """
    keras = import_keras()
    kind = _kind_of(weights)
    try:
        # Keras reports its download on standard output, which belongs to --json.
        with contextlib.redirect_stdout(sys.stderr):
            base = keras.applications.MobileNetV2(
                input_tensor=keras.Input(shape, name="image"),
                input_shape=shape,  # decides which of the published weights are taken
                alpha=alpha,
                include_top=False,
                weights="imagenet" if kind == "imagenet" else None,
            )
    except Exception as error:
        if kind != "imagenet":
            raise
        raise SourceError(
            f"The ImageNet weights could not be downloaded: {cause_of(error)}.",
            "Check the network; or give the path of a .h5 or .keras file as weights; or train without: weights=none.",
        ) from error
    if kind == "file":
        _load_features(base, Path(weights).expanduser())
    return base


def _kind_of(weights: str) -> Literal["none", "imagenet", "file"]:
    if weights == "none":
        return "none"
    if weights == "imagenet":
        return "imagenet"
    if Path(weights).suffix.lower() not in (".h5", ".keras"):
        raise SpecError(
            f"weights: {weights!r} is neither 'none' nor 'imagenet' nor a .h5 or .keras file.",
            "Give one of these.",
        )
    return "file"


def _load_features(base: Any, path: Path) -> None:
    """Copy weights from ``path`` into ``base``: by layer name from ``.keras``, as Keras stores them from ``.h5``.

    Raises:
        ModelError: The file is missing or corrupt, or made for another width.
    """
    if not path.is_file():
        raise ModelError(f"There is no weights file {path}.", "Check the setting weights.")
    if path.suffix.lower() == ".keras":
        _copy_by_name(load_keras(path), base, path)
        return
    # Keras leaves weights unchanged that the file lacks, with a warning at most: fill them with a mark to detect it.
    for variable in base.variables:
        variable.assign(np.full(variable.shape, np.nan, np.float32))
    hint = "It must be made without the top layers (no_top) and for the same alpha."
    try:
        with warnings.catch_warnings(action="ignore", category=UserWarning):
            base.load_weights(path)
    except Exception as error:
        raise ModelError(f"{path} does not hold weights for this MobileNetV2: {cause_of(error)}", hint) from error
    for variable in base.variables:
        if np.isnan(np.asarray(variable.value)).any():
            raise ModelError(f"{path} does not hold weights for this MobileNetV2: {variable.path} is missing.", hint)


def _copy_by_name(source: Any, base: Any, path: Path) -> None:
    known = {layer.name: layer for layer in source.layers}
    for layer in base.layers:
        if not layer.weights:
            continue
        known_layer = known.get(layer.name)
        shapes = [tuple(weight.shape) for weight in layer.weights]
        if known_layer is None or [tuple(weight.shape) for weight in known_layer.weights] != shapes:
            why = "is not in it" if known_layer is None else "has another shape there"
            raise ModelError(
                f"{path} does not hold weights for this MobileNetV2: layer {layer.name!r} {why}.",
                "It must be a MobileNetV2 with the same alpha.",
            )
        layer.set_weights(known_layer.get_weights())


def _listed(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)
