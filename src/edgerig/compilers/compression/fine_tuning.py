"""Fine-tuning of a network on the training split of a dataset."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import WARNING, Artifact
from edgerig.compilers.compression.network import Held, Learner, Network
from edgerig.compilers.compression.settings import FineTuningSettings
from edgerig.datasets.base import Dataset
from edgerig.datasets.splits import calibration_indices
from edgerig.errors import IncompatibleError
from edgerig.models.base import Objective
from edgerig.models.training.batches import Feed
from edgerig.models.training.guess import Guess, worse
from edgerig.models.training.objectives import LABEL_AXES
from edgerig.models.training.scores import Score, check_losses, score_of
from edgerig.progress import Progress, Task

#: Steps between two reads of the loss. Each read waits for the device.
LOOK_EVERY = 16
#: Samples of the training split on which the network is judged before and after.
JUDGED = 500
#: How far the probabilities of all classes may be from 1 together.
SUM_TOLERANCE = 1e-3
NO_TUNING = "Compile without fine-tuning (--option epochs=0)."


def fine_tune(
    network: Network,
    artifact: Artifact,
    dataset: Dataset | None,
    settings: FineTuningSettings,
    progress: Progress,
    held: Held,
) -> dict[str, Any]:
    """Train all layers of ``network`` for ``settings.epochs`` epochs; equal arguments give equal weights.

    Classes, several labels and masks are learned by cross-entropy, real values by the mean squared error.

    Args:
        held: What stays true of its kernels.

    Returns:
        What the artifact's record is to say of it: a warning where the network is worse on samples that it was trained
        on than before, or no better than a guess.

    Raises:
        IncompatibleError: The network has several inputs or outputs or a fixed batch, takes other samples than the
            dataset has, or gives no probabilities; or the dataset is of another task.
        ModelError: The loss became NaN or infinite.
    """
    if not settings.epochs:
        return {}
    assert dataset is not None, "the pipeline refuses to fine-tune without a dataset"
    samples = dataset.split("train")
    objective = objective_of(dataset, samples.truth(slice(0, 1), artifact.preprocessing))
    feed = Feed(samples, artifact.preprocessing, settings.batch_size, objective)
    learner = network.learner(artifact, dataset, feed, objective, held, settings.seed)
    _check_outputs(learner, dataset, feed, objective, network.learns_logits)
    some = np.sort(calibration_indices(samples, JUDGED))
    judge = Feed(samples.take(some), artifact.preprocessing, settings.batch_size, objective)
    before, _ = _judged(learner, judge, dataset)
    with learner.session():
        for epoch in range(settings.epochs):
            name = f"Fine-tuning {artifact.name}, epoch {epoch + 1} of {settings.epochs}"
            with progress.task(name, feed.steps) as task:
                _epoch(learner, feed, settings, epoch, task)
    after, doubts = _judged(learner, judge, dataset)
    lost = worse(before, after, settings.learning_rate)
    doubts = [*([lost] if lost else []), *doubts]
    for doubt in doubts:
        progress.log(f"(!) {artifact.name}: {doubt}")
    return {WARNING: " ".join(doubts)} if doubts else {}


def _judged(learner: Learner, feed: Feed, dataset: Dataset) -> tuple[Score, list[str]]:
    """How the network does on samples, and why that is no better than a guess, if it is not."""
    guess = Guess(feed.objective, dataset.classes)

    def probabilities(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        outputs = learner.outputs(inputs)
        if feed.objective in ("targets", "labels") or are_probabilities(outputs, feed.objective):
            return outputs
        powers: NDArray[np.float32] = np.exp(outputs - outputs.max(-1, keepdims=True))
        shares: NDArray[np.float32] = powers / powers.sum(-1, keepdims=True)
        return shares

    score = score_of(probabilities, feed.in_order(), see=guess.see)
    return score, guess.doubts(score)


def _epoch(learner: Learner, feed: Feed, settings: FineTuningSettings, epoch: int, task: Task) -> None:
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

    learner.start(settings.learning_rate)
    for inputs, truth in feed.shuffled(settings.seed, epoch, lambda batch, _: batch):
        waiting.append(learner.step(inputs, truth))
        if len(waiting) == LOOK_EVERY:
            look()
    look()
    learner.finish()


def objective_of(dataset: Dataset, truth: NDArray[Any], hint: str = NO_TUNING) -> Objective:
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


def _check_outputs(learner: Learner, dataset: Dataset, feed: Feed, objective: Objective, logits: bool) -> None:
    if objective == "targets":
        return
    inputs, truth = next(iter(feed.in_order()))
    outputs = learner.outputs(inputs)
    able = logits and objective != "labels"
    if not able and not are_probabilities(outputs, objective):
        raise IncompatibleError(
            "The network gives no probabilities, whose cross-entropy fine-tuning makes small.",
            f"End it in a softmax, or in a sigmoid for several labels. {NO_TUNING}",
        )
    check_classes(outputs, truth, dataset, objective)


def are_probabilities(outputs: NDArray[Any], objective: Objective) -> bool:
    """Whether outputs (n, ..., classes) are probabilities, which sum to 1 unless they are of several labels."""
    if outputs.min() < 0 or outputs.max() > 1 + SUM_TOLERANCE:
        return False
    return objective == "labels" or bool(np.all(np.abs(outputs.sum(-1) - 1) < SUM_TOLERANCE))


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
