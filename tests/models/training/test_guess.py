"""A network is held against the best answer that is always the same, of every kind of what is right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.later import Later

from edgerig.models.base import Objective
from edgerig.models.training.guess import Guess, worse
from edgerig.models.training.scores import Score, score_of

metrics = Later("sklearn.metrics")

CLASSES = ("a", "b", "c")
RNG = np.random.default_rng(0)
LABELS = RNG.choice(3, 200, p=[0.6, 0.3, 0.1]).astype(np.int32)
SHARES = np.bincount(LABELS) / len(LABELS)


def judged(objective: Objective, outputs: Any, truth: Any) -> tuple[Score, list[str]]:
    """The score of outputs in two batches, the second padded, and the doubts about it."""
    guess, half = Guess(objective, CLASSES), (len(truth) + 1) // 2
    rest = np.resize(outputs[half:], outputs[:half].shape)
    batches = [(outputs[:half], truth[:half]), (rest, truth[half:])]
    score = score_of(lambda inputs: inputs, batches, see=guess.see)
    return score, guess.doubts(score)


def sure_of(labels: Any, chance: float = 0.99) -> Any:
    """Probabilities: ``chance`` for the labels, the rest among the others."""
    return np.where(np.arange(3) == labels[..., None], chance, (1 - chance) / 2).astype(np.float32)


def test_a_good_network_raises_no_doubt() -> None:
    assert judged("class", sure_of(LABELS), LABELS)[1] == []


def test_the_shares_of_the_classes_are_the_guess_itself_and_no_worse_than_it() -> None:
    score, doubts = judged("class", np.tile(SHARES, (200, 1)), LABELS)
    assert score.loss == pytest.approx(metrics.log_loss(LABELS, np.tile(SHARES, (200, 1))))
    assert not any("The loss" in doubt for doubt in doubts)
    assert any(doubt == "The network answers 'a' for all 200 samples." for doubt in doubts)
    assert any("is no better than guessing: always answering 'a'" in doubt for doubt in doubts)


def test_a_network_that_diverged_is_told_by_its_answers_and_its_loss() -> None:
    score, doubts = judged("class", sure_of((LABELS + 1) % 3), LABELS)
    entropy = -float((SHARES * np.log(SHARES)).sum())
    assert f"The loss of {score.loss:.4g} is more than that of answering each class as often as it is" in doubts[-1]
    assert f"({entropy:.4g}): has the training diverged?" in doubts[-1]
    assert any("is no better than guessing" in doubt for doubt in doubts)


def test_pixels_that_are_not_known_do_not_count() -> None:
    masks = LABELS[:192].reshape(3, 8, 8).copy()
    masks[:, 0] = -1
    good = sure_of(masks)
    assert judged("pixels", good, masks)[1] == []
    score, doubts = judged("pixels", sure_of(np.zeros_like(masks), 0.4), masks)
    usual = float((masks[masks >= 0] == 0).mean())
    assert score.value == pytest.approx(usual)
    assert doubts[0] == (
        f"An accuracy of {usual:.2%} is no better than guessing: answering 'a' for every pixel gives {usual:.2%}."
    )


def test_labels_are_held_against_what_is_the_case_more_often() -> None:
    truth = (RNG.random((150, 3)) < [0.9, 0.2, 0.5]).astype(np.int32)
    truth[RNG.random(truth.shape) < 0.1] = -1
    known = truth >= 0
    usual = sum(max((truth[:, i] == 1).sum(), (truth[:, i] == 0).sum()) for i in range(3)) / known.sum()
    assert judged("labels", np.where(truth == 1, 0.9, 0.1).astype(np.float32), truth)[1] == []
    score, doubts = judged("labels", np.where(truth == 1, 0.1, 0.9).astype(np.float32), truth)
    assert f"({usual:.2%})" in doubts[0] or f"gives {usual:.2%}." in doubts[0]
    chances = np.array([(truth[:, i] == 1).sum() / known[:, i].sum() for i in range(3)])
    expected = metrics.log_loss(truth[known], np.tile(chances, (150, 1))[known])
    assert doubts[1].endswith(f"({expected:.4g}): has the training diverged?")
    assert score.loss > expected


@pytest.mark.parametrize("objective", ["targets", "reconstruction"])
def test_real_values_are_held_against_their_mean(objective: Objective) -> None:
    truth = RNG.normal(5, [1, 2, 3], (120, 3)).astype(np.float32)
    if objective == "targets":
        truth[RNG.random(truth.shape) < 0.2] = np.nan
    means = np.tile(np.nanmean(truth.astype(np.float64), axis=0), (120, 1))
    assert judged(objective, np.where(np.isnan(truth), 0, truth + 0.1), truth)[1] == []
    score, doubts = judged(objective, means, truth)
    assert doubts == []
    worse_score, (doubt,) = judged(objective, means + 0.5, truth)
    assert worse_score.loss > score.loss
    assert f"more than that of always answering the mean ({score.loss:.4g})" in doubt


def test_training_on_made_it_worse_only_if_loss_and_metric_say_so() -> None:
    before = Score(0.5, 0.9, 100)
    assert worse(before, Score(0.4, 0.95, 100), 1e9) is None
    assert worse(before, Score(0.6, 0.9, 100), 1e9) is None
    assert worse(before, Score(0.4, 0.8, 100), 1e9) is None
    told = worse(before, Score(16.1, 0.25, 100), 1e9)
    assert told is not None
    assert "was 0.5 before and is 16.1 now" in told
    assert "below 1e+09" in told
    assert worse(Score(1.0, 2.0, 9, "mae"), Score(2.0, 3.0, 9, "mae"), 1.0) is not None
    assert worse(Score(1.0, 2.0, 9, "mae"), Score(2.0, 1.0, 9, "mae"), 1.0) is None
