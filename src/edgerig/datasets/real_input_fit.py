"""Whether samples that go into a float input are real numbers, or integers that somebody quantized."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import TensorSpec

Array = NDArray[Any]
#: Samples that are looked at, and fewest values that say something.
LOOKED_AT, _LEAST_VALUES = 8, 32
_INT8 = np.iinfo(np.int8)


def judge_real_input(fed: Array, raw: Array, spec: TensorSpec, *, guesses: bool) -> list[str]:
    """Warnings about what a float input is fed, in sentences; none where nothing is odd.

    Integers of 8 bits are odd where they are signed: what counts or measures is not stored so, quantized numbers are.
    Those from 0 to 255 are usual, as pixels, unless the network is no better than a guess.

    Args:
        fed: Values of some samples as the network gets them, (n, ...).
        raw: One of them as the dataset stores it.
        spec: The input.
        guesses: Whether the network's answers are no better than always the same one.
    """
    if not spec.dtype.startswith("float") or fed.size < _LEAST_VALUES or not np.isfinite(fed).all():
        return []
    least, greatest = float(fed.min()), float(fed.max())
    if not (fed == np.round(fed)).all() or max(-least, greatest) <= 1:
        return []
    holds = f"whole numbers from {least:.4g} to {greatest:.4g}"
    if raw.dtype == np.int8 and least >= _INT8.min and greatest <= _INT8.max:
        return [
            f"The samples are int8, {holds}, and go into a float input as they are: if they are quantized already, the "
            "network needs scale * (q - zero point) of them."
        ]
    if guesses:
        cast = ", or were int8 and cast as unsigned" if least >= 0 and greatest <= np.iinfo(np.uint8).max else ""
        return [
            f"The samples go into a float input as {holds}, and the answers are no better than a guess: the "
            f"preprocessing is missing, or they are quantized already{cast}."
        ]
    return []


def judge_real_inputs(
    fed: Mapping[str, Array], raw: Array, specs: Mapping[str, TensorSpec], *, guesses: bool
) -> list[str]:
    """`judge_real_input` of each input by name, with its name where there are several."""
    prefix = {name: f"Input {name!r}: " if len(specs) > 1 else "" for name in specs}
    return [
        prefix[name] + text
        for name, values in fed.items()
        for text in judge_real_input(values, raw, specs[name], guesses=guesses)
    ]
