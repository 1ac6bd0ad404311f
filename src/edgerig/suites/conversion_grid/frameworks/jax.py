"""JAX by jax2onnx, which has an environment of its own."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from edgerig.suites.conversion_grid.conversion import Exported, ONNXConversion
from edgerig.suites.conversion_grid.frameworks.jax_networks import NETWORKS


class JaxConversion(ONNXConversion):
    """Functions of JAX."""

    name = "jax"
    summary = "exports JAX functions by jax2onnx"
    extra = "jax2onnx"
    modules = ("jax", "jax2onnx")
    engine = "jax2onnx"
    packages = ("jax", "jax2onnx", "onnx")
    networks: ClassVar[Mapping[str, str]] = {name: network.about for name, network in NETWORKS.items()}
    # jax2onnx writes newer operators than these as functions of its own.
    opsets = (21, 22, 23)

    def _export(self, network: str, opset: int, path: Path) -> Exported:
        jax: Any = importlib.import_module("jax")
        from jax2onnx import to_onnx

        chosen = NETWORKS[network]
        function = chosen.build(jax, np.random.default_rng(4))
        shapes = [jax.ShapeDtypeStruct(shape, np.float32) for shape in chosen.shapes.values()]
        to_onnx(
            function,
            shapes,
            opset=opset,
            return_mode="file",
            output_path=str(path),
            input_names=list(chosen.shapes),
        )
        compiled = jax.jit(function)

        def run(sample: Any) -> list[Any]:
            return [np.asarray(compiled(*(sample[name] for name in chosen.shapes)))]

        return Exported({name: (shape, "float32") for name, shape in chosen.shapes.items()}, run)
