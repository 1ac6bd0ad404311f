"""Whether an engine computes a float network as its reference does: what is more than rounding is a wrong result."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
#: Largest difference between two engines that compute the same network in float32, relative to the range of its
#: outputs, where the network's rounding noise is not known: bfloat16 makes 1e-2 and more.
ROUNDING = 1e-3
#: Where that is known a share of the range, and so many times the noise: ten engines on two trained networks stayed
#: below 5e-5 of the range; GELU by its approximation with tanh makes 2.5e-4 of it.
SHARE, NOISES = 1e-4, 10.0


def unlike_reference(values: Array, reference: Array, engine: str, noise: float | None = None) -> str | None:
    """What is said of an engine whose outputs of a float32 network are not those of the reference; None if they are.

    Args:
        values: What the task keeps of the engine's outputs, shape (n, ...). reference: The same of the reference.
        engine: Its name, for the sentence.
        noise: What the reference's outputs move by when the inputs do by rounding, where that is known.

    >>> unlike_reference(np.array([[0.0, 1.0]]), np.array([[0.0, 1.00001]]), "litert") is None
    True
    """
    if values.shape != reference.shape or not values.size:
        return None
    if not all(np.issubdtype(array.dtype, np.floating) for array in (values, reference)):
        return None
    ours, theirs = (np.asarray(array, np.float64) for array in (values, reference))
    known = np.isfinite(ours) & np.isfinite(theirs)
    if not known.any():
        return None
    span = float(np.ptp(theirs[known]))
    difference = float(np.abs(ours[known] - theirs[known]).max())
    # Outputs of which float32 stores but a few digits that vary differ by units in their last place.
    last_digit = float(np.finfo(np.float32).eps * np.abs(theirs[known]).max())
    allowed = (
        max(ROUNDING * span, NOISES * last_digit) if noise is None else SHARE * span + NOISES * max(noise, last_digit)
    )
    if span == 0 or difference <= allowed:
        return None
    return (
        f"{engine} does not compute this float32 network as its reference does: outputs differ by up to "
        f"{difference:.3g}, {difference / span:.2%} of their range, and rounding makes less than {allowed / span:.2%}. "
        "Either the engine computes wrongly (a delegate, a provider, its compiler), or in another type than float32."
    )
