"""What the compilers of quantization-aware training have as settings."""

from __future__ import annotations

from typing import Annotated, Protocol

import msgspec

Described = msgspec.Meta

Epochs = Annotated[int, Described(description="epochs of training on the training split", ge=1)]
Rate = Annotated[
    float, Described(description="learning rate of the weights at the start, by Adam; it falls to 0", gt=0)
]
BatchSize = Annotated[int, Described(description="samples in a step of training", ge=1)]
Seed = Annotated[int, Described(description="seed of the order of samples", ge=0)]
Validation = Annotated[
    int, Described(description="samples of the validation split by which the best epoch is chosen", ge=1)
]
KeepZeros = Annotated[
    bool, Described(description="weights that are exactly 0 in the float network, as pruned ones are, stay 0")
]

KeepClusters = Annotated[
    bool,
    Described(description="weights that are equal in a network that went through cluster stay so, by channel"),
]


class TrainingSettings(Protocol):
    """How a quantized network is trained."""

    @property
    def epochs(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def batch_size(self) -> int: ...
    @property
    def seed(self) -> int: ...
    @property
    def validation_samples(self) -> int: ...
    @property
    def keep_zeros(self) -> bool: ...
    @property
    def keep_clusters(self) -> bool: ...
