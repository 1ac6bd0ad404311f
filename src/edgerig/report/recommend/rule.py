"""A recommendation that follows from the numbers: quality against latency, size, memory and energy.

The rule: of the variants within `TOLERANCE` of the best quality, the fastest; where speed cannot tell several apart
(`candidates`), the smallest of those, then the one that needs less memory. Variants that are equal in all of these are
reported as a tie. Energy counts on the Pareto front where it was measured for all variants of a device, by one rail.
Only variants with the same data, device, unit and kind of number are compared. The recommended one is on the Pareto
front. What it gives up in quality is stated in errors; where there is no recommendation, the report names the
measurement that would decide it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

from edgerig.report.model import Recommendation
from edgerig.report.recommend.candidates import (
    Candidate,
    choose,
    equals_of,
    is_faster,
    known,
    latency_of,
    pareto,
    tolerance,
    uses_less,
    with_common_energy,
)
from edgerig.report.recommend.words import (
    latency_text,
    lost_text,
    margin_text,
    numbers_text,
    quality_bounds,
    sentence_of,
    tie_text,
)
from edgerig.report.units import show

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
    without = _without_energy(usable)
    usable = with_common_energy(usable)
    members = [*usable, *(candidate for candidate in members if not candidate.usable)]
    front = tuple(candidate.key for candidate in pareto(usable))
    if len(usable) == 1:
        return _single(usable[0], members, lead, front)
    chosen, best, near, tied = choose(usable)
    equals = [candidate for candidate in equals_of(chosen, tied) if candidate.key in front]
    return Recommendation(
        sentences=(lead + sentence_of(chosen, best, near, tied, usable) + tie_text(equals),),
        reasons=(*_reasons(chosen, best, near, tied, members, compare), *without),
        chosen=(chosen.key, *(candidate.key for candidate in equals)),
        fronts=(front,),
        firm=not _too_few(best) and chosen.warnings == 0 and not _of_one_process(chosen),
    )


def _without_energy(usable: Sequence[Candidate]) -> list[str]:
    """Why energy does not count although some have one."""
    measured = [candidate for candidate in usable if known(candidate.energy)]
    if not measured or known(with_common_energy(usable)[0].energy):
        return []
    lacking = [candidate.label for candidate in usable if not known(candidate.energy)]
    if lacking:
        return [f"Energy does not count here: {', '.join(lacking)} {'has' if len(lacking) == 1 else 'have'} none."]
    return ["Energy does not count here: it was not measured by one rail for all."]


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
            f"{quality_bounds(best)}, so a difference of {margin_text(best)} may be chance."
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
    if lost > 0:
        intervals = "their intervals overlap" if _overlap(chosen, best) else "their intervals do not overlap"
        errors = compare(chosen, best) or intervals
        reasons.append(f"{chosen.label} gives up {lost_text(lost, best)} to {best.label}; {errors}.")
    reasons += _beyond(chosen, near, members, compare)
    smallest = min(near, key=lambda candidate: (candidate.size, latency_of(candidate)))
    if smallest.size < chosen.size:
        reasons.append(
            f"If size matters more: {smallest.label} needs {show(smallest.size, 'B')} at {latency_text(smallest)}."
        )
    thriftiest = min(near, key=lambda candidate: (candidate.energy or 0.0, latency_of(candidate)))
    if uses_less(thriftiest, chosen):
        reasons.append(
            f"If energy matters more: {thriftiest.label} takes {show(thriftiest.energy or 0, 'J')} an inference at "
            f"{latency_text(thriftiest)}."
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
        text = f"only {candidate.label} has a quality that says something: {numbers_text(candidate)}."
        reasons = tuple(_left_out(members))
        return Recommendation(sentences=(_lead(lead, text),), reasons=reasons, chosen=(), fronts=(front,), firm=False)
    if others:
        rest = "the other one lacks them" if others == 1 else f"the other {others} lack them"
        known_of = f"only {candidate.label} has both quality and latency, {rest}"
        text = f"{known_of}; there is nothing to compare: {numbers_text(candidate)}."
    else:
        text = (
            f"only {candidate.label} was measured, so there is nothing to compare it with: {numbers_text(candidate)}."
        )
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
        return _lead(lead, f"{text}the fastest is {quick.label} with {latency_text(quick)} median latency. {LABELS}")
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


def _lead(lead: str, text: str) -> str:
    """``text`` as a sentence, or after ``lead``, the words that say where it applies."""
    return lead + text if lead else text[:1].upper() + text[1:]
