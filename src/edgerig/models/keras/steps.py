"""One optimizer step and one evaluation step of a Keras model, compiled by JAX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.models.keras.engine import import_keras
from edgerig.models.training.objectives import LABEL_AXES, SMALLEST_WEIGHT, check_values
from edgerig.models.training.own_loss import OwnLoss
from edgerig.models.training.scores import EPSILON, HALF

#: What is made of the trainable weights after each step, in the order of ``model.trainable_variables``; JAX traces it.
Project = Callable[[list[Any]], list[Any]]


class Trainer:
    """Trains the variables of a Keras model with Adam, on cross-entropy or on mean squared error.

    The first is for classes: integers of shape (n,), or (n, H, W) for masks, whose negative pixels are ignored and
    whose others count by ``weights``, one for each class, where given; or of shape (n, labels), 0 or 1 for each of
    several labels, negative where not known. The second is for real values, float32, as many a sample as the network
    gives; NaN where not known. An ``own_loss`` comes before both. ``project`` is called on the weights after each step,
    for what is to stay true of them.

    The state lives in JAX arrays between `start` and `finish`, and in the model's variables outside of them.
    """

    def __init__(
        self,
        model: Any,
        weights: Sequence[float] = (),
        own_loss: OwnLoss | None = None,
        project: Project | None = None,
    ) -> None:
        self.model, self.weights, self.own_loss, self.project = model, tuple(weights), own_loss, project
        self.optimizer = import_keras().optimizers.Adam()
        self.optimizer.build(model.trainable_variables)
        self._state: Any = None
        self._step = self._compile()

    def _compile(self) -> Any:
        import jax

        model, optimizer, weights, own_loss = self.model, self.optimizer, self.weights, self.own_loss
        project = self.project or (lambda trainable: trainable)

        def loss_of(trainable: Any, fixed: Any, inputs: Any, truth: Any) -> tuple[Any, Any]:
            outputs, fixed, penalties = model.stateless_call(
                trainable, fixed, inputs, training=True, return_losses=True
            )
            loss, metric = loss_and_metric(truth, outputs, weights, own_loss)
            return loss + sum(penalties), (fixed, loss, metric)

        def step(state: Any, inputs: Any, truth: Any) -> tuple[Any, Any, Any]:
            trainable, fixed, moments = state
            (_, (fixed, loss, metric)), gradients = jax.value_and_grad(loss_of, has_aux=True)(
                trainable, fixed, inputs, truth
            )
            trainable, moments = optimizer.stateless_apply(moments, gradients, trainable)
            return (project(trainable), fixed, moments), loss, metric

        return jax.jit(step, donate_argnums=0)

    def start(self, learning_rate: float) -> None:
        """Take the state out of the model, for steps with ``learning_rate``."""
        import jax

        self.optimizer.learning_rate = learning_rate
        # Copies, because a step donates its arguments, and Keras must not keep deleted arrays. They are numpy's, since
        # JAX would compile its own anew for each shape.
        self._state = tuple(
            [jax.device_put(np.array(variable.value)) for variable in group] for group in self._groups()
        )

    def step(self, inputs: NDArray[np.float32], truth: NDArray[Any]) -> tuple[Any, Any]:
        """One step; loss and metric of the batch as JAX scalars, which may still be being computed.

        The metric is the share of right classes, or the mean absolute error.
        """
        self._state, loss, metric = self._step(self._state, inputs, truth)
        return loss, metric

    def finish(self) -> None:
        """Put the state back into the model."""
        for group, values in zip(self._groups(), self._state, strict=True):
            for variable, value in zip(group, values, strict=True):
                variable.assign(value)
        self._state = None

    def _groups(self) -> tuple[Any, Any, Any]:
        return self.model.trainable_variables, self.model.non_trainable_variables, self.optimizer.variables


def loss_and_metric(
    truth: Any, outputs: Any, weights: Sequence[float] = (), own_loss: OwnLoss | None = None
) -> tuple[Any, Any]:
    """The loss and the metric of a batch, see `Trainer`; JAX traces it."""
    import jax.numpy as jnp

    if own_loss is not None:
        return _by_own(own_loss, truth, outputs)
    if jnp.issubdtype(truth.dtype, jnp.floating):
        return _mean_errors(truth, outputs)
    if truth.ndim == LABEL_AXES:
        return _of_labels(truth, outputs)
    return _of_classes(truth, outputs, weights)


def _of_classes(labels: Any, outputs: Any, weights: Sequence[float]) -> tuple[Any, Any]:
    """Mean cross-entropy of probabilities, and the share of right classes."""
    import jax.numpy as jnp

    losses = import_keras().losses.sparse_categorical_crossentropy
    right = jnp.argmax(outputs, -1) == labels
    if labels.ndim == 1 and not weights:
        return jnp.mean(losses(labels, outputs)), jnp.mean(right)
    classes = jnp.maximum(labels, 0)
    share = jnp.asarray(weights)[classes] if weights else jnp.ones(labels.shape)
    share = jnp.where(labels >= 0, share, 0.0)
    loss = jnp.sum(share * losses(classes, outputs)) / jnp.maximum(jnp.sum(share), SMALLEST_WEIGHT)
    return loss, jnp.sum(right) / jnp.maximum(jnp.sum(labels >= 0), 1)


def _of_labels(truth: Any, outputs: Any) -> tuple[Any, Any]:
    """Mean binary cross-entropy of the labels that are known, and the share of right ones."""
    import jax.numpy as jnp

    check_values(outputs.shape, truth.shape)
    known, present, outputs = truth >= 0, truth == 1, outputs.reshape(truth.shape)
    chances = jnp.clip(outputs, EPSILON, 1 - EPSILON)
    losses = -jnp.log(jnp.where(present, chances, 1 - chances))
    count = jnp.maximum(jnp.sum(known), 1)
    right = known & ((outputs >= HALF) == present)
    return jnp.sum(jnp.where(known, losses, 0.0)) / count, jnp.sum(right) / count


def _mean_errors(truth: Any, outputs: Any) -> tuple[Any, Any]:
    """Mean squared and mean absolute error over the values that are known."""
    import jax.numpy as jnp

    check_values(outputs.shape, truth.shape)
    known = jnp.isfinite(truth)
    # Where nothing is known the error has to be a number, too: its gradient is multiplied by zero.
    errors = jnp.where(known, outputs.reshape(truth.shape) - jnp.where(known, truth, 0.0), 0.0)
    count = jnp.maximum(jnp.sum(known), 1)
    return jnp.sum(errors**2) / count, jnp.sum(jnp.abs(errors)) / count


def _by_own(own_loss: OwnLoss, targets: Any, outputs: Any) -> tuple[Any, Any]:
    """Mean loss of the samples, and the share of their parts that is right."""
    import jax.numpy as jnp

    hits, parts = own_loss.hits(targets, outputs)
    return jnp.mean(own_loss.losses(targets, outputs)), jnp.sum(hits) / jnp.maximum(jnp.sum(parts), 1)


class Evaluator:
    """Runs a Keras model on batches, without changing it."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self._call = self._compile()

    def _compile(self) -> Any:
        import jax

        model = self.model
        return jax.jit(
            lambda trainable, fixed, inputs: model.stateless_call(trainable, fixed, inputs, training=False)[0]
        )

    def predict(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Outputs, shape (n, ...), float32, for inputs of shape (n, ...)."""
        trainable = [variable.value for variable in self.model.trainable_variables]
        fixed = [variable.value for variable in self.model.non_trainable_variables]
        return np.asarray(self._call(trainable, fixed, inputs))
