"""ncnn, in float32, by pnnx. Its networks have fixed shapes: a network is converted for the inputs that it gets."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgerig.suites.conversion_grid.conversion import Array, Inputs, ONNXConversion
from edgerig.tensors import TensorSpec


class NcnnConversion(ONNXConversion):
    """ncnn on the CPU."""

    name = "ncnn"
    summary = "runs ONNX by pnnx and ncnn, on the CPU, in float32"
    extra = "ncnn"
    modules = ("ncnn", "pnnx")
    engine = "ncnn"
    packages = ("ncnn", "pnnx")
    imports = True

    def _load(self, path: Path) -> Any:
        from edgerig.runtimes.onnx_wire import input_types

        types = input_types(path.read_bytes())
        network = _Network(path, list(types))
        # With a free axis it has to wait for the inputs.
        if all(size > 0 for shape, _ in types.values() for size in shape):
            network.converted(types)
        return network

    def _run(self, loaded: Any, inputs: Inputs) -> Sequence[Array]:
        types = {name: (inputs[name].shape, str(inputs[name].dtype)) for name in loaded.names}
        net, converted = loaded.converted(types)
        extractor = net.create_extractor()
        arrays = []
        for name, blob in zip(loaded.names, converted.inputs, strict=True):
            arrays.append(_array(inputs[name], blob.batch))
            extractor.input(blob.name, arrays[-1])
        outputs = []
        for blob in converted.outputs:
            failed, array = extractor.extract(blob.name)
            if failed:
                raise RuntimeError(f"ncnn could not compute {blob.name!r}: its answer is {failed}")
            outputs.append(np.array(array.numpy(batch_index=_axis(blob.batch))))
        return outputs


class _Network:
    """A network, converted once for each shape of its inputs, whose ``names`` are in the file's order."""

    def __init__(self, path: Path, names: list[str]) -> None:
        self.path, self.names = path, names
        self._nets: dict[Any, Any] = {}

    def converted(self, types: Mapping[str, tuple[tuple[int, ...], str]]) -> Any:
        key = tuple(types.items())
        if key not in self._nets:
            self._nets[key] = self._convert(types)
        return self._nets[key]

    def _convert(self, types: Mapping[str, tuple[tuple[int, ...], str]]) -> Any:
        import ncnn

        from edgerig.bounded.stderr import captured_stderr
        from edgerig.compilers.pnnx import convert

        specs = [TensorSpec(name=name, shape=shape, dtype=dtype) for name, (shape, dtype) in types.items()]
        with tempfile.TemporaryDirectory() as work:
            # Weights may lie in files beside it.
            shutil.copytree(self.path.parent, work, dirs_exist_ok=True)
            converted = convert(Path(work) / self.path.name, specs)
            net = ncnn.Net()
            options = net.opt
            options.num_threads = 1
            options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = False
            with captured_stderr() as words:
                failed = net.load_param(str(converted.param)) or net.load_model(str(converted.weights))
            if failed:
                raise RuntimeError(f"ncnn does not load what pnnx made: {' '.join(words().split())}")
        return net, converted


def _array(value: Array, batch: int | None) -> Any:
    import ncnn

    narrow = value.astype(np.int32) if value.dtype.kind in "iub" else value
    return ncnn.Mat(np.ascontiguousarray(narrow), batch_index=_axis(batch)).clone()


def _axis(batch: int | None) -> int:
    # What ncnn takes for "no batch axis was left out".
    return 233 if batch is None else batch
