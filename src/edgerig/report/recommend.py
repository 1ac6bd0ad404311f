"""A recommendation that follows from the numbers: quality against latency against size.

The rule: of the variants within `TOLERANCE` of the best quality, the fastest; where the latency intervals of
several overlap, speed cannot tell them apart and the smallest of those wins. Only variants with the same data,
device, unit and kind of number are compared. What is recommended is never beaten in all three by another.

Latencies that a model made are ordered only where its error cannot turn them round: their bounds do not overlap. One
without bounds is ordered with none. So it is for "the fastest", for what is beaten, and for every "times as fast".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec

from edgerig.measure.kinds import Kind
from edgerig.report.model import Recommendation
from edgerig.report.units import show, show_interval, times

#: Quality that may be given up for speed: one point of a share, one percent of any other metric.
TOLERANCE = 0.01
#: Comparisons of what is not near the best, at most.
SHOWN = 3


#: How one candidate's errors compare with another's, in words, or None where the samples are not known.
Comparison: TypeAlias = "Callable[[Candidate, Candidate], str | None]"


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """What the choice depends on. ``group`` holds what must be equal for two candidates to be comparable.

    ``void`` says why the quality tells nothing of the network, such as ``it is no better than guessing``; empty where
    it does. ``shared`` if the quality is that of the ``samples`` that all candidates of the group ran.
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
        """Whether quality and latency are both known, and the quality says something."""
        return _known(self.quality) and _known(self.latency) and not self.void

    @property
    def made(self) -> bool:
        """Whether a model or a rule made the latency, rather than a clock."""
        return self.kind in ("modelled", "estimated")

    @property
    def merit(self) -> float:
        """Quality with its direction: more is better."""
        return (self.quality or 0.0) * (1 if self.higher_is_better else -1)


def recommend(
    candidates: Sequence[Candidate], *, finished: bool = True, compare: Comparison = lambda one, other: None
) -> Recommendation:
    """One sentence for each group of comparable candidates, with its reasons; see the module's rule.

    Candidates of unlike kinds or units are never in one group, whatever their ``group`` says. ``compare`` says in words
    how one candidate's errors compare with another's, sample by sample, where that is known.
    """
    groups: dict[tuple[str, ...], list[Candidate]] = {}
    for candidate in candidates:
        groups.setdefault((*candidate.group, candidate.kind, candidate.unit), []).append(candidate)
    verdicts = [_group(members, compare, several=len(groups) > 1) for members in groups.values()]
    if not verdicts:
        return _none("Nothing was measured, so nothing can be recommended.")
    decided = [verdict for verdict in verdicts if verdict.chosen] or verdicts
    sentences = [verdict.sentences[0] for verdict in decided]
    reasons = [
        f"{members[0].place}: {reason}" if len(groups) > 1 and members[0].place else reason
        for verdict, members in zip(verdicts, groups.values(), strict=True)
        for reason in verdict.reasons
    ]
    reasons += [verdict.sentences[0] for verdict in verdicts if verdict not in decided]
    if len(groups) > 1:
        reasons.insert(0, "Variants on different devices, data or kinds of numbers are not compared with each other.")
    if not finished:
        reasons.insert(0, "The run is not finished: this is so far.")
    return Recommendation(
        sentences=tuple(sentences),
        reasons=tuple(reasons),
        chosen=tuple(key for verdict in verdicts for key in verdict.chosen),
        fronts=tuple(front for verdict in verdicts for front in verdict.fronts),
        firm=finished and any(verdict.chosen for verdict in verdicts) and all(v.firm for v in verdicts if v.chosen),
    )


