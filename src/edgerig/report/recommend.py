"""A recommendation that follows from the numbers: quality against latency, size and memory.

The rule: of the variants within `TOLERANCE` of the best quality, the fastest; where speed cannot tell several apart
(`edgerig.report.candidates`), the smallest of those, then the one that needs less memory. Variants that are equal in
all of these are reported as a tie. Only variants with the same data, device, unit and kind of number are compared. The
recommended one is on the Pareto front. What it gives up in quality is stated in errors; where there is no
recommendation, the report names the measurement that would decide it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

from edgerig.report.candidates import (
    Candidate,
    choose,
    equals_of,
    high_of,
    is_faster,
    known,
    latency_of,
    low_of,
    needs_less,
    pareto,
    tolerance,
)
from edgerig.report.model import Recommendation
from edgerig.report.units import show, show_interval, times

#: Largest number of comparisons with variants that are not near the best.
SHOWN = 3


#: The criterion where no quality is known.
LABELS = "A dataset with labels (--dataset, or 'dataset' of the rig file) would decide it."

#: Compares one candidate's errors with another's, in words; None where the samples are not known.
Comparison: TypeAlias = Callable[[Candidate, Candidate], "str | None"]


def recommend(
    candidates: Sequence[Candidate], *, finished: bool = True, compare: Comparison = lambda first, second: None
) -> Recommendation:
    """One sentence for each group of comparable candidates, with its reasons; see the module's rule.

    Candidates of different kinds or units are never in one group, whatever their ``group`` is. ``compare`` describes
    one candidate's errors relative to another's, sample by sample, where that is known.
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


def _group(members: Sequence[Candidate], compare: Comparison, *, several: bool) -> Recommendation:
    lead = f"On {members[0].place}, " if several and members[0].place else ""
    usable = [candidate for candidate in members if candidate.usable]
    if not usable:
        return _none(_nothing(members, lead))
    front = tuple(candidate.key for candidate in pareto(usable))
    if len(usable) == 1:
        return _single(usable[0], members, lead, front)
    chosen, best, near, tied = choose(usable)
    equals = [candidate for candidate in equals_of(chosen, tied) if candidate.key in front]
    return Recommendation(
        sentences=(lead + _sentence(chosen, best, near, tied, usable) + _tie(equals),),
        reasons=tuple(_reasons(chosen, best, near, tied, members, compare)),
        chosen=(chosen.key, *(candidate.key for candidate in equals)),
        fronts=(front,),
        firm=not _too_few(best) and chosen.warnings == 0 and not _of_one_process(chosen),
    )


def _sentence(
    chosen: Candidate, best: Candidate, near: list[Candidate], tied: list[Candidate], usable: list[Candidate]
) -> str:
    numbers = _numbers(chosen)
    margin = _margin(best)
    if len(near) == 1:
        quicker = min(usable, key=latency_of)
        faster = is_faster(quicker, chosen)
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
        rank = _rank(chosen, tied)
        return f"{chosen.label} is {also} and {rank} of the {len(tied)} variants near it that {alike}: {numbers}."
    if len(tied) == 1:
        what = f"{chosen.label} is the fastest of the {len(near)} variants"
    else:
        what = f"{chosen.label} is {_rank(chosen, tied)} of the {len(tied)} variants that {alike} and"
    return f"{what} within {margin} of the best {best.metric}: {numbers}{than}."


def _rank(chosen: Candidate, tied: Sequence[Candidate]) -> str:
    """The rank of ``chosen`` among those whose speed cannot be told from its own."""
    others = [candidate for candidate in tied if candidate is not chosen]
    if all(candidate.size > chosen.size for candidate in others):
        return "the smallest"
    if all(needs_less(chosen, candidate) for candidate in others if candidate.size == chosen.size):
        return "the one that needs least memory among the smallest"
    return "among the smallest"


def _tie(equals: Sequence[Candidate]) -> str:
    """The others that are equally good in everything measured."""
    if not equals:
        return ""
    names = ", ".join(candidate.label for candidate in equals)
    return f" It is a tie with {names}: neither quality, speed, size nor memory tells them apart."


