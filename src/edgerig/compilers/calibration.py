"""Calibration samples: drawn from the training split, checked, one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Preprocessing, TensorSpec
from edgerig.datasets.base import Dataset
from edgerig.datasets.network_inputs import network_inputs
from edgerig.datasets.splits import calibration_indices
from edgerig.errors import CompileError, IncompatibleError

SEED = 0
#: Largest size of the calibration samples, in bytes; all of them are in memory at once.
MOST_BYTES = 2 << 30


def calibration_inputs(
    dataset: Dataset, preprocessing: Preprocessing, specs: Sequence[TensorSpec], count: int
) -> list[NDArray[Any]]:
    """Preprocessed samples of the training split for each input, shape (calls, *its shape): float32, or integers for an
    input that takes such.

    Classes are drawn as evenly as possible, and reproducibly on every machine. There are fewer than ``count`` where
    the split has no more. A network with a fixed batch gets whole batches, the last one padded.

    Args:
        dataset: The source of the samples.
        preprocessing: As declared by the artifact.
        specs: The network's inputs.
        count: Number of samples.

    Raises:
        IncompatibleError: The dataset does not give an input, or not in its shape.
        CompileError: A sample holds NaN or infinity; names its index in the training split.
    """
    network = network_inputs("The network", specs)
    size = 4 * network.elements
    most = MOST_BYTES // max(1, size)
    samples = dataset.split("train")
    drawn = min(count, len(samples))
    if drawn > most:
        raise IncompatibleError(
            f"{drawn} calibration samples of {size / 1e6:,.0f} MB each are {drawn * size / 1e9:,.1f} GB; "
            f"the limit is {MOST_BYTES / 1e9:.1f} GB.",
            f"Calibrate with fewer: --option calibration_samples={most}."
            if most
            else "Take a network of smaller inputs.",
        )
    indices = calibration_indices(samples, count, SEED)
    values = samples.named_inputs(indices, preprocessing)
    inputs = network.fitted(values, dataset.name, judged=dataset.task != "none")
    of_rows = indices if samples.windows is None else np.repeat(indices, samples.windows[indices])
    for values_of_input in inputs:
        _refuse_not_finite(values_of_input, of_rows, dataset.name)
    calls = network.calls(network.quantized(inputs))
    return [np.ascontiguousarray(array.reshape(-1, *spec.shape)) for array, spec in zip(calls, specs, strict=True)]


def _refuse_not_finite(inputs: NDArray[Any], samples: NDArray[np.int64], dataset: str) -> None:
    broken = np.flatnonzero(~np.isfinite(inputs).reshape(len(inputs), -1).all(axis=1))
    if broken.size:
        value = inputs[broken[0]]
        bad = float(value[~np.isfinite(value)][0])
        raise CompileError(
            f"Calibration sample {int(samples[broken[0]])} of the training split of {dataset!r} holds {bad} after "
            f"preprocessing ({broken.size} of {len(inputs)} samples hold such).",
            "Repair or remove it, or check the preprocessing (a std of 0, for example).",
        )
