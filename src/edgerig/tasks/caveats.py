"""When a quality or a comparison is meaningless: constant outputs, one class, chance level, non-finite numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.tasks.metrics.chance import beats_majority, expected_agreement, majority
from edgerig.tasks.metrics.functions import Counts
from edgerig.tasks.samples import LabelledSamples

Scores = NDArray[np.float32]
#: Outputs whose range is below this share of the largest value count as independent of the input.
CONSTANT = 1e-6
#: Expected agreement by chance from which a warning is given.
BY_CHANCE = 0.9
#: Difference of accuracies, as a share of 1, that ties may make without a warning: half a point.
TIES = 0.005
#: Prefix of the reason why there is no comparison.
VACUOUS = "vacuous: "


def judge_outputs(scores: Scores, samples: LabelledSamples | None = None) -> list[str]:
    """Faults of outputs, shape (n, values), of ``samples`` that show without labels."""
    bad = not_finite(scores)
    if bad:
        return [f"The network's output is not finite for {_of(bad, len(scores))}."]
    if is_constant(scores):
        if samples is not None and are_identical(samples):
            return [f"All {len(scores):,} samples are identical: what the network does with others is not known."]
        return [f"The network's output does not depend on its input: it is the same for all {len(scores):,} samples."]
    return []


def judge_answers(confusion: Counts, names: Sequence[str]) -> list[str]:
    """Why the accuracy of this confusion matrix is meaningless; empty where it is not."""
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
        # The model may still be better than chance: this many samples cannot show it either way.
        verdict = "is no better than guessing" if share <= best.share else f"over {total:,} samples may be a guess"
        doubts.append(
            f"An accuracy of {share:.2%} {verdict}: always answering {_name(best.label, names)} gives "
            f"{best.share:.2%} (McNemar's test at 5 %)."
        )
    return doubts


def judge_ties(scores: Scores, labels: NDArray[np.integer[Any]]) -> list[str]:
    """A warning where the accuracy hangs on which of several classes with the same highest score counts.

    The first one does, as everywhere; a quantized output whose step is coarse has many such samples, and with its
    classes in another order it would have another accuracy.

    Args:
        scores: Finite, shape (n, classes). labels: Shape (n,).

    >>> judge_ties(np.array([[1, 1, 0], [2, 1, 0]], np.float32), np.array([0, 0]))[0].partition(":")[0]
    'In 1 of 2 samples several classes share the highest score, of which the first counts'
    """
    highest = scores == scores.max(axis=1, keepdims=True)
    tied = highest.sum(axis=1) > 1
    right = highest[np.arange(len(labels)), labels]
    least, most = float((right & ~tied).mean()), float(right.mean())
    if most - least <= TIES or is_constant(scores):
        return []
    return [
        f"In {_of(int(tied.sum()), len(labels))} several classes share the highest score, of which the first counts: "
        f"whichever does, the accuracy lies between {least:.2%} and {most:.2%}."
    ]


def why_no_evidence(labels: NDArray[np.integer[Any]], *answers: tuple[str, NDArray[np.integer[Any]]]) -> str | None:
    """Why equal qualities of networks on the same samples prove nothing, or None.

    Args:
        labels: Of the samples, shape (n,). answers: For each network its name and its predictions, shape (n,).

    >>> why_no_evidence(np.array([0, 1]), ("A", np.array([0, 1])), ("B", np.array([1, 1])))
    'B answers the same class for all 2 samples'
    """
    if len(labels) == 1:
        return "a single sample was run"
    if len(np.unique(labels)) == 1:
        return f"all {len(labels):,} samples are of one class"
    for name, predictions in answers:
        if len(np.unique(predictions)) == 1:
            return f"{name} answers the same class for all {len(predictions):,} samples"
    return None


def why_vacuous(ours: Scores, theirs: Scores, samples: LabelledSamples | None = None) -> str | None:
    """Why equal predictions of two networks on ``samples`` prove nothing, or None; outputs of shape (n, classes)."""
    reason = why_incomparable(ours, theirs, samples)
    if reason:
        return reason
    if ours.shape[1] == 1:
        largest = float(np.abs(ours - theirs).max())
        return f"one value a sample is no choice between classes; the largest difference is {largest:.3g}"
    if len(np.unique(theirs.argmax(axis=1))) == 1:
        return f"{VACUOUS}the float model predicts the same class for all {len(ours):,} samples"
    return None


def why_incomparable(ours: Scores, theirs: Scores, samples: LabelledSamples | None = None) -> str | None:
    """Why equal values of two networks prove nothing, whatever they mean, or None; outputs of shape (n, values)."""
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
    if n == 1:
        return f"{VACUOUS}a single sample was run"
    return None


def judge_agreement(ours: NDArray[np.int64], theirs: NDArray[np.int64]) -> list[str]:
    """Warnings about a comparison of two series of predictions, both of shape (n,)."""
    expected = expected_agreement(ours, theirs)
    if expected <= BY_CHANCE:
        return []
    return [f"Most predictions are of one class: two unrelated networks would agree on {expected:.1%} of the samples."]


def is_constant(scores: Scores) -> bool:
    """Whether all of several samples have the same, finite output."""
    return (
        len(scores) > 1
        and bool(np.isfinite(scores).all())
        and bool(np.ptp(scores, axis=0).max(initial=0.0) <= CONSTANT * np.abs(scores).max(initial=0))
    )


def are_identical(samples: LabelledSamples) -> bool:
    """Whether all of several samples are equal, before preprocessing; stops reading at the first that differs."""
    if len(samples) < 2:
        return False
    first = samples.raw(0)
    return all(np.array_equal(first, samples.raw(index)) for index in range(1, len(samples)))


def not_finite(scores: Scores) -> int:
    """Number of samples with an output that is NaN or infinite."""
    return int((~np.isfinite(scores)).any(axis=1).sum())


def _of(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} samples"


def _name(index: int, names: Sequence[str]) -> str:
    return repr(names[index]) if index < len(names) else str(index)
