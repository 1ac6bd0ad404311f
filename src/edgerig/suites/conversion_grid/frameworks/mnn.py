"""MNN, in float32, by its converter."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgerig.suites.conversion_grid.conversion import Array, Inputs, ONNXConversion


class MnnConversion(ONNXConversion):
    """MNN on the CPU; inputs of int64 become int32, the only integers that its converter knows."""

    name = "mnn"
    summary = "runs ONNX by MNN's converter and MNN, on the CPU, in float32"
    extra = "mnn"
    modules = ("MNN",)
    engine = "mnn"
    packages = ("mnn",)
    imports = True

    def _load(self, path: Path) -> Any:
        import MNN

        from edgerig.compilers.mnn import convert
        from edgerig.models.graph.mnn_file import ends_of

        with tempfile.TemporaryDirectory() as work:
            # Weights may lie in files beside it.
            shutil.copytree(path.parent, work, dirs_exist_ok=True)
            data = convert(Path(work) / path.name)
            file = Path(work) / "with_identity.mnn"
            file.write_bytes(data)
            interpreter = MNN.Interpreter(str(file))
        session = interpreter.createSession({"backend": "CPU", "numThread": 1, "precision": "high"})
        return interpreter, session, ends_of(data, path.name)

    def _run(self, loaded: Any, inputs: Inputs) -> Sequence[Array]:
        from edgerig.runtimes.mnn import copied, fault_of, host_tensor, numpy_type

        interpreter, session, (_, outputs) = loaded
        tensors = interpreter.getSessionInputAll(session)
        for name, value in inputs.items():
            if tuple(tensors[name].getShape()) != value.shape:
                interpreter.resizeTensor(tensors[name], value.shape)
        interpreter.resizeSession(session)
        for name, value in inputs.items():
            array = np.ascontiguousarray(value, numpy_type(name, tensors[name]))
            tensors[name].copyFrom(host_tensor(tensors[name], array))
        failed = interpreter.runSession(session)
        if failed:
            raise RuntimeError(f"MNN failed while running: {fault_of(failed)}")
        results = interpreter.getSessionOutputAll(session)
        return [copied(results[name]) for name in outputs]
