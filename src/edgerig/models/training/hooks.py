"""What the loop of a training asks of a network, whatever its framework."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray

from edgerig.models.base import ModelWrapper, TrainSettings
from edgerig.models.training.learner import Learner
from edgerig.models.training.own_loss import OwnLoss
from edgerig.models.training.phase import Phase


class TrainingHooks(ModelWrapper):
    """A network with what the loop of a training asks of it; `TrainedModel` beside this module calls the loop."""

    @abstractmethod
    def learner(self, classes: int, seed: int) -> Learner:
        """A fresh network with ``classes`` outputs, whose weights follow from ``seed``, and what trains it."""

    def augment(self, batch: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        """A changed copy of a training batch, shape (n, ..., C), such as shifted pictures; by default ``batch``."""
        return batch

    def augment_masked(
        self, batch: NDArray[np.float32], masks: NDArray[np.int32], rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Changed copies of a batch of images, (n, H, W, C), and of their masks, (n, H, W), moved alike."""
        return batch, masks

    def augment_boxed(
        self, batch: NDArray[np.float32], truth: NDArray[np.float64], rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Changed copies of a batch of images, (n, H, W, C), and of their boxes as `edgerig.tasks.box_truth` packs
        them, moved alike; by default what `augment` makes, which must not move anything, and the boxes as they are."""
        return self.augment(batch, rng), truth

    @property
    def class_weights(self) -> tuple[float, ...]:
        """Weight of each class in the loss, of its samples or its pixels; empty for 1 each."""
        return ()

    @property
    def own_loss(self) -> OwnLoss | None:
        """The loss of a network with the objective ``boxes``; None for those that edgerig has."""
        return None

    def phases(self, settings: TrainSettings) -> tuple[Phase, ...]:
        """The phases of a training, in order; ``learns`` is asked of each of the network's layers."""
        return (Phase(settings.epochs, settings.learning_rate),)
