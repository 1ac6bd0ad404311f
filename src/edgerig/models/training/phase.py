"""The phases of a training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Phase:
    """Consecutive epochs with one learning rate and one choice of trainable layers.

    Attributes:
        epochs: Number of epochs.
        learning_rate: Of the first of them; it decays by ``learning_rate_decay`` per epoch.
        learns: Whether a layer is trained in this phase.
        title: Shown with the progress where there are several phases.
    """

    epochs: int
    learning_rate: float
    learns: Callable[[Any], bool] = lambda layer: True
    title: str = ""
