"""Trains a quantized network on a dataset, and keeps the best of its epochs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Artifact
from edgerig.compilers.compression.fine_tuning import LOOK_EVERY, SUM_TOLERANCE, check_classes, objective_of
from edgerig.compilers.compression.keras_network import means
from edgerig.compilers.qat.network import Parameters, QuantizedNetwork
from edgerig.compilers.qat.settings import TrainingSettings
from edgerig.datasets.base import Dataset
from edgerig.datasets.network_inputs import NetworkInputs, inputs_of
from edgerig.datasets.splits import calibration_indices
from edgerig.errors import IncompatibleError
from edgerig.models.base import Objective
from edgerig.models.keras.steps import loss_and_metric
from edgerig.models.training.batches import Feed
from edgerig.models.training.guess import Guess
from edgerig.models.training.scores import Score, check_losses, score_of
from edgerig.progress import Progress, Task

#: How much faster the logarithms of scales are learned than weights.
FASTER_SCALES = 10.0
NO_TRAINING = "Quantize it without training: --to int8 or onnx-int8."
#: Adam's constants, those of Kingma and Ba, 2015.
BETA_1, BETA_2, TINY = 0.9, 0.999, 1e-7


class Epoch(msgspec.Struct, frozen=True):
    """How the network did on samples of the validation split after so many epochs; 0: before the first."""

    epoch: int
    loss: float
    value: float
    metric: str
    samples: int


def train_quantized(
    network: QuantizedNetwork,
    artifact: Artifact,
    dataset: Dataset,
    settings: TrainingSettings,
    progress: Progress,
    members: Mapping[str, NDArray[np.int32]],
) -> tuple[Parameters, list[Epoch], Epoch, list[str]]:
    """The parameters of the best epoch, all epochs, the best of them, and why that is no better than a guess, if it is
    not; equal arguments give equal numbers.

    Classes and masks are learned by cross-entropy, of probabilities or of logits, several labels by that of
    probabilities, real values by the mean squared error. The best epoch is that of the best metric on the validation
    split, of equal ones that of the least loss; where none is better than the network before training, that is
    returned.

    Args:
        members: The number of the cluster of each weight in kernels whose clusters are trained as one: their gradient
            is the mean of their weights' (Cho et al., "DKM", 2022, train the centroids likewise), so that weights that
            are equal take equal steps.

    Raises:
        IncompatibleError: The network has several inputs or outputs, a batch of several samples, or does not fit the
            dataset.
        ModelError: The loss became NaN or infinite.
    """
    learner = _Learner(network, artifact, dataset, settings, members)
    best, doubts = learner.judged(0)
    epochs, kept = [best], learner.parameters
    for epoch in range(settings.epochs):
        name = f"Training {artifact.name} as integers, epoch {epoch + 1} of {settings.epochs}"
        with progress.task(name, learner.feed.steps) as task:
            learner.run(epoch, task)
        judged, why = learner.judged(epoch + 1)
        epochs.append(judged)
        if _rank(judged) > _rank(best):
            best, doubts, kept = judged, why, learner.parameters
    return kept, epochs, best, doubts


def check_learnable(artifact: Artifact, dataset: Dataset) -> None:
    """Refuse what cannot be trained on a dataset, before anything is calibrated.

    Raises:
        IncompatibleError: The network has several inputs, outputs or samples in a batch; or the dataset has nothing to
            learn.
    """
    _one_input(artifact)
    objective_of(dataset, dataset.split("train").truth(slice(0, 1), artifact.preprocessing), NO_TRAINING)


def _rank(epoch: Epoch) -> tuple[float, float]:
    return (epoch.value if epoch.metric == "accuracy" else -epoch.value), -epoch.loss


class _Learner:
    """Parameters and Adam's moments of them."""

    def __init__(
        self,
        network: QuantizedNetwork,
        artifact: Artifact,
        dataset: Dataset,
        settings: TrainingSettings,
        members: Mapping[str, NDArray[np.int32]],
    ) -> None:
        import jax

        if not network.parameters["weights"]:
            raise IncompatibleError(f"{artifact.name} has no weights that training could change.", NO_TRAINING)
        self._inputs = _one_input(artifact)
        self.settings, self._dataset = settings, dataset
        samples = dataset.split("train")
        self._objective: Objective = objective_of(
            dataset, samples.truth(slice(0, 1), artifact.preprocessing), NO_TRAINING
        )
        self.feed = Feed(samples, artifact.preprocessing, settings.batch_size, self._objective)
        validation = dataset.split("validation")
        chosen = np.sort(calibration_indices(validation, settings.validation_samples))
        self._validation = Feed(validation.take(chosen), artifact.preprocessing, settings.batch_size, self._objective)
        self.parameters = network.parameters
        self._masks, self._members = network.masks if settings.keep_zeros else {}, members
        zeros = jax.tree.map(np.zeros_like, network.parameters)
        self._moments, self._taken = (zeros, zeros), 0
        self._forward = jax.jit(_batched(network, len(dataset.classes), self._objective))
        self._as_probabilities = self._checked_outputs()
        self._step = jax.jit(self._update)

    def run(self, epoch: int, task: Task) -> None:
        settings, waiting, done = self.settings, [], 0
        for inputs, truth in self.feed.shuffled(settings.seed, epoch, lambda batch, _: batch):
            # The rate falls to 0 with the steps: scales come to rest, and with them the integers beside a border.
            left = 1 - self._taken / (settings.epochs * self.feed.steps)
            self._taken += 1
            self.parameters, self._moments, loss = self._step(
                self.parameters, self._moments, self._fitted(inputs), truth, settings.learning_rate * left, self._taken
            )
            waiting.append(loss)
            if len(waiting) == LOOK_EVERY or done + len(waiting) == self.feed.steps:
                losses = [float(loss) for loss in waiting]
                check_losses(losses, done + 1, epoch + 1, settings.learning_rate)
                task.advance(len(losses), f"loss {losses[-1]:.4f}")
                done, waiting = done + len(losses), []

    def judged(self, epoch: int) -> tuple[Epoch, list[str]]:
        guess = Guess(self._objective, self._dataset.classes)
        score: Score = score_of(
            lambda inputs: np.asarray(self._probabilities(self.parameters, inputs)), self._judging(), see=guess.see
        )
        judged = Epoch(epoch, round(score.loss, 6), round(score.value, 6), score.metric, score.n)
        return judged, guess.doubts(score)

    def _judging(self) -> Iterator[tuple[NDArray[np.float32], NDArray[Any]]]:
        for inputs, truth in self._validation.in_order():
            yield self._fitted(inputs), truth

    def _update(
        self, parameters: Parameters, moments: Any, inputs: Any, truth: Any, rate: Any, number: Any
    ) -> tuple[Parameters, Any, Any]:
        import jax
        import jax.numpy as jnp

        loss, gradients = jax.value_and_grad(lambda p: loss_and_metric(truth, self._probabilities(p, inputs))[0])(
            parameters
        )
        for name, own in self._members.items():
            gradients["weights"][name] = means(gradients["weights"][name], own)
        first = jax.tree.map(lambda m, g: BETA_1 * m + (1 - BETA_1) * g, moments[0], gradients)
        second = jax.tree.map(lambda m, g: BETA_2 * m + (1 - BETA_2) * g * g, moments[1], gradients)
        long = rate * jnp.sqrt(1 - BETA_2**number) / (1 - BETA_1**number)
        changed = {}
        for group in parameters:
            faster = FASTER_SCALES if group in ("steps", "ranges") else 1.0
            changed[group] = jax.tree.map(
                lambda p, m, v, faster=faster: p - faster * long * m / (jnp.sqrt(v) + TINY),
                parameters[group],
                first[group],
                second[group],
            )
        for name, mask in self._masks.items():
            changed["weights"][name] = jnp.where(mask, changed["weights"][name], 0)
        return changed, (first, second), loss

    def _probabilities(self, parameters: Parameters, inputs: Any) -> Any:
        import jax

        outputs = self._forward(parameters, inputs)
        return outputs if self._as_probabilities else jax.nn.softmax(outputs)

    def _fitted(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        fitted: NDArray[np.float32] = self._inputs.fitted({"": inputs}, self._dataset.name)[0]
        return fitted

    def _checked_outputs(self) -> bool:
        """Whether the network gives what the loss takes; False: logits of classes."""
        if self._objective == "targets":
            return True
        inputs, truth = next(iter(self.feed.in_order()))
        outputs = np.asarray(self._forward(self.parameters, self._fitted(inputs)))
        check_classes(outputs, truth, self._dataset, self._objective)
        bounded = outputs.min() >= 0 and outputs.max() <= 1 + SUM_TOLERANCE
        if self._objective == "labels":
            if not bounded:
                raise IncompatibleError(
                    "The network gives no probabilities of several labels.", "End it in a sigmoid and save it again."
                )
            return True
        return bool(bounded and np.all(np.abs(outputs.sum(-1) - 1) < SUM_TOLERANCE))


def _one_input(artifact: Artifact) -> NetworkInputs:
    inputs = inputs_of(artifact)
    if len(artifact.inputs) != 1 or len(artifact.outputs) != 1 or inputs.batch != 1:
        raise IncompatibleError(
            f"{artifact.name} has {len(artifact.inputs)} inputs, {len(artifact.outputs)} outputs and a batch of "
            f"{inputs.batch}; only networks with one of each can be trained as integers.",
            NO_TRAINING,
        )
    return inputs


def _batched(network: QuantizedNetwork, classes: int, objective: Objective) -> Any:
    """The network's output for a batch of samples, (n, ...), classes last."""
    import jax
    import jax.numpy as jnp

    def one(parameters: Parameters, inputs: Any) -> Any:
        (output,) = network.outputs(parameters, [inputs], rounded=False)
        return output

    def call(parameters: Parameters, inputs: Any) -> Any:
        outputs = jax.vmap(one, (None, 0))(parameters, inputs[:, None])
        outputs = outputs.reshape(len(inputs), *outputs.shape[2:])
        first = objective == "pixels" and outputs.shape[-1] != classes and outputs.shape[1] == classes
        return jnp.moveaxis(outputs, 1, -1) if first else outputs

    return call
