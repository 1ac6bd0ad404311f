"""Times of single operators, as engines profile them: their resolution, and whether they add up."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.measure.kinds import Measurement, Quantity, Unavailable
from edgerig.measure.profile import LayerTime

#: Engines truncate an operator's time to whole microseconds: a mean below half of one only says that it was short.
SHORTEST_OPERATOR = 0.5e-6
#: A profile whose operators add up to more than this multiple of an inference does not show where its time goes.
PROFILE_STRETCH = 1.5


def operator_time(seconds: float, method: str, clock: str, n: int) -> Quantity:
    """An operator's mean time over ``n`` times that the engine truncated to whole microseconds each."""
    if seconds < SHORTEST_OPERATOR:
        return Unavailable("shorter than the profiler's resolution of 1 us")
    method += "; single times are whole microseconds"
    return Measurement(value=seconds, unit="s", kind="measured", method=method, clock=clock, n=n)


def with_warning(layers: list[LayerTime], times_ns: NDArray[np.int64]) -> list[LayerTime]:
    """The profile with a warning where it adds up to more than the network takes without a profiler."""
    whole = float(np.median(times_ns)) * 1e-9
    total = sum(layer.time.value for layer in layers if isinstance(layer.time, Measurement))
    if total <= PROFILE_STRETCH * whole:
        return layers
    warning = f"with the profiler on, the operators took {total / whole:.1f} times as long as the network does without"
    return [
        layer
        if isinstance(layer.time, Unavailable)
        else msgspec.structs.replace(layer, time=msgspec.structs.replace(layer.time, warnings=(warning,)))
        for layer in layers
    ]
