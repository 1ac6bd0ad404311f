"""LinearClassifier and LinearRegressor of ONNX: a dense layer, and the label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from edgerig.errors import CompileError, ModelError
from edgerig.micro.ir import FullyConnected, Value


def dense_of(
    where: str, attributes: Mapping[str, Any], sums: int, source: Value, output: Value, position: int
) -> FullyConnected:
    """The layer of coefficients (sums, features) and intercepts.

    Raises:
        ModelError: Their numbers do not fit, or one is not finite.
    """
    features = source.shape[1]
    weights = np.array(attributes.get("coefficients", ()), np.float32)
    bias = np.array(attributes.get("intercepts", ()) or [0.0] * sums, np.float32)
    if weights.size != sums * features or bias.size != sums:
        raise ModelError(
            f"{where} has {weights.size} coefficients and {bias.size} intercepts for {sums} sums of {features}.",
            "Two classes need a sum each here. Was it copied whole? Convert the model again.",
        )
    if not (np.isfinite(weights).all() and np.isfinite(bias).all()):
        raise ModelError(f"{where} has a coefficient that is not finite.", "Train the model again.")
    constants = [
        Value("coefficients", (sums, features), "float32", data=weights.reshape(sums, features)),
        Value("intercepts", (sums,), "float32", data=bias),
    ]
    return FullyConnected(output.name, position, [source, *constants], [output])


def check_transform(where: str, transform: str, classes: int) -> None:
    """Refuse a transform whose result scikit-learn or runtimes make otherwise.

    Raises:
        CompileError: It is such a one.
    """
    if transform == "LOGISTIC" and classes > 2:
        raise CompileError(
            f"{where} has {classes} classes, each by itself (one versus rest).",
            "Train it multinomial, as is the default.",
        )
