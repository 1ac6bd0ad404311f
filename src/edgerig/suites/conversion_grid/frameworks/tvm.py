"""TVM: each file is compiled for this machine's processor, untuned, and run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgerig.suites.conversion_grid.conversion import Array, Inputs, ONNXConversion


class TvmConversion(ONNXConversion):
    """TVM's importer of ONNX (Relax) and its compiler, on the CPU."""

    name = "tvm"
    summary = "runs ONNX by TVM, compiled for this machine's processor"
    extra = "tvm"
    modules = ("tvm", "tvm_ffi", "onnx")
    engine = "tvm"
    packages = ("apache-tvm",)
    imports = True

    def _load(self, path: Path) -> Any:
        import onnx
        import tvm
        from tvm import relax
        from tvm.relax.frontend.onnx import from_onnx

        model = onnx.load(str(path))
        constants = {constant.name for constant in model.graph.initializer}
        names = [value.name for value in model.graph.input if value.name not in constants]
        target = tvm.target.Target({"kind": "llvm", "mcpu": str(tvm.target.codegen.llvm_get_system_cpu())})
        with target:
            module = relax.get_pipeline("zero")(from_onnx(model, keep_params_in_input=False))
        return relax.VirtualMachine(tvm.compile(module, target), tvm.cpu())["main"], names

    def _run(self, loaded: Any, inputs: Inputs) -> Sequence[Array]:
        import tvm

        function, names = loaded
        result = function(*[tvm.runtime.tensor(np.ascontiguousarray(inputs[name])) for name in names])
        return [np.asarray(output.numpy()) for output in ([result] if hasattr(result, "numpy") else list(result))]
