"""Checks the utilisation that a device tells; what cannot be becomes `Unavailable`, or that value None."""

from __future__ import annotations

import math
from itertools import pairwise

from edgerig.measure.kinds import Unavailable
from edgerig.measure.utilisation import MOST_SAMPLES, Series, Utilisation
from edgerig.text import one_line

#: Most quantities, and characters of a name and of a reason, that are taken.
_MOST_SERIES, _NAME, _REASON = 256, 200, 1000
#: Lowest and highest value by unit: loads in cores, bytes, hertz, °C, watts.
_BOUNDS = {"1": (0.0, 65536.0), "B": (0.0, 2.0**60), "Hz": (1.0, 1e12), "°C": (-273.0, 1000.0), "W": (-1e6, 1e6)}
_LONGEST, _MOST_JOULES, _MOST_INFERENCES = 1e7, 1e15, 2**53


def checked_utilisation(utilisation: Utilisation | Unavailable, who: str) -> Utilisation | Unavailable:
    """``utilisation`` with texts and numbers within bounds; `Unavailable` where its times or lengths cannot be."""
    if isinstance(utilisation, Unavailable):
        return Unavailable(one_line(utilisation.reason, _REASON))
    seconds = utilisation.seconds
    if len(seconds) > MOST_SAMPLES or len(utilisation.series) > _MOST_SERIES:
        return Unavailable(f"{who} told more samples than there can be")
    if not all(0 <= moment <= _LONGEST for moment in seconds) or any(b < a for a, b in pairwise(seconds)):
        return Unavailable(f"{who} told samples whose times cannot be")
    if any(len(series.values) != len(seconds) for series in utilisation.series):
        return Unavailable(f"{who} told samples that do not fit their times")
    costs = (utilisation.sampling_seconds, utilisation.cpu_seconds, utilisation.interval)
    if not all(0 <= cost <= _LONGEST for cost in costs) or not 0 <= utilisation.inferences < _MOST_INFERENCES:
        return Unavailable(f"{who} told a cost of sampling that cannot be")
    named = {one_line(series.name, _NAME): series for series in utilisation.series if series.unit in _BOUNDS}
    return Utilisation(
        seconds=seconds,
        series=tuple(_checked(name, series) for name, series in named.items()),
        unavailable=_texts(utilisation.unavailable),
        sampling_seconds=utilisation.sampling_seconds,
        cpu_seconds=utilisation.cpu_seconds,
        interval=utilisation.interval,
        inferences=utilisation.inferences,
        joules={
            one_line(rail, _NAME): joules
            for rail, joules in list(utilisation.joules.items())[:_MOST_SERIES]
            if 0 <= joules <= _MOST_JOULES
        },
    )


def _checked(name: str, series: Series) -> Series:
    low, high = _BOUNDS[series.unit]
    values = (value if value is not None and math.isfinite(value) else None for value in series.values)
    return Series(name, series.unit, tuple(None if v is None or not low <= v <= high else v for v in values))


def _texts(reasons: dict[str, str]) -> dict[str, str]:
    items = list(reasons.items())[:_MOST_SERIES]
    return {one_line(name, _NAME): one_line(reason, _REASON) for name, reason in items}