def _numbers(candidate: Candidate) -> str:
    quality = f"{_quality(candidate)} {candidate.metric}"
    return f"{quality}, {_latency_text(candidate)} median latency, {show(candidate.size, 'B')}"


def _latency_text(candidate: Candidate) -> str:
    """The latency with its kind, and with its bounds if it is modelled."""
    latency = show(candidate.latency or 0, candidate.unit)
    if candidate.kind == "measured":
        return latency
    if not candidate.made or candidate.latency_low is None or candidate.latency_high is None:
        return f"{latency} ({candidate.kind})"
    low, high = candidate.latency_low, candidate.latency_high
    return f"{latency} ({candidate.kind}, {show_interval(low, high, candidate.unit, candidate.latency or 0)})"


def _than(chosen: Candidate, best: Candidate) -> str:
    """How the choice compares with the best in quality, in words that match the numbers."""
    parts = []
    speed, size = latency_of(best) / max(latency_of(chosen), 1e-300), best.size / max(chosen.size, 1)
    if high_of(chosen) < low_of(best) and speed >= 1.05:
        parts.append(f"{times(speed)} times as fast")
    if size >= 1.05:
        parts.append(f"{times(size)} times smaller")
    if not parts:
        return ""
    than = "than" if size >= 1.05 else "as"
    return f"; {' and '.join(parts)} {than} {best.label} ({_quality(best)}){_more_errors(chosen, best)}"


def _more_errors(chosen: Candidate, best: Candidate) -> str:
    """The cost of the choice in errors: a point below 99 % is much, a point below 60 % is not."""
    if best.metric != "accuracy" or best.quality is None or chosen.quality is None or best.quality >= 1:
        return ""
    ratio = (1 - chosen.quality) / (1 - best.quality)
    return f", with errors {ratio:.1f} times as many" if ratio >= 1.05 else ""


def _of_one_process(candidate: Candidate) -> bool:
    """Whether a measured latency has no interval between processes."""
    return candidate.kind == "measured" and candidate.latency_high is None


