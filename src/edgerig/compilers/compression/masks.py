"""Weights that stay 0 while a Keras network is trained."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.compilers.compression.kernels import kernels_of
from edgerig.models.keras.steps import Project

#: False where a weight is to be 0, by the identity of its variable.
Masks = dict[int, NDArray[np.bool_]]


def masks_of_zeros(model: Any) -> Masks:
    """The masks of the kernels that have weights that are exactly 0, as pruned ones have."""
    masks = {id(variable): np.asarray(variable.value) != 0 for variable in kernels_of(model).values()}
    return {key: mask for key, mask in masks.items() if not mask.all()}


def masked(model: Any, masks: Masks, project: Project | None = None) -> Project | None:
    """What keeps masked weights of ``model`` at 0 in each step, after ``project``; ``project`` where there are none.

    All layers of the model become trainable: the order of weights is that of fine-tuning.
    """
    if not masks:
        return project
    model.trainable = True
    ordered = [masks.get(id(variable)) for variable in model.trainable_variables]

    def zeroed(weights: list[Any]) -> list[Any]:
        import jax.numpy as jnp

        pairs = zip(weights if project is None else project(weights), ordered, strict=True)
        return [weight if mask is None else jnp.where(mask, weight, 0) for weight, mask in pairs]

    return zeroed
