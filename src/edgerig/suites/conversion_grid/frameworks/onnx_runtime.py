"""ONNX Runtime, and the reference implementation of ONNX itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgerig.suites.conversion_grid.conversion import Array, Inputs, ONNXConversion


class OnnxRuntimeConversion(ONNXConversion):
    """ONNX Runtime on the CPU."""

    name = "onnxruntime"
    summary = "runs ONNX by ONNX Runtime, on the CPU"
    extra = "onnx"
    modules = ("onnxruntime",)
    packages = ("onnxruntime",)
    imports = True

    def _load(self, path: Path) -> Any:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.log_severity_level = 3
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def _run(self, loaded: Any, inputs: Inputs) -> Sequence[Array]:
        return [np.asarray(output) for output in loaded.run(None, dict(inputs))]


class OnnxReferenceConversion(ONNXConversion):
    """The operators as ONNX itself defines them, in NumPy."""

    name = "onnx-reference"
    summary = "runs ONNX by its reference implementation, in NumPy"
    extra = "onnx"
    modules = ("onnx",)
    packages = ("onnx", "numpy")
    imports = True

    def _load(self, path: Path) -> Any:
        from onnx.reference import ReferenceEvaluator

        return ReferenceEvaluator(str(path))

    def _run(self, loaded: Any, inputs: Inputs) -> Sequence[Array]:
        return [np.asarray(output) for output in loaded.run(None, dict(inputs))]
