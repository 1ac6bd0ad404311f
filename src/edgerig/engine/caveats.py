"""When a quality or a comparison says nothing: constant outputs, one class, guesses, numbers that are not finite."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgerig.datasets.base import Samples
from edgerig.datasets.metrics.chance import beats_majority, expected_agreement, majority
from edgerig.datasets.metrics.functions import Counts

Scores = NDArray[np.float32]
#: Outputs that differ by less than this share of the largest do not depend on the input.
CONSTANT = 1e-6
#: Agreement that chance alone would bring about, from which it is said.
BY_CHANCE = 0.9
#: How a reason begins for which there is no comparison.
VACUOUS = "vacuous: "


def judge_outputs(scores: Scores, samples: Samples | None = None) -> list[str]:
    """What is wrong with outputs, shape (n, values), of ``samples``, whatever the labels are."""
    bad = not_finite(scores)
    if bad:
        return [f"The network's output is not finite for {_of(bad, len(scores))}."]
    if is_constant(scores):
        if samples is not None and are_identical(samples):
            return [f"All {len(scores):,} samples are identical: what the network does with others is not known."]
        return [f"The network's output does not depend on its input: it is the same for all {len(scores):,} samples."]
    return []


def judge_answers(confusion: Counts, names: Sequence[str]) -> list[str]:
    """Why accuracy says nothing of a network with this confusion matrix; none where it does."""
    total = int(confusion.sum())
    if total < 2:
        return []
    labels, answers = confusion.sum(axis=1), confusion.sum(axis=0)
    doubts = []
    if (labels > 0).sum() == 1:
        return [
            f"All {total:,} samples are of class {_name(int(labels.argmax()), names)}: "
            "a network that always answers so is perfect, and no accuracy tells it from a good one."
        ]
    if (answers > 0).sum() == 1:
        doubts.append(f"The network answers {_name(int(answers.argmax()), names)} for all {total:,} samples.")
    best = majority(confusion)
    if not beats_majority(confusion):
        share = np.trace(confusion) / total
        # It may be better: that so few samples do not show it is another thing.
        verdict = "is no better than guessing" if share <= best.share else f"over {total:,} samples may be a guess"
        doubts.append(
            f"An accuracy of {share:.2%} {verdict}: always answering {_name(best.label, names)} gives "
            f"{best.share:.2%} (McNemar's test at 5 %)."
        )
    return doubts


def why_vacuous(ours: Scores, theirs: Scores, samples: Samples | None = None) -> str | None:
    """Why it says nothing that two networks predict the same of ``samples``, or None; outputs of shape (n, classes)."""
    n = len(ours)
    both = (("this network", ours), ("the float model", theirs))
    for whose, scores in both:
        bad = not_finite(scores)
        if bad:
            return f"{VACUOUS}the output of {whose} is not finite for {_of(bad, n)}"
    for whose, scores in both:
        if is_constant(scores):
            if samples is not None and are_identical(samples):
                return f"{VACUOUS}all {n:,} samples are identical"
            return (
                f"{VACUOUS}the output of {whose} does not depend on its input, it is the same for all {n:,} samples, "
                "so that any comparison with it is perfect or means nothing"
            )
    if ours.shape[1] == 1:
        largest = float(np.abs(ours - theirs).max())
        return f"one value a sample is no choice between classes; the largest difference is {largest:.3g}"
    if n == 1:
        return f"{VACUOUS}a single sample was run"
    if len(np.unique(theirs.argmax(axis=1))) == 1:
        return f"{VACUOUS}the float model predicts the same class for all {n:,} samples"
    return None


def judge_agreement(ours: NDArray[np.int64], theirs: NDArray[np.int64]) -> list[str]:
    """What is to be said of a comparison of two series of predictions, both of shape (n,)."""
    expected = expected_agreement(ours, theirs)
    if expected <= BY_CHANCE:
        return []
    return [f"Most predictions are of one class: two unrelated networks would agree on {expected:.1%} of the samples."]


def is_constant(scores: Scores) -> bool:
    """Whether several samples all have the same output, which is finite."""
    return (
        len(scores) > 1
        and bool(np.isfinite(scores).all())
        and bool(np.ptp(scores, axis=0).max(initial=0.0) <= CONSTANT * np.abs(scores).max(initial=0))
    )


def are_identical(samples: Samples) -> bool:
    """Whether several samples are all the same, as they come from their source; looked at up to the first other one."""
    if len(samples) < 2:
        return False
    first = samples.raw(0)
    return all(np.array_equal(first, samples.raw(index)) for index in range(1, len(samples)))


def not_finite(scores: Scores) -> int:
    """For how many samples some output is NaN or infinite."""
    return int((~np.isfinite(scores)).any(axis=1).sum())


def _of(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} samples"


def _name(index: int, names: Sequence[str]) -> str:
    return repr(names[index]) if index < len(names) else str(index)
