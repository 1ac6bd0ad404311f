"""What verdicts on quality are made of: what a network answered for each sample, and metrics as functions of samples.

A task returns `Evidence` of the arrays that a bundle stores. Two networks are compared by that of either, on the
samples that both ran: shares of right answers exactly, all other metrics by what they would be on other samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.measure.shares import paired_difference
from edgerig.tasks.caveats import is_constant, why_no_evidence
from edgerig.tasks.metrics.chance import SIGNIFICANCE, sign_test
from edgerig.tasks.metrics.paired import Change, Weighing, mean_weighing, paired_change

Array = NDArray[Any]
Flags = NDArray[np.bool_]

#: How intervals of shares are made, and those of all other metrics.
EXACT = "McNemar's exact test, Tango's interval of the difference"
RESAMPLED = "the wider of the jackknife's Student interval and the paired bootstrap's, both over samples"


class ComparedMetric(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of one network, as a function of the samples that it is made of. Made by the functions below.

    Attributes:
        name, unit, higher_is_better: As of its `MetricValue`.
        count: How many items it is made of: n samples, or what a task divides them into, the same for all networks.
        noun: What these are, in plural.
        values: The metric from how often each item counts: weights of shape (m, count) to values (m,).
        flags: Of a share: which items are counted by it, (count,); else None.
        cost: How often as long an item takes as one of a mean.
    """

    name: str
    count: int
    values: Weighing
    higher_is_better: bool = True
    unit: str = "1"
    noun: str = "samples"
    flags: Flags | None = None
    cost: int = 1


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What n samples tell of one network.

    Attributes:
        truth: What is right, shape (n, ...): networks are compared only where it is the same for both.
        answers: What the network answered, shape (n, ...): one that answers the same for all samples proves nothing.
        metrics: Those that can be compared, the main one first.
        classes: Whether truth and answers are classes, so that samples of one class alone prove nothing either.
    """

    truth: Array
    answers: Array
    metrics: tuple[ComparedMetric, ...]
    classes: bool = False

    def metric(self, name: str) -> ComparedMetric | None:
        """The metric of that name; None where it cannot be compared."""
        return next((metric for metric in self.metrics if metric.name == name), None)


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """Two networks by one metric.

    Attributes:
        change: The difference, B less A. different: whether it is told from none, at 5 %.
        p: Of McNemar's test, for shares; else None. wrong: items that count against A and B, for shares.
        method: How the interval was made.
    """

    metric: ComparedMetric
    change: Change
    different: bool
    method: str
    p: float | None = None
    wrong: tuple[int, int] = (0, 0)


def share_of(
    name: str, flags: Array | Sequence[bool], *, higher_is_better: bool = True, noun: str = "samples"
) -> ComparedMetric:
    """The share of items with a flag, such as samples that are predicted correctly; compared exactly.

    Args:
        name: The metric's. flags: Shape (n,), bool. higher_is_better: Whether the flag is good.
        noun: What the items are, in plural.

    >>> share_of("accuracy", np.array([True, False])).values(np.array([[1.0, 3.0]])).tolist()
    [0.25]
    """
    flags = np.asarray(flags, bool)
    values = mean_weighing(flags.astype(np.float64))
    return ComparedMetric(
        name=name, count=len(flags), values=values, higher_is_better=higher_is_better, noun=noun, flags=flags
    )


def mean_of(
    name: str, values: Array, *, higher_is_better: bool, unit: str = "1", noun: str = "samples"
) -> ComparedMetric:
    """The mean of one number a sample, such as an absolute error.

    Args:
        name: The metric's. values: Shape (n,), finite. higher_is_better: The direction. unit: ``"1"`` for a share.
        noun: What the items are, in plural.
    """
    each = np.asarray(values, np.float64)
    return ComparedMetric(
        name=name,
        count=len(each),
        values=mean_weighing(each),
        higher_is_better=higher_is_better,
        unit=unit,
        noun=noun,
    )


def weighted(
    name: str,
    count: int,
    values: Weighing,
    *,
    higher_is_better: bool = True,
    unit: str = "1",
    noun: str = "samples",
    cost: int = 1,
) -> ComparedMetric:
    """A metric that is no mean, such as an AUC: it is computed anew for weighted samples.

    Args:
        name: The metric's. count: Number of samples, or of what they are divided into.
        values: From how often each counts, shape (m, count), to the metric, shape (m,); NaN where it is not defined.
        higher_is_better, unit, noun, cost: See `ComparedMetric`.
    """
    return ComparedMetric(
        name=name, count=count, values=values, higher_is_better=higher_is_better, unit=unit, noun=noun, cost=cost
    )


def sums_of(parts: Array, metric: Callable[[Array], Array]) -> Weighing:
    """A metric of sums over samples, such as the IoU of confusion counts, for `weighted`.

    Args:
        parts: What each sample adds, shape (n, ...). metric: From sums of shape (m, ...) to values (m,).
    """
    flat = parts.reshape(len(parts), -1).astype(np.float64)

    def weigh(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(metric((weights @ flat).reshape(len(weights), *parts.shape[1:])), np.float64)

    return weigh


def compared(first: ComparedMetric, second: ComparedMetric) -> Compared:
    """The metric of two networks, of the same items.

    >>> before, after = np.arange(1000) % 50 > 0, np.arange(1000) % 20 > 0
    >>> result = compared(share_of("accuracy", before), share_of("accuracy", after))
    >>> result.different, result.wrong, round(result.change.value, 3)
    (True, (20, 50), -0.03)
    """
    if first.flags is None or second.flags is None:
        least = 1.0 if second.unit == "1" else 0.0
        cost = max(first.cost, second.cost)
        change = paired_change(first.values, second.values, second.count, least=least, cost=cost)
        return Compared(metric=second, change=change, different=excludes_none(change), method=RESAMPLED)
    n = second.count
    lost, gained = int((first.flags & ~second.flags).sum()), int((second.flags & ~first.flags).sum())
    low, high = paired_difference(lost, gained, n)
    if not n:
        none = Change(math.nan, math.nan, None, None, 0, 0, f"there are no {second.noun}")
        return Compared(metric=second, change=none, different=False, method=EXACT)
    change = Change(float(first.flags.mean()), float(second.flags.mean()), low, high, n, lost + gained)
    p = sign_test(lost, gained)
    wrong = int((first.flags != second.higher_is_better).sum()), int((second.flags != second.higher_is_better).sum())
    return Compared(metric=second, change=change, different=p < SIGNIFICANCE, method=EXACT, p=p, wrong=wrong)


def excludes_none(change: Change) -> bool:
    """Whether the interval of a change lies on one side of 0."""
    return change.low is not None and change.high is not None and (change.low > 0 or change.high < 0)


def why_vacuous(sides: Sequence[tuple[str, Evidence]]) -> str | None:
    """Why equal qualities of networks on the same samples prove nothing, or None.

    Args:
        sides: The name of each, and its evidence of these samples.
    """
    truth = sides[0][1].truth
    if any(evidence.classes for _, evidence in sides):
        return why_no_evidence(truth, *((name, evidence.answers) for name, evidence in sides))
    if len(truth) == 1:
        return "a single sample was run"
    for name, evidence in sides:
        answers = np.asarray(evidence.answers).reshape(len(evidence.answers), -1)
        # Reals that come to the same by other sums differ in their last digits.
        if is_constant(answers) if answers.dtype.kind == "f" else bool((answers == answers[:1]).all()):
            return f"{name} answers the same for all {len(truth):,} samples"
    return None
