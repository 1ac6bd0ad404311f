"""PyTorch's own exporter."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from edgerig.suites.conversion_grid.conversion import Exported, ONNXConversion
from edgerig.suites.conversion_grid.frameworks.torch_networks import NETWORKS


class TorchConversion(ONNXConversion):
    """`torch.onnx.export`, by way of torch.export."""

    name = "torch"
    summary = "exports PyTorch networks by torch.onnx"
    extra = "torch"
    modules = ("torch", "onnxscript")
    packages = ("torch", "onnxscript", "onnx")
    networks: ClassVar[Mapping[str, str]] = {name: network.about for name, network in NETWORKS.items()}
    # The first is written unless others are named. Below 18 the exporter converts what it wrote for 18.
    opsets = (18, 13, 14, 15, 16, 17, 19, 20, 21, 22)

    def _export(self, network: str, opset: int, path: Path) -> Exported:
        import torch

        chosen = NETWORKS[network]
        torch.manual_seed(3)
        model = chosen.build(torch).eval()
        _stir(torch, model)
        values = tuple(
            torch.zeros(shape, dtype=torch.int64 if position in chosen.whole else torch.float32)
            for position, shape in enumerate(chosen.shapes)
        )
        free = tuple({0: torch.export.Dim("batch")} for _ in values) if chosen.free_batch else None
        torch.onnx.export(
            model, values, str(path), dynamo=True, opset_version=opset, dynamic_shapes=free, external_data=False,
            verbose=False,
        )  # fmt: skip
        return _exported(torch, model, values, path)


def _stir(torch: Any, model: Any) -> None:
    """Other statistics than those that an untrained normalization has: what is forgotten shows."""
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            if "running" in name:
                buffer.add_(torch.rand_like(buffer) * 0.3)


def _exported(torch: Any, model: Any, values: tuple[Any, ...], path: Path) -> Exported:
    import onnx

    names = [value.name for value in onnx.load(str(path)).graph.input]
    if len(names) != len(values):
        raise ValueError(f"the file has {len(names)} inputs instead of {len(values)}")
    inputs = {
        name: (tuple(value.shape), "int64" if value.dtype == torch.int64 else "float32")
        for name, value in zip(names, values, strict=True)
    }

    def run(sample: Any) -> list[Any]:
        with torch.no_grad():
            outputs = model(*(torch.from_numpy(sample[name]) for name in names))
        return [np.asarray(output) for output in (outputs if isinstance(outputs, list | tuple) else [outputs])]

    return Exported(inputs, run)
