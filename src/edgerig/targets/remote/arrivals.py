"""Results of samples as they arrive over the wire, and their layout in an answer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import TensorSpec
from edgerig.errors import AnswerError
from edgerig.targets.base import Array, DeviceRun


def as_bytes(array: Array) -> memoryview:
    """The bytes of a contiguous array, not copied."""
    return array.reshape(-1).view(np.uint8).data


class ArrivedResults:
    """Results of up to ``total`` samples, as they arrive.

    Attributes:
        count: How many have arrived.
        total_ns: Sum of their on-device times.
    """

    def __init__(self, total: int, who: str) -> None:
        self.count, self._total, self._who, self._room = 0, total, who, 0
        self.total_ns = 0.0
        self._outputs: list[Array] = []
        self._times: NDArray[np.int64] = np.empty(total, np.int64)
        self._trips: list[int] = []
        self._sizes: list[int] = []

    def add(self, outputs: list[Array], times: NDArray[np.int64], round_trip_ns: int) -> None:
        """Copy the next answer into the arrays: its views are valid only until the one after it."""
        count = len(times)
        rows = slice(self.count, self.count + count)
        if rows.stop > self._room:
            self._make_room(outputs, rows.stop)
        for results, array in zip(self._outputs, outputs, strict=True):
            if results.shape[1:] != array.shape[1:]:
                raise AnswerError(f"{self._who} changes the shape of its outputs from message to message.")
            results[rows] = array
        self._times[rows] = times
        self.total_ns += float(times.sum(dtype=np.float64))
        self._trips.append(round_trip_ns)
        self._sizes.append(count)
        self.count += count

    def _make_room(self, outputs: list[Array], need: int) -> None:
        """Enlarge the arrays to ``need`` samples or more: only as answers arrive, as a device may announce any size."""
        self._room = min(self._total, max(need, 2 * self._room))
        before = self._outputs or [array[:0] for array in outputs]
        self._outputs = [np.empty((self._room, *array.shape[1:]), array.dtype) for array in before]
        for larger, smaller in zip(self._outputs, before, strict=True):
            larger[: self.count] = smaller[: self.count]

    def run(self) -> DeviceRun:
        """What has arrived, at least one sample."""
        return DeviceRun(
            outputs=tuple(array[: self.count] for array in self._outputs),
            times_ns=self._times[: self.count],
            round_trips_ns=np.array(self._trips, np.int64),
            samples_per_request=np.array(self._sizes, np.int64),
        )


class Output:
    """The layout of an output in an answer, computed once, as it is used in every round trip."""

    def __init__(self, spec: TensorSpec) -> None:
        self.name, self.dtype = spec.name, np.dtype(spec.dtype)
        self.shape = spec.call_shape
        # A dimension of -1 or 0 means that the engine does not know the output's shape in advance.
        self.nbytes = int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize
        self.known = self.nbytes > 0 and all(size > 0 for size in self.shape)

    def array(self, view: memoryview, count: int, who: str) -> Array:
        """The output of ``count`` samples, shape (n, ...).

        Raises:
            AnswerError: The bytes are not as many as were announced, or no whole number of elements.
        """
        whole = view.nbytes == count * self.nbytes if self.known else view.nbytes % (count * self.dtype.itemsize) == 0
        if not whole:
            raise AnswerError(
                f"{who} announced {self.dtype.name} {list(self.shape)} a sample for output {self.name!r}, and sent "
                f"{view.nbytes} B for {count} of them.",
            )
        flat = np.frombuffer(view, self.dtype.newbyteorder("<")).astype(self.dtype, copy=False)
        return flat.reshape(count, *self.shape) if self.known else flat.reshape(count, -1)
