"""XNNPACK's operators, by their names in a profile, beside those of a TFLite file.

XNNPACK runs the operators of a file in the file's order. It tells neither their names nor their indices, so that they
are told apart by kind alone; only a whole stretch that matches one by one is taken.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from edgerig.models.graph.types import Operator

#: A convolution of 1 x 1 runs as a fully connected operator, a depthwise one of a single channel as a plain one.
_WEIGHTED = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})
#: The beginning of the name of an operator of XNNPACK, and the operators of a file that may be run as it.
KINDS: dict[str, frozenset[str]] = {
    "Convolution": _WEIGHTED,
    "Fully Connected": _WEIGHTED,
    "Deconvolution": frozenset({"TRANSPOSE_CONV"}),
    "Add": frozenset({"ADD"}),
    "Subtract": frozenset({"SUB"}),
    "Multiply": frozenset({"MUL"}),
    "Divide": frozenset({"DIV"}),
    "Average Pooling": frozenset({"AVERAGE_POOL_2D"}),
    "Max Pooling": frozenset({"MAX_POOL_2D"}),
    "Mean": frozenset({"MEAN"}),
    "Softmax": frozenset({"SOFTMAX"}),
    "Static Reshape": frozenset({"RESHAPE"}),
    "Constant Pad": frozenset({"PAD"}),
}
_NAME = re.compile("|".join(sorted(map(re.escape, KINDS), key=len, reverse=True)))


def match_in_order(rows: Sequence[str], operators: Sequence[Operator]) -> list[int] | None:
    """The index of the operator that each row of a profile is; None unless all of either side match.

    A fully connected operator whose input has more than two axes has a reshape of XNNPACK's own before it.

    Args:
        rows: XNNPACK's names, such as ``Convolution (NHWC, F32) IGEMM``, in their order of execution.
        operators: Those of the file that must have run.
    """
    matched: list[int] = []
    for operator in operators:
        if (
            operator.op == "FULLY_CONNECTED"
            and len(matched) < len(rows)
            and _kinds(rows[len(matched)]) == KINDS["Static Reshape"]
        ):
            matched.append(operator.index)
        if len(matched) == len(rows) or operator.op not in _kinds(rows[len(matched)]):
            return None
        matched.append(operator.index)
    return matched if len(matched) == len(rows) else None


def _kinds(row: str) -> frozenset[str]:
    match = _NAME.match(row)
    return KINDS[match[0]] if match else frozenset()
