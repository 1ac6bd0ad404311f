"""What a training trains, on what and how, checked before the first step."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.datasets.base import Dataset, Samples, SplitName
from edgerig.errors import DatasetError, IncompatibleError
from edgerig.models.base import Objective, TrainSettings
from edgerig.models.training.checkpoint import Identity
from edgerig.models.training.hooks import TrainingHooks
from edgerig.models.training.objectives import LABEL_AXES, learnt_from, outputs_for
from edgerig.models.training.phase import Phase

#: Axes of masks, (n, H, W), and of boxes, (n, boxes, numbers).
TRUTH_AXES = 3
#: What networks learn, and what datasets have for it, for messages.
LEARNS = {
    "class": "one class a sample",
    "labels": "several labels a sample",
    "pixels": "a class for each pixel",
    "targets": "real values",
    "boxes": "boxes of objects",
}
HAS = {**LEARNS, "class": "one label a sample", "pixels": "masks", "boxes": "boxes"}


class Job:
    """A network, a dataset that fits it, and settings.

    Attributes:
        plan: Phase and learning rate of each epoch.
        samples: The samples of the training split that it learns from.
        validation: Those of the validation split.
        outputs: Values that the network is to give, see `TrainingHooks.build`.
        identity: What must be equal for a training to go on from a checkpoint.

    Raises:
        IncompatibleError: Dataset and network do not fit, by the form of what is right.
        DatasetError: A label is none of the dataset's classes.
    """

    def __init__(self, wrapper: TrainingHooks, dataset: Dataset, settings: TrainSettings) -> None:
        self.wrapper, self.dataset, self.settings = wrapper, dataset, settings
        self.preprocessing = wrapper.preprocessing(dataset)
        self.plan = _plan(wrapper, settings)
        self.samples, self.validation = self.learnt_from("train"), self.learnt_from("validation")
        if settings.train_samples is not None:
            self.samples = self.samples.take(np.arange(min(settings.train_samples, len(self.samples))))
        truth = self.samples.truth(slice(0, 1), self.preprocessing)
        _check_form(wrapper, dataset, truth)
        if wrapper.objective == "class":
            _check_labels(dataset, self.samples, self.validation)
        self.outputs = outputs_for(wrapper.objective, dataset, wrapper.input_shape, truth)
        self.identity = self._identity()

    def learnt_from(self, split: SplitName) -> Samples:
        """The samples of a split that count: all, but of anomaly detection the normal ones for an autoencoder."""
        return learnt_from(self.dataset.split(split), self.dataset, self.wrapper.objective)

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


def _check_form(wrapper: TrainingHooks, dataset: Dataset, truth: NDArray[Any]) -> None:
    """Check that there is what a network learns; ``truth`` is what is right for one sample.

    An autoencoder learns from inputs alone, whatever is right for them.
    """
    real = truth.dtype.kind == "f"
    has: Objective = "targets" if real else "labels" if truth.ndim == LABEL_AXES else "class"
    if truth.ndim == TRUTH_AXES:
        has = "boxes" if real else "pixels"
    if wrapper.objective not in (has, "reconstruction"):
        raise IncompatibleError(
            f"Model {wrapper.name!r} learns {LEARNS[wrapper.objective]}, dataset {dataset.name!r} has {HAS[has]}.",
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
