"""TensorRT's engines, on the device that built them.

Written by the documentation of TensorRT 10's Python API and of cuda-python; it was not run on a device yet.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from edgerig.errors import InferenceError, ModelError
from edgerig.measure.census import Census, Request, grouped
from edgerig.measure.kinds import Unavailable
from edgerig.models.tensorrt_engine import unpacked, why_not_here
from edgerig.runtimes.base import Array, Calls, Runtime
from edgerig.tensors import TensorSpec

METHOD = "TensorRT's engine inspector: the layers of the engine, with the types of their inputs"
#: Words in TensorRT's names of tensor formats, and numpy's types.
_TYPES = {
    "Int8": "int8",
    "Half": "float16",
    "FP16": "float16",
    "BF16": "bfloat16",
    "Float": "float32",
    "FP32": "float32",
}


class TensorRtRuntime(Runtime):
    """Engines of compiler tensorrt. One of another device or version is refused by name."""

    name = "tensorrt"
    summary = "TensorRT: engines of compiler tensorrt, on NVIDIA GPUs (not run by edgerig's own tests)"
    modules = ("tensorrt", "cuda")
    packages = ("tensorrt", "cuda-python")
    formats: ClassVar[frozenset[str]] = frozenset({"tensorrt"})
    one_thread = True
    invoke_method = "execute_async_v3 and waiting for its stream; inputs copied to the GPU before, outputs back after"

    @classmethod
    def version(cls) -> str:
        cls.require()
        import tensorrt

        return str(tensorrt.__version__)

    def _prepare(self, path: Path) -> None:
        import tensorrt  # noqa: F401 - so that loading it is no part of loading the network

    def _load(self, path: Path) -> None:
        import tensorrt

        from edgerig.models.tensorrt_device import DeviceBuffers, call, check, device

        try:
            bound, plan = unpacked(path.read_bytes(), path.name)
        except ModelError as error:
            raise InferenceError(error.message, error.hint) from error
        _, name, capability = device()
        reason = why_not_here(bound, tensorrt.__version__, name, capability)
        if reason is not None:
            raise InferenceError(
                f"{path.name} {reason}.", "Compile it on this device: edgerig compile net.onnx --to tensorrt."
            )
        self._engine = tensorrt.Runtime(tensorrt.Logger(tensorrt.Logger.ERROR)).deserialize_cuda_engine(plan)
        check(self._engine is not None, f"TensorRT does not load {path.name}")
        self._context = self._engine.create_execution_context()
        check(self._context is not None, f"The GPU has no room for {path.name}")
        self._bound_to, self._buffers = bound, DeviceBuffers((*bound.inputs, *bound.outputs))
        self._stream = int(call("cudaStreamCreate"))
        for spec in (*bound.inputs, *bound.outputs):
            self._context.set_tensor_address(spec.name, self._buffers.address(spec.name))

    def _inputs(self) -> tuple[TensorSpec, ...]:
        return self._bound_to.inputs

    def _outputs(self) -> tuple[TensorSpec, ...]:
        return self._bound_to.outputs

    def _calls(self) -> Calls:
        from edgerig.models.tensorrt_device import call

        buffers, context, stream = self._buffers, self._context, self._stream
        inputs, outputs = self._bound_to.inputs, self._bound_to.outputs

        def set_inputs(sample: Sequence[Array]) -> None:
            for spec, value in zip(inputs, sample, strict=True):
                buffers.write(spec.name, value)

        def invoke() -> None:
            if not context.execute_async_v3(stream):
                raise InferenceError("TensorRT could not run the engine.")
            call("cudaStreamSynchronize", stream)

        def get_outputs() -> Sequence[Array]:
            results = [np.empty(spec.shape, spec.dtype) for spec in outputs]
            for spec, result in zip(outputs, results, strict=True):
                buffers.read(spec.name, result)
            return results

        return set_inputs, invoke, get_outputs

    def _census(self, batches: Sequence[Array]) -> Census | Unavailable:
        import tensorrt

        inspector = self._engine.create_engine_inspector()
        inspector.execution_context = self._context
        text = inspector.get_engine_information(tensorrt.LayerInformationFormat.JSON)
        return census_of(text, self._bound_to.precision, self._bound_to.device)

    def _close(self) -> None:
        from edgerig.models.tensorrt_device import call

        call("cudaStreamDestroy", self._stream)
        del self._context, self._engine, self._buffers


def census_of(text: str, precision: str, device: str) -> Census | Unavailable:
    """The census out of the inspector's JSON; ``precision`` is what was asked for when the engine was built."""
    layers: list[Any] = json.loads(text).get("Layers", [])
    if not layers or not all(isinstance(layer, dict) for layer in layers):
        return Unavailable("the engine was built without the details that TensorRT's inspector tells")
    rows = [(str(layer.get("LayerType", "")), device, _dtype(layer)) for layer in layers]
    asked = () if precision == "float32" else (Request(kind="dtype", name=precision),)
    return Census(operators=grouped(rows), method=METHOD, requested=asked)


def _dtype(layer: dict[str, Any]) -> str:
    ends = layer.get("Inputs") or layer.get("Outputs") or []
    format = str(ends[0].get("Format/Datatype", "")) if ends and isinstance(ends[0], dict) else ""
    return next((dtype for word, dtype in _TYPES.items() if word in format), "")
