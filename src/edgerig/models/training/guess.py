"""Whether a trained network does better than an answer that does not look at its input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.models.base import Objective
from edgerig.models.training.scores import EPSILON, Score
from edgerig.tasks.caveats import judge_answers

Array = NDArray[Any]


class Guess:
    """The best answer that is always the same, learned from what is right for the samples that a network is judged on.

    Of classes it is the share of each, of labels the share of samples that have each, of real values their mean; its
    loss is then the entropy of what is right, or its variance.
    """

    def __init__(self, objective: Objective, classes: Sequence[str]) -> None:
        self.objective, self.classes = objective, classes
        self._confusion = np.zeros((len(classes), len(classes)), np.int64)
        self._sums: list[Array] = []

    def see(self, outputs: Array, truth: Array) -> None:
        """Take note of a batch: outputs (n, ...) and what is right, as `score_of` has them."""
        if self.objective in ("class", "pixels"):
            known = truth >= 0
            right, given = truth[known], outputs[known].argmax(-1)
            size = len(self._confusion)
            pairs = right[(right < size) & (given < size)] * size + given[(right < size) & (given < size)]
            self._confusion += np.bincount(pairs, minlength=size * size).reshape(size, size)
        elif self.objective != "boxes":
            values = truth.reshape(len(truth), -1).astype(np.float64)
            known = values >= 0 if self.objective == "labels" else np.isfinite(values)
            values = np.where(known, values, 0)
            self._sums.append(np.stack([known.sum(0), values.sum(0), (values**2).sum(0)]))

    def doubts(self, score: Score) -> list[str]:
        """Why the ``score`` of the network on all that was seen is no better than a guess; empty where it is."""
        if self.objective in ("class", "pixels") and self._confusion.any():
            doubts = self._of_answers(score)
            shares = self._confusion.sum(1) / self._confusion.sum()
            return [*doubts, *_of_loss(score, _entropy(shares[shares > 0]), "answering each class as often as it is")]
        if not self._sums:
            return []
        counts, sums, squares = np.sum(self._sums, axis=0)
        counts, sums, squares = (values[counts > 0] for values in (counts, sums, squares))
        means, total = sums / counts, counts.sum()
        if self.objective == "labels":
            two = np.stack([means, 1 - means])
            usual, entropy = float((counts * two.max(0)).sum() / total), float((counts * _entropies(two)).sum() / total)
            doubts = [
                f"An accuracy of {score.value:.2%} is no better than guessing: answering for each label what is the "
                f"case more often gives {usual:.2%}."
            ]
            return [
                *(doubts if score.value <= usual else []),
                *_of_loss(score, entropy, "answering each label's share"),
            ]
        variance = float((squares - counts * means**2).sum() / total)
        return _of_loss(score, variance, "always answering the mean")

    def _of_answers(self, score: Score) -> list[str]:
        if self.objective == "class":
            return judge_answers(self._confusion, self.classes)
        support = self._confusion.sum(1)
        usual, best = float(support.max() / support.sum()), int(support.argmax())
        if score.value > usual:
            return []
        return [
            f"An accuracy of {score.value:.2%} is no better than guessing: answering {self.classes[best]!r} for every "
            f"pixel gives {usual:.2%}."
        ]


def _of_loss(score: Score, usual: float, answer: str) -> list[str]:
    # Rounding alone makes a network that answers the mean a little worse or better.
    if score.loss <= usual * (1 + 1e-6):
        return []
    return [f"The loss of {score.loss:.4g} is more than that of {answer} ({usual:.4g}): has the training diverged?"]


def _entropy(shares: Array) -> float:
    return float(-(shares * np.log(shares)).sum())


def _entropies(shares: Array) -> Array:
    """Of two shares that sum to 1, shape (2, n): in nats, shape (n,)."""
    entropies: Array = -(shares * np.log(np.maximum(shares, EPSILON))).sum(0)
    return entropies


def worse(before: Score, after: Score, learning_rate: float) -> str | None:
    """That training on made both the loss and what is told beside it worse, or None."""
    less = after.value < before.value if after.metric == "accuracy" else after.value > before.value
    if after.loss <= before.loss or not less:
        return None
    return (
        f"Training made it worse: the loss on the same {after.n:,} values of the training split was {before.loss:.4g} "
        f"before and is {after.loss:.4g} now. Try a learning rate below {learning_rate:g}."
    )
