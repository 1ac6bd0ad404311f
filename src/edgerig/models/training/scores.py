"""Losses and accuracies over batches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.errors import ModelError

Batches = Iterable[tuple[NDArray[np.float32], NDArray[np.int32]]]

#: As in Keras: probabilities are clipped this far from 0 before the logarithm is taken.
EPSILON = 1e-7


class Score(msgspec.Struct, frozen=True):
    """Mean cross-entropy in nats and share of correct predictions over ``n`` samples, or pixels of masks."""

    loss: float
    accuracy: float
    n: int


def score_of(predict: Callable[[NDArray[np.float32]], NDArray[np.float32]], batches: Batches) -> Score:
    """Loss and accuracy of probabilities over all batches; inputs beyond the number of labels are padding.

    Args:
        predict: Probabilities, shape (n, classes), for inputs of shape (n, ...).
        batches: Inputs and labels.

    Raises:
        ModelError: An output of the network is NaN or infinite.
    """
    losses, correct, n = 0.0, 0, 0
    for inputs, labels in batches:
        outputs = predict(inputs)[: len(labels)]
        if not np.isfinite(outputs).all():
            raise ModelError(f"The network's output is not a number for sample {n} or one soon after it.")
        if labels.ndim > 1:
            known = labels >= 0
            outputs, labels = outputs[known], labels[known]
        chosen = outputs[np.arange(len(labels)), labels].astype(np.float64)
        losses -= float(np.log(np.clip(chosen, EPSILON, 1.0)).sum())
        correct += int((outputs.argmax(-1) == labels).sum())
        n += len(labels)
    return Score(losses / n, correct / n, n)


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
