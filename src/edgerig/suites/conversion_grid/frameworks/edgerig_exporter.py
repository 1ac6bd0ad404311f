"""edgerig's own way from Keras to ONNX: by TFLite."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from edgerig.suites.conversion_grid.conversion import Exported, ONNXConversion
from edgerig.suites.conversion_grid.frameworks.keras_models import exported, keras_network
from edgerig.suites.conversion_grid.frameworks.keras_networks import NETWORKS


class EdgerigConversion(ONNXConversion):
    """Keras networks by edgerig's compilers ``float32`` and ``onnx``, held against Keras itself."""

    name = "edgerig"
    summary = "exports Keras networks by edgerig's own exporter"
    extra = "convert"
    modules = ("keras", "litert_converter", "onnx")
    packages = ("keras", "litert-converter", "onnx")
    networks: ClassVar[Mapping[str, str]] = {name: about for name, (about, _) in NETWORKS.items()}
    opsets = (17,)

    def _export(self, network: str, opset: int, path: Path) -> Exported:
        from edgerig.compilers.onnx import float_onnx
        from edgerig.models.files import open_artifact
        from edgerig.models.keras.engine import import_keras

        keras = import_keras()
        model = keras_network(keras, network)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "network.keras"
            model.save(file)
            path.write_bytes(float_onnx(open_artifact(file)))
        return exported(keras, model, path)
