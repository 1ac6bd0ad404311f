"""tract, an engine in Rust."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgerig.suites.conversion_grid.conversion import Array, Inputs, ONNXConversion


class TractConversion(ONNXConversion):
    """tract on the CPU; inputs by position, since its interface knows no names."""

    name = "tract"
    summary = "runs ONNX by tract"
    extra = "tract"
    modules = ("tract",)
    engine = "tract"
    packages = ("tract",)
    imports = True

    def _load(self, path: Path) -> Any:
        import tract

        model = tract.onnx().load(str(path))
        names = [model.input_name(index) for index in range(model.input_count())]
        return names, model.into_model().into_runnable()

    def _run(self, loaded: Any, inputs: Inputs) -> Sequence[Array]:
        names, runnable = loaded
        return [np.asarray(output.to_numpy()) for output in runnable.run([inputs[name] for name in names])]
