"""The kernels of a Keras network: the weights that inputs are multiplied with."""

from __future__ import annotations

from typing import Any

import numpy as np

#: Last parts of the paths of kernels: of convolutions and dense layers, of separable ones, of recurrent cells.
NAMES = frozenset({"kernel", "depthwise_kernel", "pointwise_kernel", "recurrent_kernel"})


def kernels_of(model: Any) -> dict[str, Any]:
    """The variables that are kernels, by their paths, in the model's order; no bias, normalization or embedding.

    Of equal paths, which parts of a network may have, the later ones are numbered.
    """
    kernels: dict[str, Any] = {}
    for variable in model.weights:
        if variable.path.rpartition("/")[2] in NAMES:
            number, name = 1, variable.path
            while name in kernels:
                number += 1
                name = f"{variable.path}_{number}"
            kernels[name] = variable
    return kernels


def zeros_in(model: Any) -> float:
    """The share of the weights in kernels that are 0."""
    arrays = [np.asarray(variable.value) for variable in kernels_of(model).values()]
    zeros = sum(int((array == 0).sum()) for array in arrays)
    return round(zeros / max(1, sum(array.size for array in arrays)), 6)
