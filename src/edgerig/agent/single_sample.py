"""The fast path for messages with a single sample: what does not change between messages is prepared once."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from edgerig.artifact import TensorSpec
from edgerig.errors import InferenceError, WireError
from edgerig.runtimes.base import Array, Runtime
from edgerig.wire import messages

_TIME = struct.Struct("<q")


class SingleSampleRunner:
    """Runs messages of one sample.

    Args:
        runtime: With a network loaded.

    Attributes:
        header: What such a message has as header.
        elapsed: Nanoseconds of the last inference.
    """

    def __init__(self, runtime: Runtime) -> None:
        self.runtime, self.elapsed = runtime, 0
        sizes = [spec.nbytes for spec in runtime.inputs]
        self.header = messages.pack_tensors(1, sizes)
        self._length, self._seen = sum(sizes), memoryview(b"")
        self._sample: tuple[Array, ...] = ()
        self._time = bytearray(_TIME.size)

    def run(self, payload: memoryview) -> tuple[bytes, Sequence[memoryview]]:
        """Header and payload of the answer; the payload is valid until the next call.

        Raises:
            WireError: The payload is not as long as the header says. InferenceError: The engine failed.
        """
        # If the payload lies in the same buffer as before, the arrays over it are reused.
        if payload is not self._seen:
            self._look_at(payload)
        self.elapsed, outputs = self.runtime.run_one(self._sample)
        _TIME.pack_into(self._time, 0, self.elapsed)
        parts = [as_bytes(array) for array in outputs]
        return messages.pack_tensors(1, [part.nbytes for part in parts]), [memoryview(self._time), *parts]

    def _look_at(self, payload: memoryview) -> None:
        if payload.nbytes != self._length:
            raise WireError(f"One sample has {self._length} B, not {payload.nbytes} B.")
        arrays, offset = [], 0
        for spec in self.runtime.inputs:
            arrays.append(np.ndarray(spec.shape, spec.dtype, payload, offset))
            offset += spec.nbytes
        self._sample, self._seen = tuple(arrays), payload


def as_bytes(array: Array) -> memoryview:
    """The bytes of an array, without a copy if it is contiguous."""
    try:
        return array.data.cast("B")
    except (TypeError, ValueError):  # it is empty or not contiguous, or of a dtype that Python does not know
        return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def samples_in(view: memoryview, spec: TensorSpec, count: int) -> Array:
    """The bytes of ``count`` samples as an array (count, *call_shape).

    Raises:
        InferenceError: They are not as many as that.
    """
    try:
        return np.frombuffer(view, spec.dtype).reshape(count, *spec.call_shape)
    except (ValueError, TypeError) as error:
        raise InferenceError(
            f"Input {spec.name!r} takes {spec.dtype} {list(spec.call_shape)} an inference; "
            f"{view.nbytes} B came for {count}.",
            "Give the inputs in the network's own shape and dtype.",
        ) from error
