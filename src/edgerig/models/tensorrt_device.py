"""What TensorRT's compiler and runtime need of the GPU: its name, buffers there, and an engine's tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.errors import InferenceError
from edgerig.tensors import TensorSpec


def check(fine: bool, what: str) -> None:
    """Raise an `InferenceError` saying ``what`` unless all is ``fine``."""
    if not fine:
        raise InferenceError(f"{what}.", "Is the GPU free, and its driver as new as TensorRT wants? See `nvidia-smi`.")


def call(name: str, *arguments: Any) -> Any:
    """The result of a function of CUDA's runtime; its error becomes an `InferenceError`."""
    from cuda.bindings import runtime

    status, *results = getattr(runtime, name)(*arguments)
    check(int(status) == 0, f"{name} of CUDA failed with {status.name} ({int(status)})")
    return results[0] if results else None


def device() -> tuple[int, str, str]:
    """Number, name and compute capability of the GPU in use."""
    number = int(call("cudaGetDevice"))
    properties = call("cudaGetDeviceProperties", number)
    name = properties.name.decode() if isinstance(properties.name, bytes) else str(properties.name)
    return number, name.rstrip("\0"), f"{properties.major}.{properties.minor}"


class DeviceBuffers:
    """A buffer on the GPU for each tensor; freed with the object."""

    def __init__(self, specs: Sequence[TensorSpec]) -> None:
        self._addresses = {spec.name: int(call("cudaMalloc", max(1, spec.nbytes))) for spec in specs}

    def address(self, name: str) -> int:
        """Where the tensor lies on the GPU."""
        return self._addresses[name]

    def write(self, name: str, values: NDArray[Any]) -> None:
        """Copy ``values``, contiguous, there."""
        from cuda.bindings import runtime

        kind = runtime.cudaMemcpyKind.cudaMemcpyHostToDevice
        call("cudaMemcpy", self._addresses[name], values.ctypes.data, values.nbytes, kind)

    def read(self, name: str, values: NDArray[Any]) -> None:
        """Copy from there into ``values``, contiguous."""
        from cuda.bindings import runtime

        kind = runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost
        call("cudaMemcpy", values.ctypes.data, self._addresses[name], values.nbytes, kind)

    def __del__(self) -> None:
        for address in self._addresses.values():
            call("cudaFree", address)


def tensors_of(engine: Any) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """The inputs and outputs of an engine."""
    import tensorrt

    inputs, outputs = list[TensorSpec](), list[TensorSpec]()
    for index in range(engine.num_io_tensors):
        name = engine.get_tensor_name(index)
        shape = tuple(int(size) for size in engine.get_tensor_shape(name))
        dtype = np.dtype(tensorrt.nptype(engine.get_tensor_dtype(name))).name
        ends = inputs if engine.get_tensor_mode(name) == tensorrt.TensorIOMode.INPUT else outputs
        ends.append(TensorSpec(name=name, shape=shape, dtype=dtype))
    return tuple(inputs), tuple(outputs)
