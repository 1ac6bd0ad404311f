"""Whether figures that somebody states of a network are those of its file; and if not, what they seem to leave out."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

from edgerig.models.graph.analysis import Analysis

#: Figures of a network that can be stated.
FIGURES = ("parameters", "macs", "operators")
#: Most kinds of operators whose combinations are tried.
_MOST_KINDS = 12
_FOLDED = ("BatchNormalization",)


def mismatch(figure: str, stated: int, analysis: Analysis) -> str | None:
    """What is wrong with a stated figure, in a sentence; None where it is that of the file.

    Args:
        figure: One of `FIGURES`.
        stated: What somebody says.
        analysis: The network's own counts.
    """
    counted = {
        "parameters": analysis.parameters,
        "macs": analysis.macs,
        "operators": len(analysis.operators),
    }[figure]
    if stated == counted:
        return None
    words = "MACs" if figure == "macs" else figure
    why = _explained(figure, stated, counted, analysis)
    return f"{stated:,} {words} are stated, and the network has {counted:,}" + (f": {why}." if why else ".")


def _explained(figure: str, stated: int, counted: int, analysis: Analysis) -> str | None:
    """What would make the stated number out of the network's."""
    if figure == "macs":
        if stated == 2 * counted:
            return "additions and multiplications were counted apart, as FLOPs are"
        if stated == analysis.macc:
            return "it is the MACC of ST's tools, which counts other operations, too"
    if figure == "operators" or stated > counted:
        return None
    each: Counter[str] = Counter()
    for operator in analysis.operators:
        each[operator.op] += getattr(operator, figure)
    kinds = [kind for kind, number in each.most_common(_MOST_KINDS) if number]
    for size in range(1, len(kinds)):
        for left_out in combinations(kinds, size):
            if counted - sum(each[kind] for kind in left_out) == stated:
                folded = ", which is folded where a network is deployed" if left_out == _FOLDED else ""
                return f"it leaves out {' and '.join(left_out)}{folded}"
    for operator in analysis.operators:
        if counted - getattr(operator, figure) == stated:
            return f"it leaves out operator {operator.index} ({operator.op})"
    return None
