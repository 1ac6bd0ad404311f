"""A session whose samples and results lie in memory that it shares with its host: `edgerig.wire.ring`."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence

import numpy as np

from edgerig.agent.loading import out_of_memory
from edgerig.errors import InferenceError, WireError
from edgerig.runtimes.base import Array, RunResult, Runtime
from edgerig.tensors import TensorSpec
from edgerig.wire import messages
from edgerig.wire.frame import Frame
from edgerig.wire.link import Link, PairLink
from edgerig.wire.messages import Failure, failure_of, pack
from edgerig.wire.ring import DESCRIPTORS, FAILURE_BYTES, Ring, RingHeader, Slot, available, fits

#: Slots, and inferences in one, at most.
MOST_SLOTS, MOST_ROWS = 64, 1 << 16


def check_ring(header: RingHeader, runtime: Runtime, link: Link) -> None:
    """Whether a ring of that kind can be had over ``link``.

    Raises:
        Unsupported: The host is not on this machine, or the system has no such memory. InferenceError: The network's
            outputs have no size that is known beforehand. WireError: It has no slots.
    """
    if not isinstance(link, PairLink) or not available():
        raise messages.Unsupported("This session shares no memory with its host.")
    if not fits(runtime.inputs, runtime.outputs):
        raise InferenceError("The network has outputs whose size is not known beforehand.", "Send RUN.")
    if not (1 <= header.slots <= MOST_SLOTS and 1 <= header.rows <= MOST_ROWS):
        raise WireError(f"A ring has no {header.slots} slots of {header.rows} inferences.")


class RingRequests:
    """Grants a ring, and answers through it until its host ends it.

    Args:
        link: To the host. loaded: Gives the network that is loaded.
        infer: Runs samples, arrays (n, *call_shape) for each input.
        count: Called with each single inference that did not go through ``infer``: its time in ns.
    """

    def __init__(
        self,
        link: Link,
        loaded: Callable[[], Runtime],
        infer: Callable[[list[Array]], RunResult],
        count: Callable[[int], None],
    ) -> None:
        self._link, self._loaded, self._infer, self._count = link, loaded, infer, count
        self._granted: RingHeader | None = None

    def grant(self, frame: Frame) -> tuple[bytes, Sequence[memoryview]]:
        """The answer to RING, after which `serve` is to be called."""
        header: RingHeader = messages.unpack(frame.header, RingHeader)
        check_ring(header, self._loaded(), self._link)
        self._granted = header
        return b"", ()

    def serve(self) -> None:
        """Take the descriptors that follow the answer to RING, and answer what comes; at once where there was none.

        Raises:
            WireError: They are not as they must be.
        """
        if self._granted is None:
            return
        assert isinstance(self._link, PairLink)
        header, self._granted = self._granted, None
        try:
            ring = RingServer(self._link, header, self._loaded(), self._infer, self._count)
        except (OSError, ValueError) as error:
            raise WireError(f"No memory is shared: {error}.") from error
        try:
            ring.serve()
        finally:
            ring.close()


class RingServer:
    """Answers what its host writes into a ring, until the host ends it.

    Args:
        link: Over which the host sends the descriptors now. header: Its request, checked by `check_ring`.
        runtime: With a network loaded.
        infer: Runs samples, arrays (n, *call_shape) for each input.
        count: Called with each single inference that did not go through ``infer``: its time in ns.

    Raises:
        OSError, ValueError: The descriptors, or the memory, are not as they must be.
    """

    def __init__(
        self,
        link: PairLink,
        header: RingHeader,
        runtime: Runtime,
        infer: Callable[[list[Array]], RunResult],
        count: Callable[[int], None],
    ) -> None:
        self._runtime, self._infer, self._count = runtime, infer, count
        _, descriptors, _, _ = socket.recv_fds(link.socket, 1, DESCRIPTORS)
        if len(descriptors) != DESCRIPTORS:
            for descriptor in descriptors:
                os.close(descriptor)
            raise ValueError(f"{len(descriptors)} descriptors came instead of {DESCRIPTORS}")
        memory, self._requests, self._answers = descriptors
        try:
            self._ring = Ring(memory, header, runtime.inputs, runtime.outputs)
        finally:
            os.close(memory)
        # The samples and results of single inferences, each with its batch axis, as `Runtime.run_one` has them.
        self._single = {
            slot: (_first_of(slot.inputs, runtime.inputs), _first_of(slot.outputs, runtime.outputs))
            for slot in self._ring.slots
        }
        self._warm = False

    def serve(self) -> None:
        """Answer, in order, until a request of no inferences comes."""
        number = 0
        while True:
            for _ in range(os.eventfd_read(self._requests)):
                number += 1
                slot = self._ring.slot(number)
                _, count, _ = slot.read_head()
                if not count:
                    return
                self._answer(slot, number, count)
                os.eventfd_write(self._answers, 1)

    def close(self) -> None:
        """Give up the descriptors; the memory goes with the last array over it."""
        os.close(self._requests)
        os.close(self._answers)

    def _answer(self, slot: Slot, number: int, count: int) -> None:
        try:
            if count == 1 and self._warm:
                sample, targets = self._single[slot]
                elapsed, outputs = self._runtime.run_one(sample, targets)
                slot.times[0] = elapsed
                self._count(elapsed)
                if outputs is not targets and not _copied(outputs, targets):
                    _put(slot, count, outputs)
            else:
                result = self._infer([array[:count] for array in slot.inputs])
                slot.times[:count], outputs, self._warm = result.times_ns, result.outputs, True
                _put(slot, count, outputs)
            slot.write_head(number, count)
        except MemoryError:
            self._fail(slot, number, count, failure_of(out_of_memory()))
        except Exception as error:
            self._fail(slot, number, count, failure_of(error))

    @staticmethod
    def _fail(slot: Slot, number: int, count: int, failure: Failure) -> None:
        data = pack(failure)
        if len(data) > FAILURE_BYTES:
            data = pack(Failure(failure.code, failure.message[:1000], None))
        slot.write_failure(number, count, data)


def _first_of(arrays: Sequence[Array], specs: Sequence[TensorSpec]) -> tuple[Array, ...]:
    """The place of a single inference in a slot's arrays, in the tensors' own shapes."""
    return tuple(array[:1].reshape(spec.shape) for array, spec in zip(arrays, specs, strict=True))


def _copied(outputs: Sequence[Array], targets: Sequence[Array]) -> bool:
    """Copy the outputs of a single inference to ``targets``, if each is exactly of its target's shape and dtype."""
    for array, target in zip(outputs, targets, strict=True):
        if array.shape != target.shape or array.dtype != target.dtype:
            return False
        target[...] = array
    return True


def _put(slot: Slot, count: int, outputs: Sequence[Array]) -> None:
    for target, array in zip(slot.outputs, outputs, strict=True):
        if array.dtype != target.dtype or array.size * len(target) != target.size * count:
            raise InferenceError(
                f"The engine gave {array.dtype.name} {list(array.shape)} for an output that it told to be "
                f"{target.dtype.name} {list(target.shape[1:])} an inference."
            )
        np.copyto(target[:count], array.reshape(count, *target.shape[1:]))