def _reasons(
    chosen: Candidate,
    best: Candidate,
    near: list[Candidate],
    tied: list[Candidate],
    members: Sequence[Candidate],
    compare: Comparison,
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
    if _of_one_process(chosen):
        reasons.append("Provisional: each was measured in one process; several rounds (--rounds 5) would decide it.")
    elif len(tied) > 1 and not chosen.made:
        others = ", ".join(candidate.label for candidate in tied if candidate is not chosen)
        reasons.append(
            f"Speed does not tell {chosen.label} from {others}: the rounds of each differ by as much, or it is no more "
            "than 2 %. More rounds (--rounds 20) would tell smaller differences."
        )
    lost = (best.merit - chosen.merit) if chosen is not best else 0.0
    if lost > 0 and best.metric_unit == "1":
        intervals = "their intervals overlap" if _overlap(chosen, best) else "their intervals do not overlap"
        errors = compare(chosen, best) or intervals
        reasons.append(f"{chosen.label} gives up {100 * lost:.2f} points of {best.metric} to {best.label}; {errors}.")
    reasons += _beyond(chosen, near, members, compare)
    smallest = min(near, key=lambda candidate: (candidate.size, latency_of(candidate)))
    if smallest.size < chosen.size:
        reasons.append(
            f"If size matters more: {smallest.label} needs {show(smallest.size, 'B')} at {_latency_text(smallest)}."
        )
    return reasons + _left_out(members)


def _beyond(chosen: Candidate, near: list[Candidate], members: Sequence[Candidate], compare: Comparison) -> list[str]:
    """The loss of variants that are not near the best quality, in errors; the largest first."""
    far = [candidate for candidate in members if candidate.usable and candidate not in near]
    texts: dict[str, list[str]] = {}
    for candidate in sorted(far, key=lambda candidate: candidate.merit):
        text = compare(candidate, chosen)
        if text:
            texts.setdefault(text, []).append(candidate.label)
    return [f"{', '.join(labels)} against {chosen.label}: {text}." for text, labels in list(texts.items())[:SHOWN]]


def _left_out(members: Sequence[Candidate]) -> list[str]:
    """Which candidates were not compared, and why."""
    left = [candidate.label for candidate in members if not candidate.usable and not candidate.void]
    reasons = [f"Left out for want of quality or latency: {', '.join(left)}."] if left else []
    void: dict[str, list[str]] = {}
    for candidate in members:
        if candidate.void:
            void.setdefault(candidate.void, []).append(candidate.label)
    return [*reasons, *(f"Left out, because {reason}: {', '.join(labels)}." for reason, labels in void.items())]


def _single(candidate: Candidate, members: Sequence[Candidate], lead: str, front: tuple[str, ...]) -> Recommendation:
    others = len(members) - 1
    if any(other.void for other in members):
        text = f"only {candidate.label} has a quality that says something: {_numbers(candidate)}."
        reasons = tuple(_left_out(members))
        return Recommendation(sentences=(_lead(lead, text),), reasons=reasons, chosen=(), fronts=(front,), firm=False)
    if others:
        rest = "the other one lacks them" if others == 1 else f"the other {others} lack them"
        known_of = f"only {candidate.label} has both quality and latency, {rest}"
        text = f"{known_of}; there is nothing to compare: {_numbers(candidate)}."
    else:
        text = f"only {candidate.label} was measured, so there is nothing to compare it with: {_numbers(candidate)}."
    return Recommendation(sentences=(_lead(lead, text),), reasons=(), chosen=(), fronts=(front,), firm=False)


def _nothing(members: Sequence[Candidate], lead: str) -> str:
    """The sentence where no candidate has both numbers."""
    void = list(dict.fromkeys(candidate.void for candidate in members if candidate.void))
    if void:
        reason = "; ".join(void)
        text = f"nothing can be recommended, because the quality of no variant says anything: {reason}."
        return _lead(lead, f"{text} A dataset that the network was made for, and more samples of it, would decide it.")
    timed = [candidate for candidate in members if known(candidate.latency)]
    if len(timed) > 1:
        quick = min(timed, key=latency_of)
        text = "nothing can be recommended, because quality was not measured; "
        if quick.made and not all(candidate is quick or is_faster(quick, candidate) for candidate in timed):
            return _lead(lead, f"{text}nor can the model tell which is the fastest. {LABELS}")
        return _lead(lead, f"{text}the fastest is {quick.label} with {_latency_text(quick)} median latency. {LABELS}")
    lacking = "latency" if any(known(candidate.quality) for candidate in members) else "quality"
    decides = LABELS if lacking == "quality" else "A device that tells times would decide it."
    return _lead(lead, f"nothing can be recommended, because {lacking} was not measured. {decides}")


def _none(sentence: str) -> Recommendation:
    return Recommendation(sentences=(sentence,), reasons=(), chosen=(), fronts=(), firm=False)


def _too_few(best: Candidate) -> bool:
    """Whether the interval of the best quality is wider than the tolerance."""
    if best.quality is None or best.quality_low is None or best.quality_high is None:
        return False
    return max(best.quality - best.quality_low, best.quality_high - best.quality) > tolerance(best)


def _overlap(candidate: Candidate, other: Candidate) -> bool:
    """Whether the intervals of quality overlap; True without intervals, since they cannot be told apart."""
    infinity = math.inf
    low, high = candidate.quality_low, candidate.quality_high
    below = (-infinity if low is None else low) <= (infinity if other.quality_high is None else other.quality_high)
    above = (-infinity if other.quality_low is None else other.quality_low) <= (infinity if high is None else high)
    return below and above


def _margin(best: Candidate) -> str:
    return "1 point" if best.metric_unit == "1" else "1 %"


def _quality(candidate: Candidate) -> str:
    return show(candidate.quality or 0, candidate.metric_unit)


def _bounds(candidate: Candidate) -> str:
    return show_interval(
        candidate.quality_low or 0, candidate.quality_high or 0, candidate.metric_unit, candidate.quality or 0
    )


def _lead(lead: str, text: str) -> str:
    """``text`` as a sentence, or after ``lead``, the words that say where it applies."""
    return lead + text if lead else text[:1].upper() + text[1:]
