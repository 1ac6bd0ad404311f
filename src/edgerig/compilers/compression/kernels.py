"""The kernels of a Keras network: the weights that inputs are multiplied with."""

from __future__ import annotations

from typing import Any

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
