"""IREE: each file is compiled for this machine's processor, and run."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgerig.compilers.iree import DEVICE, machine_code
from edgerig.suites.conversion_grid.conversion import Array, Inputs, ONNXConversion


class IreeConversion(ONNXConversion):
    """IREE's importer of ONNX and its compiler, on the CPU."""

    name = "iree"
    summary = "runs ONNX by IREE, compiled for this machine's processor"
    extra = "iree"
    modules = ("iree.compiler", "iree.runtime", "onnx")
    engine = "iree"
    packages = ("iree-base-compiler", "iree-base-runtime")
    imports = True

    def _load(self, path: Path) -> Any:
        import onnx
        from iree import runtime
        from iree.compiler.tools.import_onnx import __main__ as importer

        model = onnx.load(str(path))
        names = [value.name for value in model.graph.input if value.name not in _constants(model)]
        model.graph.name = "main"
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            onnx.save(model, str(folder / "net.onnx"))
            importer.main(importer.parse_arguments([str(folder / "net.onnx"), "-o", str(folder / "net.mlir")]))
            flags = [*DEVICE, "--iree-llvmcpu-target-cpu=host"]
            module, _ = machine_code(folder / "net.mlir", folder / "executables", flags, path.name)
        context = runtime.SystemContext(config=runtime.Config(device=runtime.get_device("local-sync")))
        context.add_vm_module(runtime.VmModule.copy_buffer(context.instance, module))
        return context, names

    def _run(self, loaded: Any, inputs: Inputs) -> Sequence[Array]:
        context, names = loaded
        results = context.modules.module["main"](*[np.ascontiguousarray(inputs[name]) for name in names])
        return [np.asarray(result.to_host()) for result in (results if isinstance(results, tuple) else (results,))]


def _constants(model: Any) -> set[str]:
    """Old files have their constants among the inputs."""
    return {constant.name for constant in model.graph.initializer}