def pareto(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those that no other beats: at least as good in quality, latency and size, and better in one of them.

    Latencies that a model cannot tell apart beat nothing, so that more may be left than with measured ones.
    """
    return [one for one in candidates if not any(_dominates(other, one) for other in candidates)]


def choose(candidates: Sequence[Candidate]) -> tuple[Candidate, Candidate, list[Candidate], list[Candidate]]:
    """The choice among comparable, usable candidates.

    Returns:
        The chosen one, the one of best quality, those within the tolerance of it, and those of them that speed
        cannot tell from the fastest.
    """
    best = max(candidates, key=lambda one: (one.merit, -_latency(one), -one.size))
    near = [one for one in candidates if one.merit >= best.merit - _tolerance(best)]
    fastest = min(near, key=lambda one: (_latency(one), one.size, -one.merit))
    tied = [one for one in near if _low(one) <= _high(fastest)]
    chosen = min(tied, key=lambda one: (one.size, -one.merit, _latency(one)))
    while better := [one for one in near if _dominates(one, chosen)]:
        chosen = min(better, key=lambda one: (_latency(one), one.size))
    return chosen, best, near, tied


def _group(members: Sequence[Candidate], compare: Comparison, *, several: bool) -> Recommendation:
    place = f"On {members[0].place}, " if several and members[0].place else ""
    usable = [one for one in members if one.usable]
    if not usable:
        return _none(_nothing(members, place))
    front = tuple(one.key for one in pareto(usable))
    if len(usable) == 1:
        return _single(usable[0], members, place, front)
    chosen, best, near, tied = choose(usable)
    return Recommendation(
        sentences=(place + _sentence(chosen, best, near, tied, usable),),
        reasons=tuple(_reasons(chosen, best, near, members, compare)),
        chosen=(chosen.key,),
        fronts=(front,),
        firm=not _too_few(best) and chosen.warnings == 0,
    )


def _sentence(
    chosen: Candidate, best: Candidate, near: list[Candidate], tied: list[Candidate], usable: list[Candidate]
) -> str:
    numbers = _numbers(chosen)
    margin = _margin(best)
    if len(near) == 1:
        quicker = min(usable, key=_latency)
        faster = _faster(quicker, chosen)
        rest = f"; {quicker.label} is faster, but reaches only {_quality(quicker)}" if faster else ""
        return f"{chosen.label} is the only variant within {margin} of the best {best.metric}: {numbers}{rest}."
    than = _than(chosen, best)
    alike = "are not told apart by the model's latencies" if chosen.made else "are about equally fast"
    if chosen is best:
        also = "the most accurate" if best.metric == "accuracy" else f"the best in {best.metric}"
        if any(other is not best and other.quality == best.quality for other in near):
            also = "as accurate as any" if best.metric == "accuracy" else f"as good in {best.metric} as any"
        if len(tied) == 1:
            return f"{chosen.label} is both {also} and the fastest of the {len(near)} variants near it: {numbers}."
        return f"{chosen.label} is {also} and the smallest of the {len(tied)} variants near it that {alike}: {numbers}."
    if len(tied) == 1 or (not chosen.made and all(_latency(chosen) <= _latency(one) for one in near)):
        what = f"{chosen.label} is the fastest of the {len(near)} variants"
    else:
        what = f"{chosen.label} is the smallest of the {len(tied)} variants that {alike} and"
    return f"{what} within {margin} of the best {best.metric}: {numbers}{than}."


def _numbers(one: Candidate) -> str:
    return f"{_quality(one)} {one.metric}, {_told_latency(one)} median latency, {show(one.size, 'B')}"


def _told_latency(one: Candidate) -> str:
    """The latency with its kind, and with its bounds where a model made it."""
    latency = show(one.latency or 0, one.unit)
    if one.kind == "measured":
        return latency
    if not one.made or one.latency_low is None or one.latency_high is None:
        return f"{latency} ({one.kind})"
    return f"{latency} ({one.kind}, {show_interval(one.latency_low, one.latency_high, one.unit, one.latency or 0)})"


def _than(chosen: Candidate, best: Candidate) -> str:
    """How the choice compares with the best in quality, in words that hold for the numbers."""
    parts = []
    speed, size = _latency(best) / max(_latency(chosen), 1e-300), best.size / max(chosen.size, 1)
    if _high(chosen) < _low(best) and speed >= 1.05:
        parts.append(f"{times(speed)} times as fast")
    if size >= 1.05:
        parts.append(f"{times(size)} times smaller")
    if not parts:
        return ""
    than = "than" if size >= 1.05 else "as"
    return f"; {' and '.join(parts)} {than} {best.label} ({_quality(best)})"


def _reasons(
    chosen: Candidate, best: Candidate, near: list[Candidate], members: Sequence[Candidate], compare: Comparison
) -> list[str]:
    reasons = []
    if best.shared:
        reasons.append(f"Qualities are those of the {best.samples:,} samples that all of these variants ran.")
    if _too_few(best):
        reasons.append(
            f"Provisional: with {best.samples:,} samples the best {best.metric} is known only as "
            f"{_bounds(best)}, so a difference of {_margin(best)} may be chance."
        )
    if chosen.warnings:
        many = "a warning" if chosen.warnings == 1 else f"{chosen.warnings} warnings"
        reasons.append(f"Provisional: the numbers of {chosen.label} carry {many}, shown with it.")
    lost = (best.merit - chosen.merit) if chosen is not best else 0.0
    if lost > 0 and best.metric_unit == "1":
        told = "their intervals overlap" if _overlap(chosen, best) else "their intervals do not overlap"
        told = compare(chosen, best) or told
        reasons.append(f"{chosen.label} gives up {100 * lost:.2f} points of {best.metric} to {best.label}; {told}.")
    reasons += _beyond(chosen, near, members, compare)
    smallest = min(near, key=lambda one: (one.size, _latency(one)))
    if smallest.size < chosen.size:
        reasons.append(
            f"If size matters more: {smallest.label} needs {show(smallest.size, 'B')} at {_told_latency(smallest)}."
        )
    return reasons + _left_out(members)


def _beyond(chosen: Candidate, near: list[Candidate], members: Sequence[Candidate], compare: Comparison) -> list[str]:
    """What the variants lose that are not near the best quality, in errors; the costliest first."""
    far = [one for one in members if one.usable and one not in near]
    texts: dict[str, list[str]] = {}
    for one in sorted(far, key=lambda one: one.merit):
        text = compare(one, chosen)
        if text:
            texts.setdefault(text, []).append(one.label)
    return [f"{', '.join(labels)} against {chosen.label}: {text}." for text, labels in list(texts.items())[:SHOWN]]


def _left_out(members: Sequence[Candidate]) -> list[str]:
    """Which candidates were not compared, and why."""
    left = [one.label for one in members if not one.usable and not one.void]
    reasons = [f"Left out for want of quality or latency: {', '.join(left)}."] if left else []
    void: dict[str, list[str]] = {}
    for one in members:
        if one.void:
            void.setdefault(one.void, []).append(one.label)
    return [*reasons, *(f"Left out, because {reason}: {', '.join(labels)}." for reason, labels in void.items())]


def _single(one: Candidate, members: Sequence[Candidate], place: str, front: tuple[str, ...]) -> Recommendation:
    others = len(members) - 1
    if any(other.void for other in members):
        text = f"only {one.label} has a quality that says something: {_numbers(one)}."
        reasons = tuple(_left_out(members))
        return Recommendation(sentences=(_lead(place, text),), reasons=reasons, chosen=(), fronts=(front,), firm=False)
    if others:
        rest = "the other one lacks them" if others == 1 else f"the other {others} lack them"
        text = f"only {one.label} has both quality and latency, {rest}; there is nothing to compare: {_numbers(one)}."
    else:
        text = f"only {one.label} was measured, so there is nothing to compare it with: {_numbers(one)}."
    return Recommendation(sentences=(_lead(place, text),), reasons=(), chosen=(), fronts=(front,), firm=False)


def _nothing(members: Sequence[Candidate], place: str) -> str:
    """What to say where no candidate has both numbers."""
    void = list(dict.fromkeys(one.void for one in members if one.void))
    if void:
        reason = "; ".join(void)
        return _lead(place, f"nothing can be recommended, because the quality of no variant says anything: {reason}.")
    timed = [one for one in members if _known(one.latency)]
    if len(timed) > 1:
        quick = min(timed, key=_latency)
        text = "nothing can be recommended, because quality was not measured; "
        if quick.made and not all(one is quick or _faster(quick, one) for one in timed):
            return _lead(place, f"{text}nor can the model tell which is the fastest.")
        return _lead(place, f"{text}the fastest is {quick.label} with {_told_latency(quick)} median latency.")
    lacking = "latency" if any(_known(one.quality) for one in members) else "quality"
    return _lead(place, f"nothing can be recommended, because {lacking} was not measured.")


def _none(sentence: str) -> Recommendation:
    return Recommendation(sentences=(sentence,), reasons=(), chosen=(), fronts=(), firm=False)


def _dominates(one: Candidate, other: Candidate) -> bool:
    as_fast = _faster(one, other) or ((one.kind, one.unit) == (other.kind, other.unit) and one.latency == other.latency)
    at_least = one.merit >= other.merit and as_fast and one.size <= other.size
    better = one.merit > other.merit or _faster(one, other) or one.size < other.size
    return at_least and better


def _faster(one: Candidate, other: Candidate) -> bool:
    """Whether ``one`` is known to be the faster of the two; never across kinds, nor within the error of a model."""
    if (one.kind, one.unit) != (other.kind, other.unit):
        return False
    return _high(one) < _low(other) if one.made else _latency(one) < _latency(other)


def _too_few(best: Candidate) -> bool:
    """Whether the interval of the best quality reaches further than the tolerance."""
    if best.quality is None or best.quality_low is None or best.quality_high is None:
        return False
    return max(best.quality - best.quality_low, best.quality_high - best.quality) > _tolerance(best)


def _overlap(one: Candidate, other: Candidate) -> bool:
    """Whether the intervals of quality overlap; without intervals nobody can tell, so yes."""
    infinity = math.inf
    low, high = one.quality_low, one.quality_high
    below = (-infinity if low is None else low) <= (infinity if other.quality_high is None else other.quality_high)
    above = (-infinity if other.quality_low is None else other.quality_low) <= (infinity if high is None else high)
    return below and above


def _tolerance(best: Candidate) -> float:
    # The small addition keeps 0.98 within one point of 0.99 in binary fractions.
    return (TOLERANCE if best.metric_unit == "1" else TOLERANCE * abs(best.quality or 0)) + 1e-12


def _margin(best: Candidate) -> str:
    return "1 point" if best.metric_unit == "1" else "1 %"


def _quality(one: Candidate) -> str:
    return show(one.quality or 0, one.metric_unit)


def _bounds(one: Candidate) -> str:
    return show_interval(one.quality_low or 0, one.quality_high or 0, one.metric_unit, one.quality or 0)


def _known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _latency(one: Candidate) -> float:
    return math.inf if one.latency is None else one.latency


def _low(one: Candidate) -> float:
    if one.latency_low is None:
        return -math.inf if one.made else _latency(one)
    return one.latency_low


def _high(one: Candidate) -> float:
    if one.latency_high is None:
        return math.inf if one.made else _latency(one)
    return one.latency_high


def _lead(place: str, text: str) -> str:
    """``text`` as a sentence of its own, or after the words that say where it holds."""
    return place + text if place else text[:1].upper() + text[1:]
