"""From sums to int8 by Helium: which roundings a layer needs, and when one cannot be had. See er_mve_scale.inc."""

from __future__ import annotations

import numpy as np

from edgerig.micro.arithmetic.requantize import Requantization
from edgerig.micro.kernels.cortex_m.prescaled import floors, left_shift
from edgerig.micro.kernels.refusals import Answer, Refusal

#: What all kernels here need.
NEEDS = frozenset({"thumb2", "dsp", "mve"})


def rounding(scales: Requantization) -> str:
    """Suffix of the functions with that rounding."""
    if scales.once:
        return "once"
    return "floor" if floors(scales) else "full"


def scales_fit(scales: Requantization) -> Answer:
    """Shifts go to the right; a single rounding by 1 at least."""
    if scales.shifts_left:
        return left_shift(scales)
    unshifted = (scales.exponents == 0) & (scales.multipliers != 0)
    if scales.once and unshifted.any():
        channel = int(np.argmax(unshifted))
        return Refusal(f"channel {channel} of {len(unshifted)}: one rounding, and a scale of a half or more")
    return True
