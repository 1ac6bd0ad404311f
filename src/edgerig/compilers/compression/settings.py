"""Settings of the compilers that make a Keras network smaller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from edgerig.compilers.base import CompilerSettings

#: The compiler whose networks have few distinct weights.
CLUSTER = "cluster"


class FineTuningSettings(CompilerSettings, frozen=True, kw_only=True):
    """How a network is trained on after its weights were changed."""

    epochs: Annotated[int, msgspec.Meta(description="epochs of fine-tuning on the training split; 0: none", ge=0)] = 2
    learning_rate: Annotated[float, msgspec.Meta(description="learning rate of fine-tuning, by Adam", gt=0)] = 0.0005
    batch_size: Annotated[int, msgspec.Meta(description="samples in a step of fine-tuning", ge=1)] = 64
    seed: Annotated[int, msgspec.Meta(description="seed of the order of samples", ge=0)] = 0
    keep_zeros: Annotated[bool, msgspec.Meta(description="weights that are 0 already, as pruned ones are, stay 0")] = (
        True
    )


def parts_clusters(compiler: str, tools: Sequence[str]) -> str | None:
    """Why a compiler that trains each weight by itself is not for a network that went through ``tools``, or None."""
    if CLUSTER not in tools:
        return None
    return f"compiler {compiler!r} trains each weight by itself, so that the weights of a cluster would part"
