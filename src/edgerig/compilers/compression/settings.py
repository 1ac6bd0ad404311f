"""Settings of the compilers that make a Keras network smaller."""

from __future__ import annotations

from typing import Annotated

import msgspec

from edgerig.compilers.base import CompilerSettings


class FineTuningSettings(CompilerSettings, frozen=True, kw_only=True):
    """How a network is trained on after its weights were changed."""

    epochs: Annotated[int, msgspec.Meta(description="epochs of fine-tuning on the training split; 0: none", ge=0)] = 2
    learning_rate: Annotated[float, msgspec.Meta(description="learning rate of fine-tuning, by Adam", gt=0)] = 0.0005
    batch_size: Annotated[int, msgspec.Meta(description="samples in a step of fine-tuning", ge=1)] = 64
    seed: Annotated[int, msgspec.Meta(description="seed of the order of samples", ge=0)] = 0
