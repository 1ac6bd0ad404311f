"""Features that hold categories: whether samples hold the codes that a model takes, or the categories themselves."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Artifact
from edgerig.models.graph.xgboost_file import CATEGORIES

#: Values and categories that a message shows.
FEW = 5


def judge_codes(artifact: Artifact, features: NDArray[Any]) -> list[str]:
    """Warnings of features whose values are no codes of the categories that the model's file stores.

    XGBoost maps categories to codes 0, 1, .. where it gets a DataFrame; a network gets numbers as they are.

    Args:
        artifact: Of any format; that of XGBoost's models is ONNX.
        features: Real values as they go into the network, (n, ..., features).
    """
    stored = _stored(artifact)
    flat = features.reshape(-1, features.shape[-1]) if stored and features.ndim > 1 else np.zeros((0, 0))
    warnings = []
    for feature, names in stored.items():
        if feature >= flat.shape[1]:
            continue
        values = np.unique(flat[:, feature])
        values = values[~np.isnan(values)]
        wrong = values[(values < 0) | (values >= len(names)) | (values != np.round(values))]
        if wrong.size:
            warnings.append(
                f"Feature {feature} holds {_shown(wrong.tolist())}, and the model takes codes from 0 to "
                f"{len(names) - 1} there, of the categories {_shown(names)}: map them as pandas' cat.codes does. "
                "What it predicts of them means nothing."
            )
    return warnings


def _stored(artifact: Artifact) -> dict[int, list[Any]]:
    """The categories of each feature that has such, in the order of their codes."""
    # Of a table: what takes pictures or sounds, which may be large, need not be read for this.
    table = artifact.format == "onnx" and [len(spec.shape) for spec in artifact.inputs] == [2]
    data = artifact.read() if table else b""
    if CATEGORIES.encode() not in data:
        return {}
    import onnx

    model = onnx.load_model_from_string(data)
    text = next((entry.value for entry in model.metadata_props if entry.key == CATEGORIES), "{}")
    return {int(feature): names for feature, names in msgspec.json.decode(text).items()}


def _shown(values: list[Any]) -> str:
    texts = [f"{value:g}" if isinstance(value, float) else str(value) for value in values[:FEW]]
    return ", ".join([*texts, *([".."] if len(values) > FEW else [])])
