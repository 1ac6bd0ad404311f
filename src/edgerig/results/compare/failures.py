"""The verdict on how often the processes of two variants fail."""

from __future__ import annotations

import math

from edgerig.results.compare.types import MetricVerdict, Verdict

#: Significance level: a difference with a smaller p is not attributed to chance.
SIGNIFICANCE = 0.05


def fisher_exact(first: int, second: int, starts: int) -> float:
    """Two-sided p that both fail equally often, of ``first`` and ``second`` failures in ``starts`` starts each.

    The sum of the probabilities of all tables with these margins that are no likelier than this one (Fisher, 1935,
    J. R. Stat. Soc. 98, 39).

    >>> round(fisher_exact(0, 4, 4), 4), fisher_exact(1, 1, 7)
    (0.0286, 1.0)
    """
    total = first + second
    ways = [
        math.comb(starts, k) * math.comb(starts, total - k)
        for k in range(max(0, total - starts), min(starts, total) + 1)
    ]
    own = math.comb(starts, first) * math.comb(starts, second)
    return sum(way for way in ways if way <= own) / sum(ways)


def failure_verdict(first: int, second: int, starts: int) -> MetricVerdict:
    """Processes that died, or whose engine failed, of ``starts`` of either variant."""
    p = fisher_exact(first, second, starts) if starts else 1.0
    verdict: Verdict = "inconclusive"
    if starts and first == second == 0:
        verdict = "same"
    elif p < SIGNIFICANCE:
        verdict = "worse" if second > first else "better"
    counts = f"{second} of {starts} processes of B failed, {first} of {starts} of A"
    sentence = f"{counts} (Fisher's p {p:.2g})." if first or second else f"None of {starts} processes of either failed."
    shares = [count / starts if starts else None for count in (first, second)]
    return MetricVerdict(
        verdict=verdict,
        sentence=sentence,
        a=shares[0],
        b=shares[1],
        unit="1",
        change="difference",
        value=(second - first) / starts if starts else None,
        count=starts,
        method="processes that died or refused",
    )
