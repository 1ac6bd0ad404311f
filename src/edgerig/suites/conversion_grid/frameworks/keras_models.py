"""What the exporters of Keras networks share: the network, and how it runs beside its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edgerig.suites.conversion_grid.conversion import Exported
from edgerig.suites.conversion_grid.frameworks.keras_networks import NETWORKS


def keras_network(keras: Any, name: str) -> Any:
    """A network of `NETWORKS`, with weights, biases and statistics from a fixed seed."""
    keras.utils.set_random_seed(3)
    inputs, outputs = NETWORKS[name][1](keras.layers)
    model = keras.Model(inputs, outputs)
    rng = np.random.default_rng(5)
    # Keras starts biases and means at 0, and variances at 1: what an exporter forgets would not be seen.
    model.set_weights([_stirred(value, rng) for value in model.get_weights()])
    return model


def _stirred(value: Any, rng: np.random.Generator) -> Any:
    if not np.issubdtype(value.dtype, np.floating):
        return value
    return (value + rng.normal(0, 0.1, value.shape)).astype(value.dtype)


def exported(keras: Any, model: Any, path: Path) -> Exported:
    """A Keras network beside its file: inputs by the file's names, in order."""
    import onnx

    names = [value.name for value in onnx.load(str(path)).graph.input]
    inputs = {name: ((1, *value.shape[1:]), str(value.dtype)) for name, value in zip(names, model.inputs, strict=True)}

    def run(sample: Any) -> list[Any]:
        outputs = model([sample[name] for name in names], training=False)
        flat = outputs if isinstance(outputs, list | tuple) else [outputs]
        return [np.asarray(keras.ops.convert_to_numpy(output)) for output in flat]

    return Exported(inputs, run)
