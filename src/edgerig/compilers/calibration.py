"""Calibration samples: drawn from the training split, checked, one at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Preprocessing, TensorSpec
from edgerig.datasets.base import Dataset
from edgerig.datasets.batches import in_calls
from edgerig.datasets.fitting import check_fixed, fit
from edgerig.datasets.splits import calibration_indices
from edgerig.errors import CompileError, IncompatibleError

SEED = 0
#: Largest size of the calibration samples, in bytes; all of them are in memory at once.
MOST_BYTES = 2 << 30


def calibration_samples(
    dataset: Dataset, preprocessing: Preprocessing, spec: TensorSpec, count: int
) -> NDArray[np.float32]:
    """Preprocessed samples of the training split, shape (calls, *spec.shape), each with its batch axis; float32.

    Classes are drawn as evenly as possible, and reproducibly on every machine. There are fewer than ``count`` where
    the split has no more. A network with a fixed batch gets whole batches, the last one padded.

    Args:
        dataset: The source of the samples.
        preprocessing: As declared by the artifact.
        spec: The network's input.
        count: Number of samples.

    Raises:
        IncompatibleError: The samples do not have the shape of the network's input.
        CompileError: A sample holds NaN or infinity; names its index in the training split.
    """
    most = MOST_BYTES // max(1, 4 * spec.elements)
    samples = dataset.split("train")
    if min(count, len(samples)) > most:
        raise IncompatibleError(
            f"{min(count, len(samples))} calibration samples of {4 * spec.elements / 1e6:,.0f} MB each are "
            f"{min(count, len(samples)) * 4 * spec.elements / 1e9:,.1f} GB; "
            f"the limit is {MOST_BYTES / 1e9:.1f} GB.",
            f"Calibrate with fewer: --option calibration_samples={most}."
            if most
            else "Take a network of smaller inputs.",
        )
    indices = calibration_indices(samples, count, SEED)
    inputs = samples.inputs(indices, preprocessing)
    check_fixed("The network", spec)
    inputs = fit(inputs, spec, dataset.name, judged=dataset.task != "none")
    broken = np.flatnonzero(~np.isfinite(inputs).reshape(len(inputs), -1).all(axis=1))
    if broken.size:
        of_rows = indices if samples.windows is None else np.repeat(indices, samples.windows[indices])
        first = int(of_rows[broken[0]])
        value = inputs[broken[0]]
        bad = float(value[~np.isfinite(value)][0])
        raise CompileError(
            f"Calibration sample {first} of the training split of {dataset.name!r} holds {bad} after preprocessing"
            f" ({broken.size} of {len(inputs)} samples hold such).",
            "Repair or remove it, or check the preprocessing (a std of 0, for example).",
        )
    calls = inputs[:, None] if spec.batch == 1 else in_calls(inputs, spec.batch)
    return np.ascontiguousarray(calls, np.float32)
