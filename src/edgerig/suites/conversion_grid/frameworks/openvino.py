"""OpenVINO, in float32: by itself it would compute in bfloat16 where the processor has that."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgerig.models.openvino_core import openvino_core
from edgerig.suites.conversion_grid.conversion import Array, Inputs, ONNXConversion


class OpenVinoConversion(ONNXConversion):
    """OpenVINO on the CPU."""

    name = "openvino"
    summary = "runs ONNX by OpenVINO, on the CPU, in float32"
    extra = "openvino"
    modules = ("openvino",)
    engine = "openvino"
    packages = ("openvino",)
    imports = True

    def _load(self, path: Path) -> Any:
        core = openvino_core()
        model = core.read_model(str(path))
        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
        return core.compile_model(model, "CPU", settings)

    def _run(self, loaded: Any, inputs: Inputs) -> Sequence[Array]:
        answer = loaded(dict(inputs))
        return [np.asarray(answer[output]) for output in loaded.outputs]
