"""Settings of the networks whose training images are moved at random."""

from __future__ import annotations

from typing import Annotated, Protocol

import msgspec

from edgerig.errors import SpecError
from edgerig.models.training.augmentation import Movement

Rotation = Annotated[
    float, msgspec.Meta(description="of the augmentation: largest angle in degrees, either way", ge=0, le=180)
]
Scale = Annotated[
    tuple[Annotated[float, msgspec.Meta(gt=0, le=10)], Annotated[float, msgspec.Meta(gt=0, le=10)]],
    msgspec.Meta(description="of the augmentation: smallest and largest factor"),
]
Shift = Annotated[
    float,
    msgspec.Meta(description="of the augmentation: largest shift, a share of height and width, either way", ge=0, le=1),
]
ClassWeights = Annotated[
    tuple[Annotated[float, msgspec.Meta(ge=0)], ...],
    msgspec.Meta(description="weight of each class in the loss, of its samples or its pixels; 1 each if not given"),
]


class Moved(Protocol):
    """Settings with the three amounts."""

    @property
    def rotation(self) -> float: ...

    @property
    def scale(self) -> tuple[float, float]: ...

    @property
    def shift(self) -> float: ...


def movement_of(settings: Moved, *, mirror: bool = True) -> Movement:
    """The movement that settings describe.

    Raises:
        SpecError: The smallest factor is larger than the largest.
    """
    low, high = settings.scale
    if low > high:
        raise SpecError(f"scale: {low:g} is larger than {high:g}.", "Give the smaller factor first: scale=0.5,2.")
    return Movement(rotation=settings.rotation, scale=settings.scale, shift=settings.shift, mirror=mirror)
