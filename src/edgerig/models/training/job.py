"""What a training trains, on what and how, checked before the first step."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from edgerig.datasets.base import Dataset, Samples
from edgerig.errors import DatasetError, IncompatibleError
from edgerig.models.base import TrainSettings
from edgerig.models.training.checkpoint import Identity
from edgerig.models.training.hooks import TrainingHooks
from edgerig.models.training.phase import Phase

#: Axes of masks: (n, H, W).
MASK_AXES = 3


class Job:
    """A network, a dataset that fits it, and settings.

    Attributes:
        plan: Phase and learning rate of each epoch.
        samples: The samples of the training split that it learns from.
        validation: Those of the validation split.
        identity: What must be equal for a training to go on from a checkpoint.

    Raises:
        IncompatibleError: Dataset and network do not fit, by the form of what is right.
        DatasetError: A label is none of the dataset's classes.
    """

    def __init__(self, wrapper: TrainingHooks, dataset: Dataset, settings: TrainSettings) -> None:
        self.wrapper, self.dataset, self.settings = wrapper, dataset, settings
        self.preprocessing = wrapper.preprocessing(dataset)
        self.plan = _plan(wrapper, settings)
        self.samples, self.validation = dataset.split("train"), dataset.split("validation")
        if settings.train_samples is not None:
            self.samples = self.samples.take(np.arange(min(settings.train_samples, len(self.samples))))
        _check_form(wrapper, dataset, self.samples.truth(slice(0, 1), self.preprocessing).ndim)
        if not wrapper.per_pixel:
            _check_labels(dataset, self.samples, self.validation)
        self.identity = self._identity()

    def _identity(self) -> Identity:
        train_settings = plain(self.settings)
        # A larger number of epochs is compatible, unless another phase follows.
        if len({id(phase) for phase, _ in self.plan}) <= 1:
            del train_settings["epochs"]
        return Identity(
            model=self.wrapper.name,
            model_settings=plain(self.wrapper.settings),
            train_settings=train_settings,
            dataset=self.dataset.name,
            classes=self.dataset.classes,
            train_fingerprint=self.samples.fingerprint,
            validation_fingerprint=self.validation.fingerprint,
            preprocessing=self.preprocessing.hash,
        )


def plain(settings: msgspec.Struct) -> dict[str, Any]:
    """Settings as they are after a round trip through JSON: tuples are lists."""
    values: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(settings))
    return values


def _plan(wrapper: TrainingHooks, settings: TrainSettings) -> tuple[tuple[Phase, float], ...]:
    return tuple(
        (phase, float(phase.learning_rate * settings.learning_rate_decay**epoch))
        for phase in wrapper.phases(settings)
        for epoch in range(phase.epochs)
    )


def _check_form(wrapper: TrainingHooks, dataset: Dataset, axes: int) -> None:
    """Check that there are masks for a network of class maps, and labels for others; ``axes`` of what is right."""
    if wrapper.per_pixel != (axes == MASK_AXES):
        has = "masks" if axes == MASK_AXES else "one label a sample"
        learns = "a class for each pixel" if wrapper.per_pixel else "one class a sample"
        raise IncompatibleError(
            f"Model {wrapper.name!r} learns {learns}, dataset {dataset.name!r} has {has}.",
            "Choose a model and a dataset for the same task: edgerig list datasets, edgerig list models.",
        )
    weights, count = wrapper.class_weights, len(dataset.classes)
    if weights and (len(weights) != count or not any(weights)):
        raise IncompatibleError(
            f"Model {wrapper.name!r} has {len(weights)} class weights for the {count} classes of dataset "
            f"{dataset.name!r}.",
            "Give one weight for each class, not all of them 0.",
        )


def _check_labels(dataset: Dataset, *splits: Samples) -> None:
    if not dataset.classes:
        raise IncompatibleError(
            f"Dataset {dataset.name!r} has no classes to learn.", "Train on a dataset for classification."
        )
    for samples in splits:
        bad = np.flatnonzero((samples.labels < 0) | (samples.labels >= len(dataset.classes)))
        if bad.size:
            raise DatasetError(
                f"Sample {bad[0]} of dataset {dataset.name!r} has the label {samples.labels[bad[0]]}, "
                f"which is none of its {len(dataset.classes)} classes.",
                "Correct the labels; they count from 0.",
            )
