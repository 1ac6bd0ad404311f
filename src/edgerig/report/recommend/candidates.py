"""The candidates of a recommendation, and when one is known to beat another.

Two measured latencies differ if the whole 95 % interval of their ratio lies beyond `MARGIN`; the ratio is taken over
pairs of rounds where both were measured in turns, else over the rounds of each (`edgerig.measure.comparison`). Without
rounds their intervals must not overlap; latencies without an interval, of a single process, must differ by
`ONE_PROCESS`. Modelled latencies are ordered only where the model's error cannot reverse the order: their bounds do not
overlap. A modelled latency without bounds is not ordered at all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from edgerig.measure.comparison import MARGIN, estimate, estimate_apart, judge_ratio
from edgerig.measure.kinds import Kind
from edgerig.results.turns import took_turns

#: Quality that may be given up for speed: one point of a share, one percent of any other metric.
TOLERANCE = 0.01
#: Relative difference from which latencies of one process each count as different: runs of one file differ by percents.
ONE_PROCESS = 0.1
#: Relative difference of memory that does not matter: processes of one file differ by about this much.
SAME_MEMORY = 0.02


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """The data that the choice depends on. Two candidates are comparable if their ``group`` is equal.

    ``medians`` are the latencies of its rounds; ``starts`` when these began, ``run`` names their run.
    ``memory`` is its size by the figure ``memory_name``; ``energy`` the measured joules of an inference, of the
    ``rail`` and window that its method names. ``void`` says why the quality is meaningless, such as
    ``it is no better than guessing``; empty where it is not. ``shared`` if the quality is that of the ``samples``
    that all candidates of the group ran.
    """

    key: str
    label: str
    size: int
    quality: float | None
    latency: float | None
    quality_low: float | None = None
    quality_high: float | None = None
    latency_low: float | None = None
    latency_high: float | None = None
    medians: tuple[float, ...] = ()
    run: str = ""
    starts: tuple[str, ...] = ()
    memory: float | None = None
    memory_name: str = ""
    energy: float | None = None
    energy_low: float | None = None
    energy_high: float | None = None
    rail: str = ""
    group: tuple[str, ...] = ()
    place: str = ""
    kind: Kind = "measured"
    unit: str = "s"
    metric: str = "accuracy"
    metric_unit: str = "1"
    higher_is_better: bool = True
    void: str = ""
    shared: bool = False
    samples: int = 0
    warnings: int = 0

    @property
    def usable(self) -> bool:
        """Whether quality and latency are both known, and the quality is meaningful."""
        return known(self.quality) and known(self.latency) and not self.void

    @property
    def made(self) -> bool:
        """Whether the latency was computed by a model or a rule, not measured by a clock."""
        return self.kind in ("modelled", "estimated")

    @property
    def merit(self) -> float:
        """Quality, negated where lower is better: more is better."""
        return (self.quality or 0.0) * (1 if self.higher_is_better else -1)


def pareto(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The Pareto front: no other is at least as good in quality, latency, size, memory and energy, and better in one.

    Latencies that cannot be told apart count as neither better nor worse, and so do memory and energy of about the same
    size. Energy counts where `with_common_energy` leaves it.
    """
    return [candidate for candidate in candidates if not any(dominates(other, candidate) for other in candidates)]


def with_common_energy(candidates: Sequence[Candidate]) -> list[Candidate]:
    """``candidates`` with their energy if all of them have one, by the same rail and of measured latency; else without.

    One without a sensor would be neither beaten nor beat by it, and two rails feed unlike parts of a device.
    """
    rails = {candidate.rail for candidate in candidates}
    common = len(rails) == 1 and all(known(c.energy) and c.kind == "measured" for c in candidates)
    if common:
        return list(candidates)
    bare = {"energy": None, "energy_low": None, "energy_high": None}
    return [msgspec.structs.replace(candidate, **bare) for candidate in candidates]


def choose(candidates: Sequence[Candidate]) -> tuple[Candidate, Candidate, list[Candidate], list[Candidate]]:
    """The choice among comparable, usable candidates.

    Returns:
        The chosen one, the one of best quality, those within the tolerance of it, and those of them whose speed
        cannot be told from the fastest.
    """
    best = max(candidates, key=lambda candidate: (candidate.merit, -latency_of(candidate), -candidate.size))
    near = [candidate for candidate in candidates if candidate.merit >= best.merit - tolerance(best)]
    fastest = min(near, key=lambda candidate: (latency_of(candidate), candidate.size, -candidate.merit))
    tied = [candidate for candidate in near if not is_faster(fastest, candidate)]
    smallest = [candidate for candidate in tied if candidate.size == min(other.size for other in tied)]
    light = [candidate for candidate in smallest if not any(needs_less(other, candidate) for other in smallest)]
    chosen = min(light, key=lambda candidate: (-candidate.merit, latency_of(candidate), candidate.memory or 0.0))
    # A candidate that was passed over does not come back, so that the loop ends whatever the intervals are.
    passed = {id(chosen)}
    while better := [candidate for candidate in near if id(candidate) not in passed and dominates(candidate, chosen)]:
        chosen = min(better, key=lambda candidate: (latency_of(candidate), candidate.size))
        passed.add(id(chosen))
    return chosen, best, near, tied


