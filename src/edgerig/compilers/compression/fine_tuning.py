"""Fine-tuning of a Keras network on the training split of a dataset."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Artifact
from edgerig.compilers.compression.settings import FineTuningSettings
from edgerig.datasets.base import Dataset
from edgerig.errors import IncompatibleError
from edgerig.models.base import Objective
from edgerig.models.keras.engine import seeded
from edgerig.models.keras.fast_gradients import fast_gradients
from edgerig.models.keras.steps import Evaluator, Project, Trainer
from edgerig.models.training.batches import Feed
from edgerig.models.training.objectives import LABEL_AXES
from edgerig.models.training.scores import check_losses
from edgerig.progress import Progress, Task

#: Steps between two reads of the loss. Each read waits for the device.
LOOK_EVERY = 16
#: How far the probabilities of all classes may be from 1 together.
SUM_TOLERANCE = 1e-3
_NO_TUNING = "Compile without fine-tuning (--option epochs=0)."


def fine_tune(
    model: Any,
    artifact: Artifact,
    dataset: Dataset,
    settings: FineTuningSettings,
    progress: Progress,
    project: Project | None = None,
) -> None:
    """Train all layers of ``model`` for ``settings.epochs`` epochs; equal arguments give equal weights.

    Classes, several labels and masks are learned by cross-entropy of the network's probabilities, real values by the
    mean squared error.

    Args:
        project: See `Trainer`: what is made of the trainable weights after each step.

    Raises:
        IncompatibleError: The network has several inputs or outputs or a fixed batch, takes other samples than the
            dataset has, or gives no probabilities; or the dataset is of another task.
        ModelError: The loss became NaN or infinite.
    """
    if not settings.epochs:
        return
    samples = dataset.split("train")
    objective = objective_of(dataset, samples.truth(slice(0, 1), artifact.preprocessing))
    feed = Feed(samples, artifact.preprocessing, settings.batch_size, objective)
    _check_fit(model, dataset, feed, objective)
    model.trainable = True
    with seeded(settings.seed), fast_gradients(model):
        trainer = Trainer(model, project=project)
        for epoch in range(settings.epochs):
            name = f"Fine-tuning {artifact.name}, epoch {epoch + 1} of {settings.epochs}"
            with progress.task(name, feed.steps) as task:
                _epoch(trainer, feed, settings, epoch, task)


def _epoch(trainer: Trainer, feed: Feed, settings: FineTuningSettings, epoch: int, task: Task) -> None:
    waiting: list[Any] = []
    done = 0

    def look() -> None:
        nonlocal done
        losses = [float(loss) for loss in waiting]
        waiting.clear()
        check_losses(losses, done + 1, epoch + 1, settings.learning_rate)
        done += len(losses)
        if losses:
            task.advance(len(losses), f"loss {losses[-1]:.4f}")

    trainer.start(settings.learning_rate)
    for inputs, truth in feed.shuffled(settings.seed, epoch, lambda batch, _: batch):
        waiting.append(trainer.step(inputs, truth)[0])
        if len(waiting) == LOOK_EVERY:
            look()
    look()
    trainer.finish()


def objective_of(dataset: Dataset, truth: NDArray[Any], hint: str = _NO_TUNING) -> Objective:
    """What the network learns, by the form of what is right for one sample.

    Raises:
        IncompatibleError: There is nothing to learn; ``hint`` says how to do without.
    """
    real, axes = truth.dtype.kind == "f", truth.ndim
    if dataset.task in ("none", "anomaly") or (real and axes > LABEL_AXES):
        raise IncompatibleError(
            f"A network cannot be fine-tuned on dataset {dataset.name!r}, whose task is {dataset.task!r}.", hint
        )
    if real:
        return "targets"
    return "class" if axes == 1 else "labels" if axes == LABEL_AXES else "pixels"


def _check_fit(model: Any, dataset: Dataset, feed: Feed, objective: Objective) -> None:
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise IncompatibleError("Only a network of one input and one output can be fine-tuned.", _NO_TUNING)
    batch, *shape = model.inputs[0].shape
    if batch is not None:
        raise IncompatibleError(
            f"The network's batch is fixed to {batch}, with which it cannot be fine-tuned.", _NO_TUNING
        )
    if len(shape) != len(feed.shape) or any(
        size not in (None, own) for size, own in zip(shape, feed.shape, strict=True)
    ):
        raise IncompatibleError(
            f"The network takes samples of shape {tuple(shape)}, and dataset {dataset.name!r} has {feed.shape}.",
            "Name the dataset that the network was trained on.",
        )
    if objective == "targets":
        return
    inputs, truth = next(iter(feed.in_order()))
    outputs = Evaluator(model).predict(inputs)
    sums_to_one = objective == "labels" or bool(np.all(np.abs(outputs.sum(-1) - 1) < SUM_TOLERANCE))
    if not sums_to_one or outputs.min() < 0 or outputs.max() > 1 + SUM_TOLERANCE:
        raise IncompatibleError(
            "The network gives no probabilities, whose cross-entropy fine-tuning makes small.",
            f"End it in a softmax, or in a sigmoid for several labels. {_NO_TUNING}",
        )
    check_classes(outputs, truth, dataset, objective)


def check_classes(outputs: NDArray[Any], truth: NDArray[Any], dataset: Dataset, objective: Objective) -> None:
    """Refuse a network that gives other classes than the dataset has; (n, ..., classes), and what is right.

    Raises:
        IncompatibleError: It gives more or fewer classes; or a label of the dataset is none of its classes.
    """
    classes = len(dataset.classes)
    if objective != "labels" and outputs.shape[-1] != classes:
        raise IncompatibleError(
            f"The network has {outputs.shape[-1]} outputs, and dataset {dataset.name!r} {classes} classes.",
            "Name the dataset that the network was trained on.",
        )
    if objective == "class" and (truth.min() < 0 or truth.max() >= outputs.shape[-1]):
        raise IncompatibleError(f"A label of dataset {dataset.name!r} is none of its classes.", "Correct the labels.")
