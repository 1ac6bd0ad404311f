"""Keras' own exporter, which PyTorch does the work for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from edgerig.suites.conversion_grid.conversion import Exported, ONNXConversion
from edgerig.suites.conversion_grid.frameworks.keras_models import exported, keras_network
from edgerig.suites.conversion_grid.frameworks.keras_networks import NETWORKS


class KerasConversion(ONNXConversion):
    """``Model.export(format="onnx")``; of Keras' backends only PyTorch needs no TensorFlow for it."""

    name = "keras"
    summary = "exports Keras networks by Keras itself, on PyTorch"
    extra = "torch"
    modules = ("keras", "torch", "onnxscript")
    packages = ("keras", "torch", "onnxscript", "onnx")
    networks: ClassVar[Mapping[str, str]] = {name: about for name, (about, _) in NETWORKS.items()}
    opsets = (18, 19, 20, 21, 22)

    def _export(self, network: str, opset: int, path: Path) -> Exported:
        # This process does nothing else.
        os.environ["KERAS_BACKEND"] = "torch"
        import keras

        model = keras_network(keras, network)
        # Keras exports what was called at least once.
        model([keras.ops.zeros((1, *value.shape[1:])) for value in model.inputs])
        model.export(str(path), format="onnx", opset_version=opset, verbose=False)
        return exported(keras, model, path)
