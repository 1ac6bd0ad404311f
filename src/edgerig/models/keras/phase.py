"""The phases of a training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Phase:
    """A stretch of epochs with one learning rate and one choice of layers that learn.

    Attributes:
        epochs: How many.
        learning_rate: Of the first of them; it decays by ``learning_rate_decay`` an epoch.
        learns: Tells of a layer if its weights change in this phase.
        title: Shown with the progress where there is more than one phase.
    """

    epochs: int
    learning_rate: float
    learns: Callable[[Any], bool] = lambda layer: True
    title: str = ""
