"""A recommendation in words that match its numbers."""

from __future__ import annotations

from collections.abc import Sequence

from edgerig.report.recommend.candidates import Candidate, high_of, is_faster, latency_of, low_of, needs_less
from edgerig.report.units import show, show_interval, times


def sentence_of(
    chosen: Candidate, best: Candidate, near: list[Candidate], tied: list[Candidate], usable: list[Candidate]
) -> str:
    numbers = numbers_text(chosen)
    margin = margin_text(best)
    if len(near) == 1:
        quicker = min(usable, key=latency_of)
        faster = is_faster(quicker, chosen)
        reaches = "reaches only" if best.higher_is_better else "has"
        rest = f"; {quicker.label} is faster, but {reaches} {quality_text(quicker)}" if faster else ""
        return f"{chosen.label} is the only variant within {margin} of the best {best.metric}: {numbers}{rest}."
    than = than_best(chosen, best)
    alike = "are not told apart by the model's latencies" if chosen.made else "are about equally fast"
    if chosen is best:
        also = "the most accurate" if best.metric == "accuracy" else f"the best in {best.metric}"
        if any(other is not best and other.quality == best.quality for other in near):
            also = "as accurate as any" if best.metric == "accuracy" else f"as good in {best.metric} as any"
        if len(tied) == 1:
            return f"{chosen.label} is both {also} and the fastest of the {len(near)} variants near it: {numbers}."
        rank = rank_of(chosen, tied)
        return f"{chosen.label} is {also} and {rank} of the {len(tied)} variants near it that {alike}: {numbers}."
    if len(tied) == 1:
        what = f"{chosen.label} is the fastest of the {len(near)} variants"
    else:
        what = f"{chosen.label} is {rank_of(chosen, tied)} of the {len(tied)} variants that {alike} and"
    return f"{what} within {margin} of the best {best.metric}: {numbers}{than}."


def rank_of(chosen: Candidate, tied: Sequence[Candidate]) -> str:
    """The rank of ``chosen`` among those whose speed cannot be told from its own."""
    others = [candidate for candidate in tied if candidate is not chosen]
    if all(candidate.size > chosen.size for candidate in others):
        return "the smallest"
    if all(needs_less(chosen, candidate) for candidate in others if candidate.size == chosen.size):
        return "the one that needs least memory among the smallest"
    return "among the smallest"


def tie_text(equals: Sequence[Candidate]) -> str:
    """The others that are equally good in everything measured."""
    if not equals:
        return ""
    names = ", ".join(candidate.label for candidate in equals)
    energy = ", energy" if equals[0].energy is not None else ""
    return f" It is a tie with {names}: neither quality, speed, size{energy} nor memory tells them apart."


def numbers_text(candidate: Candidate) -> str:
    quality = f"{quality_text(candidate)} {candidate.metric}"
    energy = "" if candidate.energy is None else f", {show(candidate.energy, 'J')} an inference"
    return f"{quality}, {latency_text(candidate)} median latency, {show(candidate.size, 'B')}{energy}"


def latency_text(candidate: Candidate) -> str:
    """The latency with its kind, and with its bounds if it is modelled."""
    latency = show(candidate.latency or 0, candidate.unit)
    if candidate.kind == "measured":
        return latency
    if not candidate.made or candidate.latency_low is None or candidate.latency_high is None:
        return f"{latency} ({candidate.kind})"
    low, high = candidate.latency_low, candidate.latency_high
    return f"{latency} ({candidate.kind}, {show_interval(low, high, candidate.unit, candidate.latency or 0)})"


def than_best(chosen: Candidate, best: Candidate) -> str:
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
    return f"; {' and '.join(parts)} {than} {best.label} ({quality_text(best)}){_more_errors(chosen, best)}"


def _more_errors(chosen: Candidate, best: Candidate) -> str:
    """The cost of the choice in errors: a point below 99 % is much, a point below 60 % is not."""
    if best.metric != "accuracy" or best.quality is None or chosen.quality is None or best.quality >= 1:
        return ""
    ratio = (1 - chosen.quality) / (1 - best.quality)
    return f", with errors {ratio:.1f} times as many" if ratio >= 1.05 else ""


def margin_text(best: Candidate) -> str:
    return "1 point" if best.metric_unit == "1" else "1 %"


def lost_text(lost: float, best: Candidate) -> str:
    """A loss of quality: of a metric of which less is better what is more."""
    amount = f"{100 * lost:.2f} points" if best.metric_unit == "1" else show(lost, best.metric_unit)
    less = "" if best.higher_is_better else ", of which less is better,"
    return f"{amount} of {best.metric}{less}"


def quality_text(candidate: Candidate) -> str:
    return show(candidate.quality or 0, candidate.metric_unit)


def quality_bounds(candidate: Candidate) -> str:
    return show_interval(
        candidate.quality_low or 0, candidate.quality_high or 0, candidate.metric_unit, candidate.quality or 0
    )
