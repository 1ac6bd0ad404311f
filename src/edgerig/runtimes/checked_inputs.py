"""Inputs of a network, checked against what it takes, before an engine sees them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import TensorSpec
from edgerig.errors import InferenceError

Array = NDArray[Any]


def checked_inputs(specs: Sequence[TensorSpec], inputs: Sequence[Array]) -> list[Array]:
    """The inputs as contiguous arrays (n, batch, ...), so that iterating gives what one inference takes.

    Raises:
        InferenceError: Their number, a shape or a dtype is not what ``specs`` say.
    """
    if len(inputs) != len(specs):
        raise InferenceError(
            f"The network has {len(specs)} inputs, {len(inputs)} were given.",
            "Give one array for each input, in the network's order.",
        )
    batches = []
    for spec, array in zip(specs, inputs, strict=True):
        if array.ndim == 0 or _dtype_name(array.dtype) != spec.dtype or array.shape[1:] != spec.call_shape:
            raise InferenceError(
                f"Input {spec.name!r} takes {spec.dtype} {list(spec.call_shape)} {_unit(spec)}, "
                f"not {array.dtype.name} {list(array.shape[1:])}.",
                "Choose a dataset of that shape, or a preprocessing that resizes to it.",
            )
        if len(array) == 0 or len(array) != len(inputs[0]):
            raise InferenceError(
                "The inputs must have the same number of samples, at least one; "
                f"they have {', '.join(str(len(given)) for given in inputs)}."
            )
        whole = np.ascontiguousarray(array)
        batches.append(whole[:, None] if spec.batch == 1 else whole)
    return batches


@lru_cache(64)
def _dtype_name(dtype: np.dtype[Any]) -> str:
    """A dtype's name, cached because numpy composes it at each access."""
    return dtype.name


def check_sample_axis(specs: Sequence[TensorSpec]) -> None:
    """Whether every input has a batch axis and no free one.

    Raises:
        InferenceError: One has not.
    """
    for spec in specs:
        if not spec.shape or any(size < 1 for size in spec.shape):
            raise InferenceError(
                f"Input {spec.name!r} has the shape {list(spec.shape)}; it must have a batch axis in front, and no "
                "axis may be free or empty.",
                "Export the network with fixed sizes, the first axis counting the samples that it runs at once.",
            )


def _unit(spec: TensorSpec) -> str:
    return "a sample" if spec.batch == 1 else f"an inference (a batch of {spec.batch})"