def equals_of(chosen: Candidate, tied: Sequence[Candidate]) -> list[Candidate]:
    """Those of ``tied`` that equal ``chosen`` in everything: quality, speed, size, memory and energy."""
    return [
        candidate
        for candidate in tied
        if candidate is not chosen
        and (candidate.merit, candidate.size) == (chosen.merit, chosen.size)
        and not (is_faster(candidate, chosen) or is_faster(chosen, candidate))
        and not (needs_less(candidate, chosen) or needs_less(chosen, candidate))
        and not (uses_less(candidate, chosen) or uses_less(chosen, candidate))
    ]


def dominates(candidate: Candidate, other: Candidate) -> bool:
    """Whether ``candidate`` is known to be better than ``other`` in something, and worse in nothing."""
    if (candidate.kind, candidate.unit) != (other.kind, other.unit):
        return False
    if (
        candidate.merit < other.merit
        or candidate.size > other.size
        or is_faster(other, candidate)
        or needs_less(other, candidate)
        or uses_less(other, candidate)
    ):
        return False
    # Modelled latencies whose errors overlap are not known to be no worse.
    if candidate.made and not (is_faster(candidate, other) or candidate.latency == other.latency):
        return False
    return (
        candidate.merit > other.merit
        or candidate.size < other.size
        or is_faster(candidate, other)
        or needs_less(candidate, other)
        or uses_less(candidate, other)
    )


def is_faster(candidate: Candidate, other: Candidate) -> bool:
    """Whether ``candidate`` is known to be faster; never across kinds, nor within an interval or error."""
    if (candidate.kind, candidate.unit) != (other.kind, other.unit) or latency_of(candidate) >= latency_of(other):
        return False
    if candidate.made:
        return high_of(candidate) < low_of(other)
    if min(len(candidate.medians), len(other.medians)) > 1 and min(*candidate.medians, *other.medians) > 0:
        if candidate.run and candidate.run == other.run and took_turns(candidate.starts, other.starts):
            ratio = estimate(np.log(candidate.medians) - np.log(other.medians))
        else:
            ratio = estimate_apart(other.medians, candidate.medians)
        return judge_ratio(ratio, MARGIN) == "faster"
    if None in (candidate.latency_high, other.latency_low):
        return latency_of(candidate) * (1 + ONE_PROCESS) < latency_of(other)
    return high_of(candidate) < low_of(other)


def needs_less(candidate: Candidate, other: Candidate) -> bool:
    """Whether ``candidate`` needs less memory by the same figure, and by more than processes of one file differ."""
    if candidate.memory is None or other.memory is None or candidate.memory_name != other.memory_name:
        return False
    return candidate.memory * (1 + SAME_MEMORY) < other.memory


def uses_less(candidate: Candidate, other: Candidate) -> bool:
    """Whether ``candidate`` is known to take less energy by the same rail: beyond either's interval, and by `MARGIN`.

    Energies of one round each, which have no interval, must differ by `ONE_PROCESS`.
    """
    if candidate.energy is None or other.energy is None or candidate.rail != other.rail:
        return False
    if candidate.energy_high is None or other.energy_low is None:
        return candidate.energy * (1 + ONE_PROCESS) < other.energy
    return candidate.energy_high < other.energy_low and candidate.energy * (1 + MARGIN) < other.energy


def tolerance(best: Candidate) -> float:
    # The small addition keeps 0.98 within one point of 0.99 in binary fractions.
    return (TOLERANCE if best.metric_unit == "1" else TOLERANCE * abs(best.quality or 0)) + 1e-12


def known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def latency_of(candidate: Candidate) -> float:
    return math.inf if candidate.latency is None else candidate.latency


def low_of(candidate: Candidate) -> float:
    if candidate.latency_low is None:
        return -math.inf if candidate.made else latency_of(candidate)
    return candidate.latency_low


def high_of(candidate: Candidate) -> float:
    if candidate.latency_high is None:
        return math.inf if candidate.made else latency_of(candidate)
    return candidate.latency_high
