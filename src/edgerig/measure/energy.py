"""Energy by rail over a stretch of time, and of one inference out of it: the one place where that is made.

Rails are a machine's places where power is told: a board's input, the processor behind it, a processor's package.
RAPL's packages are whole sockets side by side, so that they are added up (``Documentation/power/powercap``); all other
rails may overlap, and are not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from edgerig.measure.intervals import round_interval
from edgerig.measure.kinds import Measurement, Quantity, Unavailable
from edgerig.measure.power import Counter, joules_between

#: Watts that no processor's package draws: where a counter could have wrapped around twice at it, it tells nothing.
MOST_WATTS = 1000.0
_PACKAGE = re.compile(r"package-\d+(-die-\d+)?")
_SILENT = "its sensor did not answer each time, so that the energy is not known"


class EnergyMeter:
    """Adds up the energy of each rail from one reading to the next, from the first reading on.

    A counter's increase is energy, over its wrap-around, too. Of a power meter it is the trapezoidal rule's integral.
    A rail that misses a reading has none from then on (`lost` says so): what it drew meanwhile nobody knows.

    >>> meter = EnergyMeter()
    >>> meter.read(0.0, {"package-0": Counter(262_143.0, 262_144.0)}, {"VDD_IN": 2.0})
    >>> meter.read(2.0, {"package-0": Counter(1.0, 262_144.0)}, {"VDD_IN": 4.0})
    >>> meter.joules
    {'package-0': 2.0, 'VDD_IN': 6.0}
    """

    def __init__(self) -> None:
        self.lost: dict[str, str] = {}
        self._joules: dict[str, float] | None = None
        self._time = 0.0
        self._counters: Mapping[str, Counter] = {}
        self._watts: Mapping[str, float] = {}

    def read(self, now: float, counters: Mapping[str, Counter], watts: Mapping[str, float]) -> None:
        """Take a reading at ``now`` in seconds: counters in J and meters in W, by rail."""
        if self._joules is None:
            self._joules = dict.fromkeys([*counters, *watts], 0.0)
        else:
            self._add(now - self._time, counters, watts)
        self._time, self._counters, self._watts = now, counters, watts

    @property
    def joules(self) -> dict[str, float]:
        """Joules since the first reading of each rail that answered every time."""
        return dict(self._joules or {})

    def _add(self, span: float, counters: Mapping[str, Counter], watts: Mapping[str, float]) -> None:
        rails = self._joules or {}
        for rail in list(rails):
            joules = self._step(rail, span, counters, watts)
            if isinstance(joules, Unavailable):
                self.lost[rail] = joules.reason
                del rails[rail]
            else:
                rails[rail] += joules

    def _step(
        self, rail: str, span: float, counters: Mapping[str, Counter], watts: Mapping[str, float]
    ) -> float | Unavailable:
        if rail in self._counters and rail in counters:
            before, after = self._counters[rail], counters[rail]
            if after.wraps_at is not None and span > after.wraps_at / MOST_WATTS:
                return Unavailable("its counter was read so seldom that it may have begun anew more than once")
            return joules_between(before, after)
        if rail in self._watts and rail in watts:
            return span * (self._watts[rail] + watts[rail]) / 2
        return Unavailable(_SILENT)


def rails_of(joules: Mapping[str, float], lost: Mapping[str, str]) -> dict[str, float]:
    """``joules`` with the processor's packages as one rail; without them where one of them was lost.

    >>> rails_of({"package-0": 2.0, "package-1": 3.0, "package-0/core": 1.0}, {})
    {'package-0/core': 1.0, 'package-0 + package-1': 5.0}
    """
    packages = [rail for rail in joules if _PACKAGE.fullmatch(rail)]
    rails = {rail: value for rail, value in joules.items() if rail not in packages}
    if packages and not any(_PACKAGE.fullmatch(rail) for rail in lost):
        rails[" + ".join(packages)] = sum(joules[rail] for rail in packages)
    return rails


def common_rail(rounds: Sequence[Mapping[str, float]]) -> str | None:
    """Of the rails that all rounds have the one with the most energy; None where they have none in common.

    >>> common_rail([{"VDD_IN": 2.0, "VDD_CPU": 1.0}, {"VDD_IN": 2.1}])
    'VDD_IN'
    """
    # Here, since every worker imports this module, and takes longer over statistics than over the rest of it.
    from statistics import median

    rails = [rail for rail in rounds[0] if all(rail in joules for joules in rounds)] if rounds else []
    return max(rails, key=lambda name: median(joules[name] for joules in rounds), default=None)


def energy_per_inference(
    rounds: Sequence[tuple[Mapping[str, float], int]], missing: str, window: str = "the measured window"
) -> Quantity:
    """Joules of an inference: energy over a window / inferences in it; the median of rounds with their interval.

    Of the rails that all rounds have it is the one with the most energy, since it feeds the most of the device; the
    method names it. Everything that the rail feeds is in it, as is the time between the inferences.

    Args:
        rounds: Joules by rail (see `rails_of`) and inferences in the same window, for each round.
        missing: Why there is no rail, where there is none.
        window: What the window is, for the method.
    """
    if not rounds or any(count <= 0 for _, count in rounds):
        return Unavailable("no inference was finished while the energy was measured")
    rail = common_rail([joules for joules, _ in rounds])
    if rail is None:
        return Unavailable(missing)
    interval = round_interval([joules[rail] / count for joules, count in rounds])
    return Measurement(
        value=interval.value,
        unit="J",
        kind="measured",
        n=len(rounds),
        low=None if interval.low is None else max(0.0, interval.low),
        high=interval.high,
        method=f"energy of {rail} over {window} / inferences in it, idle power and other work included",
    )
