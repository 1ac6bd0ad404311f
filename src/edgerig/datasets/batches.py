"""Converts samples to and from the batches of a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.errors import InferenceError


def rows(arrays: Sequence[NDArray[Any]], first: int, count: int) -> list[NDArray[Any]]:
    """``count`` entries from the ``first`` on of each of several arrays (n, ...)."""
    return [array[first : first + count] for array in arrays]


def in_calls(inputs: NDArray[Any], batch: int) -> NDArray[Any]:
    """Samples in the batches of a network that runs ``batch`` of them per inference.

    Args:
        inputs: Shape (n, ...).
        batch: Samples per inference.

    Returns:
        ``inputs`` themselves for a batch of 1; else shape (calls, batch, ...), the last call padded with its last
        sample.
    """
    if batch == 1:
        return inputs
    missing = -len(inputs) % batch
    if missing:
        inputs = np.concatenate([inputs, np.repeat(inputs[-1:], missing, axis=0)])
    return inputs.reshape(len(inputs) // batch, batch, *inputs.shape[1:])


def from_calls(outputs: NDArray[Any], batch: int, count: int | None = None) -> NDArray[Any]:
    """The outputs of single samples, shape (n, ...), from those of calls; the padding of `in_calls` is dropped.

    Args:
        outputs: Shape (n, ...) for a batch of 1, else (calls, batch, ...).
        batch: Samples per inference.
        count: Number of samples; all if None.

    Raises:
        InferenceError: The outputs do not divide into ``batch`` samples.
    """
    if batch == 1:
        return outputs[:count]
    if outputs.shape[1:2] == (batch,):
        rows = outputs.reshape(-1, *outputs.shape[2:])
    elif outputs[:1].size % batch == 0:
        rows = outputs.reshape(len(outputs) * batch, -1)
    else:
        raise InferenceError(
            f"The network runs {batch} samples an inference, but an output has the shape {list(outputs.shape[1:])}.",
            "Export it so that the first axis of its outputs counts the samples, or judge another output.",
        )
    return rows[:count]
