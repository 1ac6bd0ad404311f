"""What is minimized in a training, and what is told of it, by the objective of a network."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.datasets.base import Dataset, Samples
from edgerig.errors import DatasetError, IncompatibleError
from edgerig.models.base import Objective

Array = NDArray[Any]

#: Axes of what is right where a sample has several labels: (n, labels).
LABEL_AXES = 2
#: Sum of a batch's weights below which its loss is no longer their mean: all of its pixels are ignored.
SMALLEST_WEIGHT = 1e-6
#: The objectives whose loss is a mean squared error.
REAL: frozenset[Objective] = frozenset({"targets", "reconstruction"})


def metric_of(objective: Objective) -> str:
    """The name of what is told beside the loss: the share of right answers, or the mean absolute error."""
    return "mae" if objective in REAL else "accuracy"


def told(metric: str, value: float) -> str:
    """A value of `metric_of` for a line of progress.

    >>> told("accuracy", 0.5), told("mae", 0.123456)
    ('accuracy 50.00%', 'MAE 0.1235')
    """
    return f"accuracy {value:.2%}" if metric == "accuracy" else f"MAE {value:.4g}"


def learnt_from(samples: Samples, dataset: Dataset, objective: Objective) -> Samples:
    """The samples that a network learns from and is judged on while it is trained.

    An autoencoder for anomaly detection learns what is normal: of samples with the label 1 it sees none.

    Raises:
        DatasetError: No sample is left.
    """
    if objective != "reconstruction" or dataset.task != "anomaly":
        return samples
    normal = np.flatnonzero(samples.labels != 1)
    if not len(normal):
        raise DatasetError(f"A split of dataset {dataset.name!r} has no normal sample to learn from (label 0).")
    return samples if len(normal) == len(samples) else samples.take(normal)


def outputs_for(objective: Objective, dataset: Dataset, sample: tuple[int, ...], truth: Array) -> int:
    """Values that the network is to give: for a sample, or for each pixel.

    Args:
        sample: Shape of a preprocessed sample. truth: What is right for some samples, (n, ...).
    """
    if objective in ("targets", "labels"):
        return int(truth.shape[1])
    return math.prod(sample) if objective == "reconstruction" else len(dataset.classes)


def check_values(outputs: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    """Check that outputs for n samples are as many as what they are to come close to.

    Raises:
        IncompatibleError: They are not.
    """
    given, needed = math.prod(outputs[1:]), math.prod(wanted[1:])
    if outputs[0] != wanted[0] or given != needed:
        raise IncompatibleError(
            f"The network gives {given} values a sample, and is to give {needed}.",
            "An autoencoder gives as many values as it takes, others one for each target or label.",
        )
