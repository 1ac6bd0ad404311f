"""Losses over batches, and what is told beside them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.errors import DatasetError, ModelError
from edgerig.models.training.objectives import LABEL_AXES, check_values
from edgerig.models.training.own_loss import OwnLoss

Batches = Iterable[tuple[NDArray[np.float32], NDArray[Any]]]

#: As in Keras: probabilities are clipped this far from 0 before the logarithm is taken.
EPSILON = 1e-7
#: Probability from which on a label counts as predicted.
HALF = 0.5


class Score(msgspec.Struct, frozen=True):
    """Means over ``n`` samples, labels, pixels of masks, or real values: ``value`` is that of ``metric``.

    Of classes and labels the loss is the cross-entropy in nats, and the metric the accuracy, the share of correct
    predictions; of real values they are the squared and the absolute error (``mae``).
    """

    loss: float
    value: float
    n: int
    metric: str = "accuracy"


def score_of(
    predict: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    batches: Batches,
    own_loss: OwnLoss | None = None,
    see: Callable[[NDArray[np.float32], NDArray[Any]], object] = lambda outputs, truth: None,
) -> Score:
    """Loss and metric over all batches; inputs beyond what is right are padding.

    Args:
        predict: Probabilities, shape (n, classes) or of pixels (n, H, W, classes), or real values, for inputs (n, ...).
        batches: Inputs, and what is right: of integers with two axes 0 or 1 for each label, of others classes, negative
            where not known; else real values, NaN where not known.
        own_loss: The network's own, which says what the loss is and what is right; ``n`` counts its parts.
        see: Called with the outputs of each batch and what is right.

    Raises:
        ModelError: An output of the network is NaN or infinite.
        IncompatibleError: It gives more or fewer real values than there are.
        DatasetError: Nothing is known that is right.
    """
    losses, gains, n, metric = 0.0, 0.0, 0, "accuracy"
    samples, lost = 0, 0.0
    for inputs, truth in batches:
        outputs = predict(inputs)[: len(truth)]
        if not np.isfinite(outputs).all():
            raise ModelError(f"The network's output is not a number for sample {n} or one soon after it.")
        if own_loss is not None:
            right, parts = own_loss.hits(truth, outputs)
            # The mean over samples, though the accuracy is one over their parts.
            samples, lost = samples + len(truth), lost + float(own_loss.losses(truth, outputs).sum())
            sums = 0.0, float(right.sum()), int(parts.sum())
        elif truth.dtype.kind == "f":
            metric = "mae"
            sums = _errors(outputs, truth)
        elif truth.ndim == LABEL_AXES:
            sums = _labels(outputs, truth)
        else:
            sums = _classes(outputs, truth)
        see(outputs, truth)
        losses, gains, n = losses + sums[0], gains + sums[1], n + sums[2]
    if not n:
        raise DatasetError("Nothing is known that is right for any sample, so that the network cannot be judged.")
    return Score(lost / samples if own_loss else losses / n, gains / n, n, metric)


def _classes(outputs: NDArray[np.float32], labels: NDArray[np.int32]) -> tuple[float, float, int]:
    """Sums of cross-entropy and of right answers, and their number."""
    if labels.ndim > 1:
        known = labels >= 0
        outputs, labels = outputs[known], labels[known]
    chosen = outputs[np.arange(len(labels)), labels].astype(np.float64)
    losses = -float(np.log(np.clip(chosen, EPSILON, 1.0)).sum())
    return losses, float((outputs.argmax(-1) == labels).sum()), len(labels)


def _labels(outputs: NDArray[np.float32], truth: NDArray[np.int32]) -> tuple[float, float, int]:
    """Sums of binary cross-entropy and of right labels, from 0.5 on, and the number of labels that are known."""
    check_values(outputs.shape, truth.shape)
    known = truth >= 0
    present, values = truth[known] == 1, outputs.reshape(truth.shape)[known]
    chances = np.clip(values.astype(np.float64), EPSILON, 1 - EPSILON)
    losses = -np.log(np.where(present, chances, 1 - chances)).sum()
    return float(losses), float(((values >= HALF) == present).sum()), present.size


def _errors(outputs: NDArray[np.float32], truth: NDArray[np.float32]) -> tuple[float, float, int]:
    """Sums of squared and of absolute errors, and the number of values that are known."""
    check_values(outputs.shape, truth.shape)
    errors = outputs.reshape(len(truth), -1).astype(np.float64) - truth.reshape(len(truth), -1)
    errors = errors[np.isfinite(errors)]
    return float((errors**2).sum()), float(np.abs(errors).sum()), errors.size


def check_losses(losses: Iterable[float], first_step: int, epoch: int, learning_rate: float) -> None:
    """Refuse losses that are not finite.

    Raises:
        ModelError: One is not; names its step, counted from 1.
    """
    for offset, loss in enumerate(losses):
        if not math.isfinite(loss):
            raise ModelError(
                f"The loss became {loss} at step {first_step + offset} of epoch {epoch}.",
                f"Try a learning rate below {learning_rate:g}, and check the dataset for samples that are not numbers.",
            )
