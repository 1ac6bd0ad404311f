"""Memory that a host and a process on the same machine share, with samples and their results in slots used in turns.

Each slot holds one request, and its answer in the same place::

    0   8  number of the request, from 1 on       64  8 x rows  on-device time of each inference in ns
    8   4  inferences; 0 ends the exchange            then each input and each output of ``rows`` inferences,
    12  4  0, or bytes of the failure                 each at a multiple of 64 bytes
    16  8  the request's number once it is begun      the failure: msgpack, in the place of the times and what follows
    24     nothing

Request n lies in slot (n - 1) modulo their number. Two counters in the kernel (``eventfd``) tell how many were written:
one of requests, one of answers. Whoever reads one sees what was written before it, on any processor; nothing else says
what is new, so that nobody looks at memory that changes meanwhile.

A session may have two of them, for two that ask it independently of one another; either ends both.
"""

from __future__ import annotations

import fcntl
import math
import mmap
import os
import struct
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.tensors import TensorSpec

#: Head of a slot: number, inferences, bytes of the failure.
HEAD = struct.Struct("=QII")
#: Where a slot tells which request in it is begun: it is at fault where the session is lost then.
BEGUN_AT, _BEGUN = 16, struct.Struct("=Q")
HEAD_BYTES = ALIGNMENT = 64
#: Bytes of a failure at most.
FAILURE_BYTES = 16 * 1024
#: File descriptors that travel for each ring: memory, requests, answers.
DESCRIPTORS = 3
#: Rings of a session at most.
MOST_RINGS = 2
_SEALS = ("F_SEAL_SHRINK", "F_SEAL_GROW", "F_SEAL_SEAL")


class RingHeader(msgspec.Struct, frozen=True, array_like=True):
    """The request for a ring, or for several alike: number of slots, inferences that fit into each, and of rings."""

    slots: int
    rows: int
    rings: int = 1


def available() -> bool:
    """Whether this system has what a ring needs: Linux."""
    return hasattr(os, "memfd_create") and hasattr(os, "eventfd") and all(hasattr(fcntl, seal) for seal in _SEALS)


def fits(inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> bool:
    """Whether the sizes of all tensors are known beforehand."""
    return all(size > 0 for spec in (*inputs, *outputs) for size in spec.shape)


def bytes_of(inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> int:
    """Bytes of the tensors of one inference."""
    return sum(spec.nbytes for spec in (*inputs, *outputs))


class Slot:
    """A slot in shared memory.

    Attributes:
        times: Shape (rows,), int64. inputs, outputs: For each tensor an array (rows, *call_shape).
        first_times, first_inputs, first_outputs: Of these the first inference, (1,) and (1, *call_shape).
    """

    def __init__(
        self, memory: memoryview, first: int, rows: int, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
    ) -> None:
        self._memory, self._first = memory, first
        self.times: NDArray[np.int64] = np.ndarray((rows,), np.int64, memory, first + HEAD_BYTES)
        self.first_times = self.times[:1]
        offset = first + _aligned(HEAD_BYTES + 8 * rows)
        arrays: list[NDArray[Any]] = []
        for spec in (*inputs, *outputs):
            arrays.append(np.ndarray((rows, *spec.call_shape), spec.dtype, memory, offset))
            offset += _aligned(rows * spec.nbytes)
        self.inputs, self.outputs = tuple(arrays[: len(inputs)]), tuple(arrays[len(inputs) :])
        self.first_inputs, self.first_outputs = (
            tuple([array[:1] for array in arrays]) for arrays in (self.inputs, self.outputs)
        )

    def write_head(self, number: int, count: int, failure: int = 0) -> None:
        """Say what the slot holds now."""
        HEAD.pack_into(self._memory, self._first, number, count, failure)

    def begin(self, number: int) -> None:
        """Say that request ``number`` is worked on."""
        _BEGUN.pack_into(self._memory, self._first + BEGUN_AT, number)

    def read_head(self) -> tuple[int, int, int]:
        """Number, inferences, and bytes of the failure."""
        return HEAD.unpack_from(self._memory, self._first)

    def write_failure(self, number: int, count: int, failure: bytes) -> None:
        """Put a failure in the place of the results."""
        start = self._first + HEAD_BYTES
        self._memory[start : start + len(failure)] = failure
        self.write_head(number, count, len(failure))

    def failure(self, length: int) -> bytes:
        """The failure, of ``length`` bytes."""
        start = self._first + HEAD_BYTES
        return bytes(self._memory[start : start + length])


class Ring:
    """All slots, over a file descriptor of the memory, which is not kept.

    Raises:
        OSError: The memory cannot be had. ValueError: It is not as large as it must be.
    """

    def __init__(
        self, memory: int, header: RingHeader, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
    ) -> None:
        size = slot_bytes(header.rows, inputs, outputs)
        self._map = mmap.mmap(memory, header.slots * size)
        view = memoryview(self._map)
        self.slots = [Slot(view, number * size, header.rows, inputs, outputs) for number in range(header.slots)]

    def slot(self, number: int) -> Slot:
        """Where request ``number`` lies."""
        return self.slots[(number - 1) % len(self.slots)]


def new_memory(size: int) -> int:
    """A descriptor of ``size`` bytes, all of them 0, that nobody can make smaller: not even who has it by mistake.

    Raises:
        OSError: There are none to be had.
    """
    memory = os.memfd_create("edgerig", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(memory, size)
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    except BaseException:
        os.close(memory)
        raise
    return memory


def slot_bytes(rows: int, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> int:
    """Bytes of a slot for ``rows`` inferences."""
    tensors = sum(_aligned(rows * spec.nbytes) for spec in (*inputs, *outputs))
    return _aligned(HEAD_BYTES + max(FAILURE_BYTES, _aligned(8 * rows) + tensors + ALIGNMENT))


def _aligned(size: int) -> int:
    return math.ceil(size / ALIGNMENT) * ALIGNMENT
